"""A trained Keras model seen through its logits."""

import contextlib
import functools
import hashlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from robustnets import backend
from robustnets.models.functional import as_functional
from robustnets.models.logits import gives_one_value, with_two_logits, without_head
from robustnets.models.randomness import Randomness, randomness_of
from robustnets.models.saved_model import SavedProgram


class Classifier:
    """Wraps a Keras model that ends in logits; never changes it.

    A model that ends in a softmax, or in a sigmoid of each output, as a layer or as the
    activation of its last layer, is seen through the logits that go into it: `model` is then
    another one, with a copy of the last layer's weights where they had an activation taken
    off, and a warning says so. So is a model that averages the softmaxes of several, through the
    logarithm of that average, and one of a single output z, before or after its sigmoid, through
    the logits (0, z) of two classes.

    Args:
        model: built, one input (N, H, W, C), one output (N, K); functional, sequential or
            subclassed. K = 1, or an output (N,), stands for two classes.
        precision: dtype of the logits, "float32" whatever the model computes in, or "float64" for
            a model that computes in that.

    Raises:
        ValueError: for several inputs or outputs, inputs that are not images of one shape and
            a floating-point dtype, outputs that are not (N, K), or a softmax of one value.
    """

    def __init__(self, model: keras.Model, precision: str = "float32"):
        if precision not in ("float32", "float64"):
            raise ValueError(f"precision must be float32 or float64, got {precision!r}")
        model = as_functional(model)
        _check(model)
        bare, head = without_head(model)
        single = gives_one_value(bare)
        if single and head is not None and head.startswith("softmax"):
            raise ValueError(
                f"{model.name} ends in a {head} of one value, which is always 1; train it with a "
                "sigmoid instead, or with a softmax of two"
            )
        if head is not None or single:
            warnings.warn(_seen_through(model.name, head, single), stacklevel=2)
        self.model = with_two_logits(bare) if single else bare
        self.precision = precision
        self.graph_only = False  # set once XLA has refused a layer
        self._compiled: dict[Any, Callable] = {}

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W, C) of one input."""
        return tuple(self.model.inputs[0].shape[1:])

    @property
    def classes(self) -> int:
        """Number of logits K."""
        return self.model.outputs[0].shape[-1]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over the architecture and every weight.

        What passes of a model that draws at random change is left out.
        """
        sha = hashlib.sha256(self.model.to_json().encode())
        moving = {id(state) for state in self.randomness.states}
        for variable in self.model.variables:
            if id(variable) in moving:
                continue
            sha.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).data)
        return sha.hexdigest()[:16]

    def logits(self, x):
        """Tensor (N, H, W, C) -> tensor (N, K) in `precision`; traceable, inference mode.

        Raises:
            ValueError: on JAX for a model that draws at random, where something else than
                `compiled` traces it, which would freeze the draws.
        """
        with backend.never_frozen(x):
            return keras.ops.cast(self.model(x, training=False), self.precision)

    def probabilities(self, x):
        """Tensor (N, H, W, C) -> tensor (N, K), rows sum to 1."""
        return keras.ops.softmax(self.logits(x), axis=-1)

    @functools.cached_property
    def randomness(self) -> Randomness:
        """Whether the model draws at random when it predicts, and from what.

        Raises:
            ValueError: for a model whose draws are frozen as soon as it is compiled.
        """
        return randomness_of(self.model)

    @contextlib.contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Within, the model's random generators begin at a seed; afterwards where they were.

        Args:
            seed: the same seed, the same draws.

        Raises:
            ValueError: as for `randomness`.
        """
        with self.randomness.seeded(seed):
            yield

    def compiled(
        self, key: Any, function: Callable, xla: bool = False, any_batch: bool = False
    ) -> Callable:
        """Compile a function of this model once and keep it under a hashable key.

        Arguments as for `backend.compiled`.

        On TensorFlow it becomes a plain graph unless told otherwise: for a single pass XLA
        is no faster on dense layers, slower on convolutions, and takes several times longer
        to compile.
        """
        kept = (key, xla, any_batch)
        if kept not in self._compiled:
            self._compiled[kept] = backend.compiled(function, xla, any_batch)
        return self._compiled[kept]

    def predict(self, x: np.ndarray, batch_size: int = 1000) -> np.ndarray:
        """Logits of all examples.

        Args:
            x: float32 (N, H, W, C).
            batch_size: the one shape that is compiled, or fewer where there are fewer
                examples; a last, smaller batch is padded.

        Returns:
            (N, K), in `precision`.

        Raises:
            TypeError: for a model that cannot be compiled, because it looks at values.
        """
        try:
            return run_in_batches(self.compiled("logits", self.logits), x, batch_size)
        except Exception as error:
            if not backend.is_untraceable(error):
                raise
            raise TypeError(
                f"{self.model.name} cannot be compiled, because one of its layers looks at the "
                "values of a tensor; write that layer with keras.ops (ops.where, ops.cond) "
                "instead of Python's if, NumPy or .numpy()"
            ) from error


def _check(model: keras.Model) -> None:
    """Raise ValueError unless a functional model takes images and gives logits."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"a classifier has one input and one output, {model.name} has "
            f"{len(model.inputs)} and {len(model.outputs)}; make a keras.Model of the one input "
            "and the one output that matter"
        )
    images, shape = model.inputs[0], tuple(model.inputs[0].shape)
    if len(shape) != 4:
        raise ValueError(
            f"a classifier takes images (N, H, W, C), {model.name} takes {shape}; put a Reshape "
            "layer in front of it"
        )
    if None in shape[1:]:
        raise ValueError(
            f"a classifier takes images of one shape, {model.name} takes {shape}; "
            "take keras.Model(x, model(x)) with x = keras.Input((height, width, channels)) instead"
        )
    if "float" not in keras.backend.standardize_dtype(images.dtype):
        raise ValueError(
            f"a classifier takes floating-point images in [0, 1], {model.name} takes "
            f"{images.dtype}, of which there are no gradients; put Rescaling(255) in front of "
            "what follows its input"
        )
    logits = tuple(model.outputs[0].shape)
    if not gives_one_value(model) and (len(logits) != 2 or logits[1] in (None, 0)):
        raise ValueError(f"logits must be (N, K), {model.name} gives {logits}; flatten them")


def _seen_through(name: str, head: str | None, single: bool) -> str:
    """What is said of a model that is not used as it is."""
    classes = "of its classes 0 and 1; it predicts 1 where z > 0"
    if head is None:
        return f"{name} gives one value z; it is used through the logits (0, z) {classes}"
    if single:
        return (
            f"{name} ends in a {head} of one value; it is used through the logits (0, z) {classes}"
            + (", the log odds of that mean" if head.startswith("mean") else "")
        )
    values = "the logarithm of that" if head.startswith("mean") else "the values before that"
    return f"{name} ends in a {head}; it is used through its logits, {values}"


def run_in_batches(function: Callable, x: np.ndarray, batch_size: int = 1000) -> np.ndarray:
    """Apply a compiled function to all examples, `batch_size` at a time.

    Args:
        function: tensor (B, ...) -> tensor (B, ...), row by row.
        x: float32 (N, ...).
    """
    batch_size = min(batch_size, len(x))
    out = [
        keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(padded)))[:n]
        for padded, n in batches(x, batch_size)
    ]
    return np.concatenate(out)


def has_convolutions(model: keras.Model) -> bool:
    """Whether any layer convolves: on CPU such models run faster as a plain graph than in XLA.

    A SavedModel, which shows no layers, is taken for one that does.
    """
    return any(
        "conv" in type(layer).__name__.lower() or isinstance(layer, SavedProgram)
        for layer in model._flatten_layers()
    )


def draws_in_training(model: keras.Model) -> bool:
    """Whether any layer draws at random while it is trained, as dropout does.

    XLA draws slowly on a CPU: an epoch of FC-625-625-10 with dropout takes 8 times as long as in
    a plain graph, and without it as long.
    """
    return any(
        isinstance(getattr(layer, "seed_generator", None), keras.random.SeedGenerator)
        for layer in model._flatten_layers()
    )


def batches(x: np.ndarray, batch_size: int):
    """Yield (batch of exactly `batch_size` rows, how many of them are real).

    The last batch repeats its last row as padding.
    """
    for start in range(0, len(x), batch_size):
        part = x[start : start + batch_size]
        n = len(part)
        if n < batch_size:
            part = np.concatenate([part, np.repeat(part[-1:], batch_size - n, axis=0)])
        yield part, n
