"""The rates that Records are compared by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robustnets.core.record import Record

BETTER = ("higher", "lower")


@dataclass(frozen=True, slots=True)
class Measure:
    """A rate that Records are compared by.

    Args:
        name: what a reader sees, such as "clean accuracy".
        outcomes: Record -> bool (N,), on which examples the event happened.
        counted: Record -> bool (N,), the examples that the rate is over.
        better: "higher" or "lower", what the defender wishes.

    Raises:
        ValueError: for another `better`.
    """

    name: str
    outcomes: Callable[[Record], np.ndarray]
    counted: Callable[[Record], np.ndarray]
    better: str = "higher"

    def __post_init__(self) -> None:
        if self.better not in BETTER:
            raise ValueError(f"better must be one of {', '.join(BETTER)}, got {self.better!r}")


def _all(record: Record) -> np.ndarray:
    return np.ones(len(record.label), bool)


def clean_accuracy() -> Measure:
    """Share of all examples that are classified rightly without an attack.

    Example:
        >>> clean_accuracy().better
        'higher'
    """
    return Measure("clean accuracy", lambda r: r.correct, _all)


def robust_accuracy(eps: float) -> Measure:
    """Share of all examples that are right before and after the attack at a radius.

    Example:
        >>> robust_accuracy(8 / 255).name
        'robust accuracy at eps 0.03137'
    """
    return Measure(f"robust accuracy at eps {eps:.4g}", lambda r: r.robust[r.at(eps)], _all)


def attack_success(eps: float) -> Measure:
    """Share of the rightly classified examples that the attack turns wrong at a radius.

    Two networks get different examples right, so that their success can be compared over
    training seeds, not example by example; two attacks on one network can.

    Example:
        >>> attack_success(0.1).better
        'lower'
    """
    return Measure(
        f"attack success at eps {eps:.4g}",
        lambda r: r.fooled[r.at(eps)],
        lambda r: r.correct,
        better="lower",
    )
