"""Estimates with bounds, and the n behind them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import proportion_confint


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with bounds.

    Args:
        estimate: in the unit of the measurement (a rate is in [0, 1]).
        low: lower bound.
        high: upper bound.
        n: number of independent units behind it (examples, or training seeds).
        method: the name of the interval, such as "Wilson 95 %".
    """

    estimate: float
    low: float
    high: float
    n: int
    method: str


def check_level(level: float) -> None:
    """Refuse a level that is no coverage.

    Raises:
        ValueError: outside (0, 1).

    Example:
        >>> check_level(0.95)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")


def named(method: str, level: float) -> str:
    """The name of an interval: its method and its level.

    Example:
        >>> named("Wilson", 0.999)
        'Wilson 99.9%'
    """
    return f"{method} {100 * level:.4g}%"


def _proportion(successes: int, n: int, level: float, method: str, name: str) -> Interval:
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n with n >= 1, got {successes} of {n}")
    check_level(level)
    low, high = proportion_confint(successes, n, alpha=1 - level, method=method)
    return Interval(successes / n, float(low), float(high), n, named(name, level))


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for a rate.

    Its coverage is close to the level on average over p, not at every p: at n = 50 and
    p = 0.01 it is 91.1 % for a level of 95 %.

    Args:
        successes: count, 0 <= successes <= n.
        n: trials, >= 1.
        level: coverage in (0, 1).

    Raises:
        ValueError: for impossible counts or an impossible level.

    Source: Wilson 1927 (statsmodels computes it).

    Example:
        >>> i = wilson(15, 148)
        >>> round(i.low, 4), round(i.high, 4)
        (0.0624, 0.1605)
    """
    return _proportion(successes, n, level, "wilson", "Wilson")


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval for a rate: covers at least the level at every p, mostly more.

    Args and errors as for `wilson`.

    Source: Clopper & Pearson 1934 (statsmodels computes it).

    Example:
        >>> i = clopper_pearson(0, 100)
        >>> i.low, round(i.high, 4)
        (0.0, 0.0362)
    """
    return _proportion(successes, n, level, "beta", "Clopper-Pearson")


def rate(successes: int, n: int, level: float = 0.95) -> Interval:
    """Interval for a rate: Wilson, and Clopper-Pearson at 0/n and n/n.

    Args and errors as for `wilson`.

    Example:
        >>> i = rate(50, 100)
        >>> round(i.low, 3), round(i.high, 3)
        (0.404, 0.596)
    """
    return (clopper_pearson if successes in (0, n) else wilson)(successes, n, level)


def mean(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student's t interval for the mean of independent values, such as one per training seed.

    Args:
        values: float (n,), n >= 1; with n = 1 the bounds are infinite; a NaN makes all NaN.
        level: coverage in (0, 1).

    Raises:
        ValueError: for no values, an infinite one or an impossible level.

    Example:
        >>> i = mean([0.71, 0.74, 0.69, 0.73, 0.73])
        >>> round(i.low, 3), round(i.estimate, 3), round(i.high, 3)
        (0.695, 0.72, 0.745)
    """
    values = np.asarray(values, float)
    n = len(values)
    check_level(level)
    if np.isinf(values).any():
        raise ValueError(
            f"{int(np.isinf(values).sum())} of {n} values are infinite and have no mean; "
            "`median_distance` takes failed attacks as infinite"
        )
    if n == 0:
        raise ValueError("the mean of no values has no interval")
    centre = float(values.mean())
    half = math.inf
    if n > 1:
        half = float(stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Interval(centre, centre - half, centre + half, n, named("t", level))


def next_value(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Prediction interval for one more value from the same normal population.

    This is what a single reported training run is to be held against.

    Args:
        values: float (n,), n >= 1; with n = 1 the bounds are infinite.
        level: coverage in (0, 1).

    Returns:
        The lower and the upper bound.

    Raises:
        ValueError: as `mean` does.

    Example:
        >>> low, high = next_value([0.71, 0.74, 0.69, 0.73, 0.73])
        >>> round(low, 3), round(high, 3)
        (0.659, 0.781)
    """
    interval = mean(values, level)
    if interval.n == 1:
        return -math.inf, math.inf
    half = (interval.high - interval.estimate) * math.sqrt(interval.n + 1)
    return interval.estimate - half, interval.estimate + half
