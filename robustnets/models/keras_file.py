"""One Keras file, as this or another version of Keras wrote it; no code of its own runs unasked."""

import contextlib
import json
import re
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from robustnets.models.keras_versions import (
    class_names,
    is_newer,
    keras_2_only,
    modernised,
    why_not,
)
from robustnets.models.saved_model import one_line

# What Keras' safe mode would run: code in the file, or another program beside it
_UNSAFE = ("Lambda", "__lambda__", "TFSMLayer")
_UNKNOWN = re.compile(r"Could not locate (?:class|function) '([^']+)'|Unknown layer: '?(\w+)")
_DAMAGED = "is damaged or no Keras model; save it again with model.save"


def read_keras_file(
    path: Path, kind: str, objects: dict[str, Any], custom: Sequence[str], trust: bool
) -> keras.Model:
    """Read a model from a file.

    Args:
        path: of the file, by any name.
        kind: "keras" or "hdf5"; see `formats.kind_of`.
        objects: classes and functions of the model's own, by name.
        custom: the modules that they come from, for a message.
        trust: let the file run code.

    Raises:
        ValueError: in one sentence, naming the file and the remedy.
    """
    config, version = _config(path, kind)
    unsafe = [name for name in class_names(config) if name in _UNSAFE]
    refusal = (
        f"{path} holds {' and '.join(dict.fromkeys(unsafe)) or 'code'}, which would run code from "
        "the file; if you trust where it comes from, pass --trust (trust=True)"
    )
    if unsafe and not trust:
        raise ValueError(refusal)
    if is_newer(version):
        warnings.warn(
            f"{path} was written by Keras {version}, newer than the installed {keras.__version__}",
            stacklevel=5,
        )
    try:
        with _as_keras_reads_it(path, kind, config) as readable:
            model = keras.models.load_model(
                readable, custom_objects=objects, compile=False, safe_mode=not trust
            )
    except Exception as problem:
        said = _said(path, str(problem), config, version, custom, refusal)
        damaged = isinstance(problem, zipfile.BadZipFile | OSError | EOFError | KeyError)
        if said is None:
            said = f"{path} {_DAMAGED}" if damaged else f"cannot read {path}: {one_line(problem)}"
        raise ValueError(said) from problem
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path} holds a {type(model).__name__}, not a model")
    return model


def _said(
    path: Path, problem: str, config: Any, version: str, custom: Sequence[str], refusal: str
) -> str | None:
    """What Keras' error means, as one sentence; None if it says nothing that is known."""
    if "safe_mode=False" in problem:
        return refusal
    unknown = _UNKNOWN.search(problem)
    missing = None if unknown is None else unknown.group(1) or unknown.group(2)
    why = why_not(version, config)
    known = ("Functional", *keras_2_only(config))
    own = missing is not None and missing not in known and not hasattr(keras.layers, missing)
    if own and (why is None or not (is_newer(version) or keras_2_only(config))):
        tried = f" (not in {', '.join(custom)})" if custom else ""
        return (
            f"{path} uses {missing!r}, which Keras does not know{tried}; name the module that "
            "defines it with --custom (custom=)"
        )
    if why is None:
        return None
    module = f"; if {missing!r} is your own, name its module with --custom (custom=)"
    return f"{path} {why}{module if own else ''}"


@contextlib.contextmanager
def _as_keras_reads_it(path: Path, kind: str, config: Any) -> Iterator[Path]:
    """The file, or a copy of it that has the suffix and the words that Keras 3 knows."""
    wanted = {"keras": (".keras",), "hdf5": (".h5", ".hdf5")}[kind]
    changed = modernised(config)
    if path.suffix in wanted and changed is config:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"{path.stem}{wanted[0]}"
        if kind == "hdf5":
            shutil.copyfile(path, copy)
            import h5py

            with h5py.File(copy, "r+") as file:
                file.attrs["model_config"] = json.dumps(changed)
        else:
            with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
                for name in old.namelist():
                    text = json.dumps(changed) if name == "config.json" else old.read(name)
                    new.writestr(name, text)
        yield copy


def _config(path: Path, kind: str) -> tuple[Any, str]:
    """The configuration of a model and the version of Keras that wrote it, "" if it is not said.

    Raises:
        ValueError: for a file that is damaged or holds weights only.
    """
    try:
        if kind == "keras":
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:  # Keras itself would take damaged weights
                    raise zipfile.BadZipFile(path)
                about = "metadata.json" in archive.namelist() and archive.read("metadata.json")
                version = str(json.loads(about).get("keras_version", "")) if about else ""
                return json.loads(archive.read("config.json")), version
        import h5py

        with h5py.File(path, "r") as file:
            text, version = (file.attrs.get(k) for k in ("model_config", "keras_version"))
        if text is not None:
            version = version.decode() if isinstance(version, bytes) else str(version or "")
            return json.loads(text), version
    except Exception as problem:  # every reader has its own
        raise ValueError(f"{path} {_DAMAGED}") from problem
    raise ValueError(
        f"{path} holds weights only; save the whole model with model.save, or name a function "
        "that builds it and loads them as module:function"
    )
