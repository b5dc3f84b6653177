"""A TensorFlow SavedModel as a Keras model; its gradients flow. TensorFlow backend only."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras import ops

from robustnets import backend

DEFAULT = "serving_default"
# Kinds of operations that carry values around and compute none
_CARRIES = re.compile("Identity|ReadVariable|Const|Call|Placeholder|NoOp")


class SavedProgram(keras.layers.Layer):
    """One signature of a SavedModel.

    Shapes: float32 (N, ...) -> float32 (N, K).

    Args:
        signature: as `backend.saved_signatures` gives it.
        about: JSON types that tell this program from others; part of the layer's
            configuration, and so of a model's digest.
        end: name of the operation whose output is the layer's; None for the signature's own.
    """

    def __init__(
        self, signature: backend.Signature, about: Mapping[str, str], end: str | None = None
    ):
        super().__init__(name="saved_program", trainable=False)
        self.signature, self.about, self.end = signature, dict(about), end
        self._program = signature.call if end is None else signature.until(end)

    def call(self, x):
        """Run the program."""
        return ops.cast(self._program(ops.cast(x, self.signature.input_dtype)), "float32")

    def get_config(self) -> dict[str, Any]:
        """What tells it from other programs; it cannot be made from that alone."""
        return {**super().get_config(), **self.about, "end": self.end}

    @property
    def operations(self) -> tuple[str, ...]:
        """Names of the operations of its graph that may give the logits."""
        return tuple(
            op.name
            for op in self.signature.operations
            if op.rank == 2 and not _CARRIES.search(op.kind)
        )

    def until(self, name: str) -> "SavedProgram":
        """The same program up to the output of an operation."""
        return SavedProgram(self.signature, self.about, name)

    def without_head(self) -> tuple["SavedProgram", str] | None:
        """The program before its softmax or sigmoid, and what was taken off, or None."""
        known = {op.name: op for op in self.signature.operations}
        if not known:
            return None
        here = known.get(self.end if self.end is not None else self.signature.output)
        while here is not None and here.kind == "Identity":
            here = known.get(here.inputs[0])
        if here is None or here.kind not in ("Softmax", "Sigmoid"):
            return None
        return self.until(here.inputs[0]), f"{here.kind.lower()} ({here.name})"


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a SavedModel."""
    return any((folder / f"saved_model.{suffix}").is_file() for suffix in ("pb", "pbtxt"))


def load_saved_model(folder: Path, signature: str | None = None) -> keras.Model:
    """Read one signature of a SavedModel.

    Args:
        folder: holds `saved_model.pb`.
        signature: None takes the only one, or "serving_default".

    Returns:
        A model of one layer, a `SavedProgram`. Its weights are part of the program: they are
        neither listed nor trained.

    Raises:
        RuntimeError: on a backend other than TensorFlow.
        ValueError: if it cannot be read, has no such signature, several inputs or outputs, or
            does not take floating-point images and give one row for each of them.
    """
    try:
        signatures = backend.saved_signatures(folder)
    except RuntimeError:
        raise
    except Exception as problem:
        raise ValueError(
            f"{folder} is damaged or no SavedModel ({one_line(problem)}); export it again with "
            "model.export"
        ) from problem
    name = _chosen(folder, signatures, signature)
    found = signatures[name]
    where = f"signature {name!r} of {folder}"
    if len(found.inputs) != 1 or len(found.outputs) != 1:
        raise ValueError(
            f"a classifier has one input and one output, {where} has {len(found.inputs)} and "
            f"{len(found.outputs)}; name another signature as {folder}:NAME, of "
            f"{', '.join(signatures)}"
        )
    if found.shape is None or None in found.shape[1:]:
        raise ValueError(
            f"{where} does not say the shape of its images, got {found.shape}; export it with "
            "an input signature of (None, height, width, channels)"
        )
    if found.shape[0] is not None:
        raise ValueError(
            f"{where} takes exactly {found.shape[0]} images at a time; export it with an input "
            "signature of (None, height, width, channels)"
        )
    if not found.input_dtype.startswith("float"):
        raise ValueError(
            f"{where} takes {found.input_dtype}, of which there are no gradients; export it with "
            "floating-point images"
        )
    images = keras.Input(found.shape[1:], name="images")
    program = SavedProgram(found, {"contents": _contents(folder), "signature": name})
    _check_runs(where, program, found.shape[1:])
    return keras.Model(images, program(images), name="saved_model")


def _chosen(folder: Path, signatures: Mapping[str, Any], name: str | None) -> str:
    known = ", ".join(signatures)
    if not signatures:
        raise ValueError(f"{folder} has no signatures; export it again with model.export")
    if name is not None:
        if name not in signatures:
            raise ValueError(f"{folder} has no signature {name!r}; it has {known}")
        return name
    if DEFAULT in signatures:
        return DEFAULT
    if len(signatures) > 1:
        raise ValueError(
            f"{folder} has several signatures, {known}; name one of them as {folder}:NAME"
        )
    return next(iter(signatures))


def _contents(folder: Path) -> str:
    """16 hexadecimal digits over the graph and the weights."""
    sha = hashlib.sha256()
    paths = [*folder.glob("saved_model.*"), *(folder / "variables").glob("*")]
    for path in sorted(path for path in paths if path.is_file()):
        sha.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(2**20):
                sha.update(block)
    return sha.hexdigest()[:16]


def _check_runs(where: str, program: SavedProgram, shape: tuple[int | None, ...]) -> None:
    """Run a program, and its gradient, on one gray image."""
    image = ops.full((1, *shape), 0.5, dtype="float32")
    try:
        program.call(image)
    except Exception as problem:  # TensorFlow has one for each thing that a program can lack
        raise ValueError(
            f"{where} cannot be run ({one_line(problem)}); export it again with model.export"
        ) from problem
    try:
        backend.value_and_grad(lambda x: ops.sum(program.call(x), axis=-1))(image)
    except Exception as problem:
        raise ValueError(
            f"{where} cannot be differentiated ({one_line(problem)}); export it without that step"
        ) from problem


def one_line(problem: BaseException) -> str:
    """What an error says, as one line of at most 300 characters."""
    if isinstance(problem, SystemExit):
        return f"it called sys.exit({problem.code!r})"
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text if len(text) <= 300 else text[:299] + "…"
