"""Two rates measured on different examples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from robustnets.stats.intervals import Interval, check_level, named


@dataclass(frozen=True, slots=True)
class IndependentRates:
    """The difference of two rates measured on different examples.

    Args:
        difference: rate of the first minus rate of the second, with Newcombe's interval; its
            n is that of the smaller sample.
        p: Fisher's exact p-value, two-sided; never too small, and conservative.
    """

    difference: Interval
    p: float


def newcombe(
    first: ArrayLike, n_first: int, second: ArrayLike, n_second: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds for the difference of two independent rates, from counts that broadcast.

    Args:
        first: int (...), successes of the first sample.
        n_first: its size, >= 1.
        second: int (...), successes of the second sample.
        n_second: its size, >= 1.
        level: coverage in (0, 1).

    Returns:
        Lower and upper bounds, float64 (...), within [-1, 1].

    Raises:
        ValueError: for impossible counts or an impossible level.

    Source: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I,
    method 10, from two Wilson intervals (statsmodels computes it).

    Example:
        >>> low, high = newcombe(56, 70, 48, 80)
        >>> round(float(low), 4), round(float(high), 4)
        (0.0524, 0.3339)
    """
    check_level(level)
    counts = ((np.asarray(first), n_first), (np.asarray(second), n_second))
    for successes, n in counts:
        if n < 1 or (successes < 0).any() or (successes > n).any():
            raise ValueError(f"successes must lie in 0..n with n >= 1, got {successes} of {n}")
    (first, _), (second, _) = counts
    low, high = confint_proportions_2indep(
        first, n_first, second, n_second, method="newcomb", compare="diff", alpha=1 - level
    )
    return np.asarray(low), np.asarray(high)


def independent_rates(
    first: int, n_first: int, second: int, n_second: int, level: float = 0.95
) -> IndependentRates:
    """Compare two rates on different examples; on the same ones `paired_rates` sees far more.

    Args and errors as for `newcombe`, counts being single integers.

    Example:
        >>> pair = independent_rates(56, 70, 48, 80)
        >>> round(pair.difference.estimate, 2), round(pair.p, 4)
        (0.2, 0.0125)
    """
    low, high = newcombe(first, n_first, second, n_second, level)
    interval = Interval(
        first / n_first - second / n_second,
        float(low),
        float(high),
        min(n_first, n_second),
        named("Newcombe", level),
    )
    table = [[first, n_first - first], [second, n_second - second]]
    return IndependentRates(interval, float(stats.fisher_exact(table).pvalue))
