"""One line of the sanity block, and what counts as more than noise."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVELS = ("PASS", "WARN", "FAIL")
FEW, SHARE = 2, 0.02  # so many examples, and such a share of them, may be chance
SIGNIFICANT = 0.05  # one-sided p of the sign test


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and what came of it.

    Args:
        name: of the check.
        level: "PASS"; "WARN" where something is to be known beside the number, or could not be
            checked; "FAIL" where the robust accuracy is an upper bound only.
        number: what was found, in words and figures.
        remedy: what to do about it, or "" after a pass.
        against: how many examples speak against the number, or None where it is not a matter of
            examples.
        of: how many were looked at, or None.

    Raises:
        ValueError: for another level.
    """

    name: str
    level: str
    number: str
    remedy: str = ""
    against: int | None = None
    of: int | None = None

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {self.level!r}")


class Finding(NamedTuple):
    """A `Check` without its name."""

    level: str
    number: str
    remedy: str
    against: int | None = None
    of: int | None = None


class Unchecked(Exception):
    """A check that cannot be made.

    Args:
        why: what is in the way.
        remedy: what would make the check possible.
    """

    def __init__(self, why: str, remedy: str):
        super().__init__(why)
        self.remedy = remedy


def headline_holds(checks: Iterable[Check]) -> bool:
    """Whether a robust accuracy may be printed as such; otherwise it is "upper bound only".

    Example:
        >>> headline_holds([Check("a", "PASS", "0"), Check("b", "WARN", "1", "look")])
        True
        >>> headline_holds([Check("a", "FAIL", "9", "stop")])
        False
    """
    return all(check.level != "FAIL" for check in checks)


def graded(
    level: str, number: str, remedy: str, against: int | None = None, of: int | None = None
) -> Finding:
    """A finding; one that passed needs no remedy. `against` and `of` are those of a `Check`."""
    return Finding(level, number, "" if level == "PASS" else remedy, against, of)


def allowed(n: int) -> float:
    """How many of n examples may differ by chance: 2, or 2 % where that is more.

    Example:
        >>> allowed(64), allowed(500)
        (2, 10.0)
    """
    return max(FEW, SHARE * n)


def level_of_count(count: int, n: int) -> str:
    """FAIL beyond what is `allowed`, WARN for any, PASS for none."""
    return "FAIL" if count > allowed(n) else "WARN" if count else "PASS"


def level_of_pair(strong: np.ndarray, weak: np.ndarray) -> str:
    """Whether what should be strong is at least as strong as what should be weak.

    Args:
        strong: bool (n,), the examples that it broke.
        weak: bool (n,), the same examples.

    Returns:
        PASS if `weak` broke no more than `allowed(n)` examples above `strong`; otherwise FAIL
        if the one-sided sign test on the examples that only one of them broke gives p < 0.05
        (such as 5 to 0), else WARN.

    Example:
        >>> none = np.zeros(64, bool)
        >>> [level_of_pair(none, np.arange(64) < k) for k in (2, 4, 5)]
        ['PASS', 'WARN', 'FAIL']
    """
    only_weak, only_strong = int((weak & ~strong).sum()), int((strong & ~weak).sum())
    if only_weak - only_strong <= allowed(len(strong)):
        return "PASS"
    test = stats.binomtest(only_weak, only_weak + only_strong, 0.5, alternative="greater")
    return "FAIL" if test.pvalue < SIGNIFICANT else "WARN"
