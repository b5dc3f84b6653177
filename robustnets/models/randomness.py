"""Whether a model draws at random when it predicts, from what, and how its draws are seeded."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from robustnets import backend
from robustnets.core.seeds import derive

SAME = 1e-5  # largest difference of normalised outputs between passes that draw nothing
ROWS = 2  # images that are looked at


@dataclass(frozen=True, eq=False, slots=True)
class Randomness:
    """What changes from one pass of a model at inference to the next.

    Args:
        states: Keras variables that a pass writes, such as the states of random generators.
        unseeded: passes differ that begin at the same states, because something else draws.
    """

    states: tuple[keras.Variable, ...] = ()
    unseeded: bool = False

    def __bool__(self) -> bool:
        """Whether two passes may differ."""
        return bool(self.states) or self.unseeded

    @contextlib.contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Within, random generators begin at a seed; afterwards all states are as they were.

        Args:
            seed: the same seed, the same draws, but for those of `unseeded`.
        """
        before = [ops.convert_to_numpy(state) for state in self.states]
        for number, state in enumerate(self.states):
            if state.name == "seed_generator_state" and tuple(state.shape) == (2,):
                # a seed and a counter, as keras.random.SeedGenerator has them
                state.assign(np.array([derive(seed, "generator", number), 0], state.dtype))
        try:
            yield
        finally:
            for state, value in zip(self.states, before):
                state.assign(value)


def differ(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether results (N, ...) are further apart than rounding, relative to their size."""
    one, two = (a.reshape(len(a), -1).astype(np.float64) for a in (one, two))
    size = np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12)
    return bool((np.abs(one - two) > SAME * size).any())


def randomness_of(model: keras.Model) -> Randomness:
    """Look at passes of a model at inference; nothing of it changes.

    Args:
        model: functional, one input (N, ...) of floating-point numbers.

    Raises:
        ValueError: where compiling would freeze the draws: those of NumPy, of Python, or on JAX
            those of keras.random without a seed. It names the layer and the remedy.
    """
    try:
        states, chance = _look(model)
    except Exception as error:
        if "[JAX RNG]" in str(error):
            raise ValueError(_without_seed(model, error)) from error
        if backend.is_untraceable(error):
            return Randomness()  # it cannot be compiled, which those who compile it say
        raise
    if chance == "frozen":
        layer = _first(model, lambda part: _look(part)[1] == "frozen")
        raise ValueError(
            f"{layer} draws at random when it predicts, by NumPy or Python, and compiling would "
            "freeze its draws, which would look like robustness: let it draw by keras.random "
            "with seed=self.seed_generator, a keras.random.SeedGenerator"
        )
    return Randomness(tuple(states), chance == "fresh")


def _look(model: keras.Model) -> tuple[list[keras.Variable], str]:
    images = model.inputs[0]
    shape = (ROWS, *images.shape[1:])
    x = np.random.default_rng(0).uniform(0, 1, shape)
    tensor = ops.convert_to_tensor(x, keras.backend.standardize_dtype(images.dtype))
    return backend.states_and_chance(lambda x: model(x, training=False), tensor, differ)


def _without_seed(model: keras.Model, error: BaseException) -> str:
    def fails(part: keras.Model) -> bool:
        try:
            _look(part)
        except Exception as problem:
            return "[JAX RNG]" in str(problem)
        return False

    return (
        f"{_first(model, fails)} draws by keras.random without a seed, which JAX cannot compile: "
        "give it seed=self.seed_generator, a keras.random.SeedGenerator, or set "
        "KERAS_BACKEND=tensorflow"
    )


def _first(model: keras.Model, guilty: Callable[[keras.Model], Any]) -> str:
    """In words, the first layer up to whose output a model is guilty."""
    for layer in model.layers:
        output = None if isinstance(layer, keras.layers.InputLayer) else layer.output
        if isinstance(output, keras.KerasTensor) and guilty(keras.Model(model.inputs, output)):
            return f"layer {layer.name} of {model.name}"
    return model.name
