"""Where the file of a data set is found: a named folder, then what Keras keeps or downloads."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from robustnets.data.npz import read_arrays

ENVIRONMENT = "ROBUSTNETS_DATA"
# Seconds without an answer after which a download is given up; Keras itself would wait forever.
_PATIENCE = 20.0

Pair = tuple[np.ndarray, np.ndarray]


class DataUnavailable(RuntimeError):
    """A data set is in no folder that was named, and could not be downloaded."""


def named_folder(data_dir: str | os.PathLike | None) -> Path | None:
    """The folder to look in: the argument, else `ROBUSTNETS_DATA`, else None.

    Raises:
        FileNotFoundError: if what was named is not a folder.
    """
    named, by = data_dir, "data_dir"
    if named is None:
        named, by = os.environ.get(ENVIRONMENT) or None, ENVIRONMENT
    if named is None:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{by} names {folder}, which is not a folder; make it or unset it")
    return folder


def keras_cache() -> Path:
    """The folder in which Keras keeps downloaded data sets, found without importing Keras."""
    return Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()) / "datasets"


def locate_file(file: str, cached: tuple[str, ...], data_dir: str | os.PathLike | None) -> str:
    """Say where `arrays_of` would take a data set from.

    Args:
        file: its name in a named folder, such as "mnist.npz".
        cached: names that Keras may keep it under.
        data_dir: as for `named_folder`.

    Returns:
        "folder PATH", "Keras cache PATH" or "download".
    """
    folder = named_folder(data_dir)
    if folder is not None and (folder / file).is_file():
        return f"folder {folder / file}"
    for name in cached:
        if (keras_cache() / name).exists():
            return f"Keras cache {keras_cache() / name}"
    return "download"


def arrays_of(
    file: str, data_dir: str | os.PathLike | None, module: str
) -> tuple[str, dict[str, np.ndarray]]:
    """Read a data set from the named folder, or through Keras if it is not there.

    Args:
        file: its name in a named folder, such as "mnist.npz".
        data_dir: as for `named_folder`.
        module: its name in `keras.datasets`, such as "mnist".

    Returns:
        Where the arrays came from, for messages, and x_train, y_train, x_test, y_test.

    Raises:
        ValueError: if the file in the folder cannot be read.
        DataUnavailable: if it is not in the folder and Keras has no copy and cannot get one.
    """
    folder = named_folder(data_dir)
    if folder is not None and (folder / file).is_file():
        return str(folder / file), read_arrays(folder / file)
    try:
        train, test = _through_keras(module)
    except (ImportError, MemoryError):
        raise
    except Exception as problem:  # Keras raises bare Exception for a failed download
        looked = "no folder was named" if folder is None else f"{file} is not in {folder}"
        raise DataUnavailable(
            f"{module} is not available: {looked}, and Keras could not download it "
            f"({' '.join(str(problem).split()) or type(problem).__name__}). Put {file} in a "
            f"folder and name the folder with --data-dir or {ENVIRONMENT}, or connect to the "
            "network once so that Keras can download and keep it"
        ) from problem
    arrays = {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]}
    return f"keras.datasets.{module}", arrays


def _through_keras(module: str) -> tuple[Pair, Pair]:
    # imported here: reading from a folder must not cost the start of TensorFlow
    import keras

    load: Callable[[], tuple[Pair, Pair]] = getattr(keras.datasets, module).load_data
    with impatient_sockets():
        return load()


@contextlib.contextmanager
def impatient_sockets() -> Iterator[None]:
    """Give a download up after some seconds without an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE if before is None else before)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
