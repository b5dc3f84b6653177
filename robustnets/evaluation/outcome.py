"""What attacks left of N examples: who broke which, at what price."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ROBUST, WRONG = -1, -2  # instead of the number of the attack that broke an example


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """One attack of an ensemble, as it went.

    Args:
        attack: its spec.
        attacked: examples that it was run on, those that stood until then.
        broke: how many of them it broke.
        forward: passes summed over examples.
        backward: the same.
        seconds: wall clock.
        finished: False where a budget ended it, or left it out altogether.
        warm: passes, a backward one counted as two, and seconds of all but the first of its
            pieces, in which it is compiled; zeros where it had one piece.
    """

    attack: Any
    attacked: int = 0
    broke: int = 0
    forward: int = 0
    backward: int = 0
    seconds: float = 0.0
    finished: bool = False
    warm: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False, slots=True)
class WorstCase:
    """What is left of N examples after all attacks.

    Args:
        x: float32 (N, H, W, C), adversarial where an attack broke it, else the clean example.
        y: int64 (N,), true labels.
        broken_by: int32 (N,), the number of the attack, `ROBUST` or `WRONG` (as it stood).
        forward: int64 (N,), forward passes spent on each example by all attacks.
        backward: int64 (N,), backward passes.
        parts: the attacks.
        clean: float32 (N, H, W, C), what was attacked.
        evaluations: how many fresh evaluations decide on a success.
        needed: how many of them must be wrong.
    """

    x: np.ndarray
    y: np.ndarray
    broken_by: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    parts: tuple[Part, ...]
    clean: np.ndarray
    evaluations: int = 1
    needed: int = 1

    @property
    def right(self) -> np.ndarray:
        """bool (N,): right as it stands."""
        return self.broken_by != WRONG

    @property
    def robust(self) -> np.ndarray:
        """bool (N,): right as it stands and broken by no attack."""
        return self.broken_by == ROBUST

    @property
    def accuracy(self) -> float:
        """Share of all examples that are right as they stand."""
        return float(self.right.mean())

    @property
    def robust_accuracy(self) -> float:
        """Share of all examples that no attack broke, those already wrong counted as broken."""
        return float(self.robust.mean())

    @property
    def finished(self) -> bool:
        """Whether every attack was run on all that stood; otherwise this is an upper bound."""
        return all(part.finished for part in self.parts)


@dataclass(frozen=True, slots=True)
class Standing:
    """A moment of a run, for a progress line.

    Args:
        attack: which one is at work, by name.
        number: its place, from 0.
        of: how many attacks there are.
        done: examples that it is done with.
        examples: that it has to do.
        robust: examples that still stand.
        seconds: since the run began.
        left: estimated seconds until this attack is done, or None.
    """

    attack: str
    number: int
    of: int
    done: int
    examples: int
    robust: int
    seconds: float
    left: float | None


def combined(cases: Sequence[WorstCase]) -> WorstCase:
    """The worst of several results on the same examples and the same model, one after another.

    An example counts for the first result that broke it; what was already wrong in one
    of them is wrong, which can differ for a model that draws at random.

    Args:
        cases: at least one, their attacks counted through.

    Raises:
        ValueError: for none, or results on different examples.
    """
    if not cases:
        raise ValueError("there is no result to combine: pass at least one")
    first = cases[0]
    if any(c.clean.shape != first.clean.shape or (c.y != first.y).any() for c in cases):
        raise ValueError("results are combined example by example: they need the same examples")
    x, broken = first.x.copy(), first.broken_by.copy()
    offset = len(first.parts)
    for case in cases[1:]:
        taken = (broken == ROBUST) & (case.broken_by >= 0)
        broken[taken] = case.broken_by[taken] + offset
        x[taken] = case.x[taken]
        wrong = (broken != WRONG) & (case.broken_by == WRONG)
        broken[wrong] = WRONG
        x[wrong] = first.clean[wrong]
        offset += len(case.parts)
    return WorstCase(
        x,
        first.y,
        broken,
        sum((c.forward for c in cases[1:]), first.forward),
        sum((c.backward for c in cases[1:]), first.backward),
        tuple(part for c in cases for part in c.parts),
        first.clean,
        first.evaluations,
        first.needed,
    )
