"""Anyone's Keras model: from a file, a SavedModel or a function; nothing runs unasked."""

import contextlib
import importlib
import re
import sys
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
from robustnets.models.keras_file import read_keras_file
from robustnets.models.logits import at_layer, layer_names
from robustnets.models.probabilities import LOOK, are_probabilities, gives_probabilities
from robustnets.models.saved_model import is_saved_model, load_saved_model, one_line

SUFFIXES = (".keras", ".h5", ".hdf5")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
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
    return read_keras_file(path, kind, objects, custom, trust)


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
