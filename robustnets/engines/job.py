"""What `engines.run` hands to an engine, and what it gets back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from robustnets.attacks.base import Attack
from robustnets.models.classifier import Classifier


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """N checked examples to attack.

    Args:
        attack: the spec.
        classifier: the victim.
        x: float32 (N, H, W, C).
        y: int64 (N,).
        seeds: int32 (N,), one per example.
        seed: for a library that has one seed for everything.
        batch_size: rows of every batch, the last one padded; may exceed N.
        progress: called with the number of examples done.
        deadline: reading of `time.perf_counter` after which no new work starts, or None.
        query_budget: most forward passes for each example, or None.
    """

    attack: Any
    classifier: Classifier
    x: np.ndarray
    y: np.ndarray
    seeds: np.ndarray
    seed: int
    batch_size: int
    progress: Callable[[int], None]
    deadline: float | None = None
    query_budget: int | None = None

    def of(self, rows: np.ndarray, progress: Callable[[int], None]) -> "Job":
        """The same for some of the examples, int (M,)."""
        return replace(
            self, x=self.x[rows], y=self.y[rows], seeds=self.seeds[rows], progress=progress
        )


class Outcome(NamedTuple):
    """What became of the examples of a Job.

    `x`, float32 (N, H, W, C), has rows of NaN where the model's numbers are not finite;
    `forward` and `backward`, int32 (N,), are the passes spent on each example.
    """

    x: np.ndarray
    forward: np.ndarray
    backward: np.ndarray


def fixed_cost(attack: Attack, x: np.ndarray) -> Outcome:
    """The outcome of an attack that costs every example the same passes."""
    forward, backward = attack.passes  # type: ignore[attr-defined]
    n = len(x)
    return Outcome(x, np.full(n, forward, np.int32), np.full(n, backward, np.int32))
