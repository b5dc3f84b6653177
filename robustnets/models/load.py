"""Anyone's Keras model: from a file, a SavedModel or a function; nothing runs unasked."""

import contextlib
import importlib
import json
import re
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
from keras import ops

from robustnets.models.classifier import Classifier
from robustnets.models.formats import foreign, kind_of
from robustnets.models.functional import as_functional
from robustnets.models.keras_versions import (
    class_names,
    is_newer,
    keras_2_only,
    modernised,
    why_not,
)
from robustnets.models.logits import at_layer, layer_names
from robustnets.models.probabilities import LOOK, are_probabilities, gives_probabilities
from robustnets.models.saved_model import is_saved_model, load_saved_model, one_line

SUFFIXES = (".keras", ".h5", ".hdf5")
# What Keras' safe mode would run: code in the file, or another program beside it
_UNSAFE = ("Lambda", "__lambda__", "TFSMLayer")
_UNKNOWN = re.compile(r"Could not locate (?:class|function) '([^']+)'|Unknown layer: '?(\w+)")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_DAMAGED = "is damaged or no Keras model; save it again with model.save"
_NAMED = "name a .keras or .h5 file, a folder with saved_model.pb or module:function"


def is_source(text: str) -> bool:
    """Whether a text names a model to load, and not one by its name."""
    return Path(text).suffix in SUFFIXES or ":" in text or Path(text).exists()


def load_model(source: str | Path, custom: Sequence[str] = (), trust: bool = False) -> keras.Model:
    """Read a Keras model.

    Args:
        source: a `.keras` or `.h5` file; the folder of a TensorFlow SavedModel, or
            "FOLDER:SIGNATURE" of one; or "module:function", a function without arguments that
            returns a model, from the working directory or installed.
        custom: names of modules to import first, which hold the model's own layers and
            functions, registered with Keras or not.
        trust: let the model run code of its own: Lambda layers, and a SavedModel, which is a
            program. Without it, files are read in Keras' safe mode.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: in one sentence, naming the source and the remedy, for anything else.
        RuntimeError: for a SavedModel on another backend than TensorFlow.
    """
    import robustnets.layers  # noqa: F401  registers them

    objects = _custom_objects(custom)
    text = str(source)
    path, signature = Path(text).expanduser(), None
    if not path.exists() and ":" in text:
        head, _, tail = text.rpartition(":")
        if Path(head).expanduser().is_dir():
            path, signature = Path(head).expanduser(), tail
        elif _FUNCTION.fullmatch(text):
            return _from_function(head, tail)
    if path.is_dir() and is_saved_model(path):
        if not trust:
            raise ValueError(
                f"{path} is a SavedModel, a program that runs as it was written; if you trust "
                "where it comes from, pass --trust (trust=True)"
            )
        return load_saved_model(path, signature)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no file {path}; name a .keras or .h5 file, the folder of a SavedModel or "
            "module:function"
        )
    kind = "" if path.is_dir() else kind_of(path)
    if not kind:
        raise ValueError(f"{path} {foreign(path) or 'is no model; ' + _NAMED}")
    return _from_file(path, kind, objects, custom, trust)


def load_classifier(
    source: str | Path,
    custom: Sequence[str] = (),
    trust: bool = False,
    logits: str | None = None,
) -> Classifier:
    """Read a Keras model and see it through its logits.

    Args:
        source, custom, trust: as for `load_model`.
        logits: name of the layer, at any depth, whose output are the logits, before a softmax
            or sigmoid of its own; in a SavedModel that of an operation of its graph. None
            finds them.

    Returns:
        The Classifier. Preprocessing inside the model stays there; a softmax or sigmoid at
        its end is taken off with a warning.

    Raises:
        FileNotFoundError, RuntimeError: as for `load_model`.
        ValueError: as for `load_model`; for a model that is no classifier of images; where
            the logits cannot be found, or those named are not the model's.
    """
    loaded = load_model(source, custom, trust)
    try:
        model = as_functional(loaded)
        classifier = Classifier(model if logits is None else at_layer(model, logits))
        _try(model, classifier, logits)
    except ValueError as problem:
        raise ValueError(f"{source}: {problem}") from problem
    return classifier


def _try(model: keras.Model, classifier: Classifier, logits: str | None) -> None:
    """Run both on a few random images and compare."""
    x = np.random.default_rng(0).uniform(0, 1, (LOOK, *classifier.image_shape))
    images = ops.convert_to_tensor(x.astype(np.float32))
    found = ops.convert_to_numpy(classifier.logits(images))
    here = model.name if logits is None else f"layer {logits!r} of {model.name}"
    remedy = (
        "name the layer whose output are the logits with --logits (logits=), of "
        f"{layer_names(model)}; or save the model without its softmax or sigmoid"
    )
    if not np.isfinite(found).all():
        raise ValueError(
            f"{here} gives NaN or infinite values for images in [0, 1]; check its weights and its "
            "preprocessing"
        )
    if gives_probabilities(classifier, found):
        raise ValueError(f"{here} gives probabilities, and no softmax was found there; {remedy}")
    if len(model.outputs) != 1:
        return  # the layer that was named is all that there is to look at
    outputs = [model(images, training=False) for _ in range(2)]
    given, again = (ops.convert_to_numpy(ops.cast(o, "float32")) for o in outputs)
    half = "16" in keras.backend.standardize_dtype(outputs[0].dtype)
    rough = 5e-2 if half else 1e-3  # rounding of what the model gives
    given, again = (g.reshape(len(g), -1) for g in (given, again))
    single = given.shape[1] == 1 and found.shape[1] == 2
    if given.shape != found.shape and not single:
        raise ValueError(
            f"{here} gives {found.shape[1]} values and the model {given.shape[-1]}; {remedy}"
        )
    if not np.allclose(given, again, rtol=0, atol=1e-5):
        return  # it draws at random: nothing can be compared
    odds = np.exp(found - found.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    if single:
        same = any(np.allclose(given[:, 0], z[:, 1], rtol=0, atol=rough) for z in (found, odds))
    elif are_probabilities(given, rough):
        same = np.allclose(odds, given, rtol=0, atol=rough)
    else:  # the likeliest class, or one that is as likely but for rounding
        chosen = np.take_along_axis(given, found.argmax(axis=1)[:, None], axis=1)[:, 0]
        least = given.max(axis=1) - rough * 1e-2 * np.abs(given).max(axis=1)
        same = bool((chosen >= least).all())
    if not same:
        raise ValueError(f"{here} gives other classes than the whole model; {remedy}")


@contextlib.contextmanager
def _working_directory_first() -> Iterator[None]:
    """Modules of the working directory are found, as `python -m` finds them."""
    sys.path.insert(0, "")
    try:
        yield
    finally:
        sys.path.remove("")
        if "" not in sys.path:
            sys.path.append("")  # for what they import later; behind everything installed


def _module(name: str) -> ModuleType:
    with _working_directory_first():
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as problem:  # whatever code of its own raises
            raise ValueError(f"cannot import {name!r}: {one_line(problem)}") from problem


def _custom_objects(names: Sequence[str]) -> dict[str, Any]:
    """Classes and functions that modules define, by name."""
    found: dict[str, Any] = {}
    for name in names:
        for key, item in vars(_module(name)).items():
            if callable(item) and f"{getattr(item, '__module__', '')}.".startswith(f"{name}."):
                found[key] = item
    return found


def _from_function(module: str, name: str) -> keras.Model:
    function = getattr(_module(module), name, None)
    if not callable(function):
        raise ValueError(f"{module} has no function {name!r}")
    try:
        model = function()
    except (Exception, SystemExit) as problem:  # whatever code of its own raises
        raise ValueError(
            f"{module}:{name} failed with {type(problem).__name__}: {one_line(problem)}"
        ) from problem
    if not isinstance(model, keras.Model):
        raise ValueError(f"{module}:{name} must return a keras.Model, got {type(model).__name__}")
    return model


def _from_file(
    path: Path, kind: str, objects: dict[str, Any], custom: Sequence[str], trust: bool
) -> keras.Model:
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
            stacklevel=4,
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
