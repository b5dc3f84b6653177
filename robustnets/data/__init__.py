"""Data sets by name or by file, read from a folder, from Keras' cache or from the network."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from robustnets.core.dataset import Dataset, Examples
from robustnets.data import cifar10, digits, imagenet, mnist, npz, sources, tiny_imagenet
from robustnets.data.sources import DataUnavailable

__all__ = ["DATASETS", "DataUnavailable", "describe", "is_named", "load", "load_examples", "locate"]

DATASETS = {
    "mnist": "handwritten digits, 60000 + 10000 of 28 x 28",
    "cifar10": "photographs of ten classes, 50000 + 10000 of 32 x 32 x 3",
    "digits": "handwritten digits embedded in scikit-learn, 1437 + 360, enlarged to 28 x 28",
    "tiny_imagenet": "photographs of 200 classes, 100000 + 10000 of 64 x 64 x 3, to be downloaded",
    "imagenet": "up to 200 photographs of ImageNet's 1000 classes, 224 x 224 x 3: imagenet.npz, "
    "or a folder imagenet with one folder per class, or Tiny ImageNet enlarged",
}
_FROM_FILES = {"mnist": mnist, "cifar10": cifar10}


def is_named(name: str) -> bool:
    """Whether a data set is known by this name: one of `DATASETS`, or `tiny_imagenet-20` and such.

    Example:
        >>> is_named("tiny_imagenet-20"), is_named("mine.npz")
        (True, False)
    """
    return name in DATASETS or _classes(name) is not None


def _classes(name: str) -> int | None:
    """The 20 of `tiny_imagenet-20`, or None for any other name."""
    try:
        return tiny_imagenet.classes_of(name)
    except ValueError:
        return None


def load(name_or_path: str | os.PathLike, data_dir: str | os.PathLike | None = None) -> Dataset:
    """Load a data set.

    Args:
        name_or_path: a name in `DATASETS`, `tiny_imagenet-20` for its first 20 classes, or the
            path of an `.npz` file (see `npz.load`); a relative path that does not exist is
            tried in the named folder too.
        data_dir: folder to look in for files; None is `ROBUSTNETS_DATA`, if set.

    Returns:
        The Dataset: float32 (N, H, W, C) images in [0, 1], int64 (N,) labels.

    Raises:
        ValueError: for an unknown name, or a file that is not what it should be.
        FileNotFoundError: if there is no such file, or what was named is not a folder.
        DataUnavailable: if a named data set is nowhere and there is no network.
    """
    name = os.fspath(name_or_path)
    if name in _FROM_FILES:
        return _FROM_FILES[name].load(data_dir)
    if name == "digits":
        return digits.load()
    if name == "imagenet":
        return imagenet.load(data_dir)
    if is_named(name):
        return tiny_imagenet.load(data_dir, _classes(name))
    return npz.load(_file(name, data_dir))


def load_examples(
    name_or_path: str | os.PathLike, data_dir: str | os.PathLike | None = None
) -> Examples:
    """The test split of a data set, or the examples of an `.npz` file that has just x and y.

    Args:
        name_or_path, data_dir, raises: as for `load`.

    Returns:
        The examples, with class names where the data set or the file has them.
    """
    name = os.fspath(name_or_path)
    if is_named(name):
        dataset = load(name, data_dir)
        return Examples(dataset.test.x, dataset.test.y, dataset.class_names)
    return npz.load_examples(_file(name, data_dir))


def locate(name_or_path: str | os.PathLike, data_dir: str | os.PathLike | None = None) -> str:
    """Say where `load` would take a data set from, without reading it.

    Returns:
        "folder PATH", "Keras cache PATH", "download", "missing" (nothing downloads it),
        "embedded" or "file PATH".

    Raises:
        ValueError: for an unknown name.
        FileNotFoundError: if there is no such file, or what was named is not a folder.
    """
    name = os.fspath(name_or_path)
    if name in _FROM_FILES:
        return _FROM_FILES[name].locate(data_dir)
    if name == "digits":
        return "embedded"
    if name == "imagenet":
        return imagenet.locate(data_dir)
    if is_named(name):
        return tiny_imagenet.locate(data_dir)
    return f"file {_file(name, data_dir)}"


def describe(dataset: Dataset, source: str | None = None) -> dict[str, Any]:
    """Facts about a data set, as JSON types.

    Args:
        dataset: any.
        source: where it came from, as `locate` says; None if that is not known.

    Returns:
        "name", "source", "fingerprint", "image_shape" [H, W, C], "classes" (their names),
        and "train" and "test", each with "n" and "class_counts" in the order of the classes.
    """
    facts: dict[str, Any] = {
        "name": dataset.name,
        "source": source,
        "fingerprint": dataset.fingerprint,
        "image_shape": list(dataset.image_shape),
        "classes": list(dataset.class_names),
    }
    for split_name, split in (("train", dataset.train), ("test", dataset.test)):
        counts = np.bincount(split.y, minlength=len(dataset.class_names))
        facts[split_name] = {"n": len(split), "class_counts": counts.tolist()}
    return facts


def _file(name: str, data_dir: str | os.PathLike | None) -> Path:
    """The existing `.npz` file that a path names."""
    path = Path(name).expanduser()
    if path.suffix != ".npz":
        raise ValueError(
            f"unknown data set {name!r}; name one of {', '.join(DATASETS)} or the path of an "
            ".npz file"
        )
    folder = None if path.is_absolute() else sources.named_folder(data_dir)
    tried = [path] if folder is None else [path, folder / path]
    for candidate in tried:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"there is no file {' nor '.join(map(str, tried))}")
