"""Timing side by side: A B A B …, so that a machine that drifts drifts for both."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """What repetitions gave; a table shows it as "0.31 [0.29, 0.35]".

    Args:
        estimate: their median.
        low: the smallest.
        high: the largest.
        n: how many.
    """

    estimate: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one value."""
        return cls(median(values), min(values), max(values), len(values))


def interleaved(
    sides: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_ups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[float]]:
    """Time each side once per round, in turn.

    Args:
        sides: what to time, by name; each returns when its work is done.
        rounds: timed calls of each side, >= 1.
        warm_ups: untimed rounds before them, which compile.
        clock: seconds, from any start.
        progress: called with (rounds done, rounds) after each timed round.

    Returns:
        Seconds by name, in the order of the rounds.

    Raises:
        ValueError: for no sides or no rounds.
    """
    if not sides or rounds < 1 or warm_ups < 0:
        raise ValueError(
            f"need sides, rounds >= 1 and warm_ups >= 0, got {len(sides)}, {rounds}, {warm_ups}"
        )
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for done in range(-warm_ups, rounds):
        for name, call in sides.items():
            started = clock()
            call()
            took = clock() - started
            if done >= 0:
                seconds[name].append(took)
        if done >= 0 and progress is not None:
            progress(done + 1, rounds)
    return seconds


def ratio(first: Sequence[float], second: Sequence[float]) -> Spread:
    """How many times the first takes what the second takes, round by round.

    Raises:
        ValueError: if they were not, or a time of the second is not positive.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"need two equal rows of seconds, got {len(first)} and {len(second)}")
    if min(second) <= 0:
        raise ValueError(f"seconds must be > 0 to be divided by, got {min(second)}")
    return Spread.of([a / b for a, b in zip(first, second)])
