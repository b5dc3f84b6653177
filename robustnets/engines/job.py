"""What `engines.run` hands to an engine, and what it gets back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from robustnets.attacks.base import Attack
from robustnets.models.classifier import Classifier


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """Some of N checked examples, to be attacked.

    Args:
        attack: the spec.
        classifier: the victim.
        x: float32 (N, H, W, C), the engine's own: it may write results over what is attacked.
        y: int64 (N,).
        seeds: int32 (N,), one per example.
        rows: int (M,), the numbers of those to attack.
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
    rows: np.ndarray
    seed: int
    batch_size: int
    progress: Callable[[int], None]
    deadline: float | None = None
    query_budget: int | None = None

    def alone(self) -> "Job":
        """The same without the examples that are not to be attacked; M of M."""
        x, y, seeds = self.x[self.rows], self.y[self.rows], self.seeds[self.rows]
        return replace(self, x=x, y=y, seeds=seeds, rows=np.arange(len(self.rows)))


class Outcome(NamedTuple):
    """What became of the examples of a Job; those that it did not attack are as they were.

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
