"""Estimates with bounds, and the n behind them."""

import math
from dataclasses import dataclass

import numpy as np
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


def rate(successes: int, n: int, level: float = 0.95) -> Interval:
    """Interval for a rate: Wilson, and Clopper-Pearson at 0/n and n/n.

    Args:
        successes: count, 0 <= successes <= n.
        n: trials, >= 1.
        level: coverage in (0, 1).

    Raises:
        ValueError: for impossible counts or an impossible level.

    Source: Wilson 1927; Clopper & Pearson 1934 (statsmodels computes both).

    Example:
        >>> i = rate(50, 100)
        >>> round(i.low, 3), round(i.high, 3)
        (0.404, 0.596)
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n with n >= 1, got {successes} of {n}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")
    exact = successes in (0, n)
    low, high = proportion_confint(
        successes, n, alpha=1 - level, method="beta" if exact else "wilson"
    )
    name = "Clopper-Pearson" if exact else "Wilson"
    return Interval(successes / n, float(low), float(high), n, f"{name} {level:.0%}")


def mean(values: np.ndarray, level: float = 0.95) -> Interval:
    """Student's t interval for the mean of independent values, such as one per training seed.

    Args:
        values: float (n,), n >= 1; with n = 1 the bounds are infinite.
    """
    values = np.asarray(values, float)
    n = len(values)
    if n == 0:
        raise ValueError("the mean of no values has no interval")
    centre = float(values.mean())
    half = math.inf
    if n > 1:
        half = float(stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Interval(centre, centre - half, centre + half, n, f"t {level:.0%}")


def next_value(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Prediction interval for one more value from the same normal population.

    This is what a single reported training run is to be held against.

    Args:
        values: float (n,), n >= 1; with n = 1 the bounds are infinite.
    """
    interval = mean(values, level)
    if interval.n == 1:
        return -math.inf, math.inf
    half = (interval.high - interval.estimate) * math.sqrt(interval.n + 1)
    return interval.estimate - half, interval.estimate + half
