"""What a run's seed becomes: one for each example, and one for what the model itself draws."""

from typing import Any

import numpy as np

from robustnets.core.seeds import derive


def seed_of_model(seed: int, attack: Any, numbers: np.ndarray) -> int:
    """The seed of what the model itself draws: another one for each attack and part of a set."""
    return derive(seed, "model", repr(attack), int(numbers[0]))


def seeds_of_examples(seed: int, numbers: np.ndarray) -> np.ndarray:
    """int32 (N,): those of the examples with these numbers."""
    # a stream, so that example i draws the same whatever follows it
    stream = np.random.default_rng(derive(seed, "examples"))
    return stream.integers(0, 2**31, int(numbers.max()) + 1, dtype=np.int32)[numbers]
