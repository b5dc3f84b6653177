"""Two networks, or two attacks, on the same examples or the same training seeds."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from robustnets.stats.intervals import Interval, mean


@dataclass(frozen=True, slots=True)
class PairedRates:
    """The difference of two rates measured on the same examples.

    Args:
        difference: rate of the first minus rate of the second, with its interval.
        only_first: examples on which only the first succeeded.
        only_second: examples on which only the second succeeded.
        p: exact McNemar p-value, two-sided.
    """

    difference: Interval
    only_first: int
    only_second: int
    p: float


def paired_rates(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> PairedRates:
    """Compare two rates on the same examples.

    Args:
        first: bool (N,).
        second: bool (N,), the same examples in the same order.
        level: coverage in (0, 1).

    Raises:
        ValueError: if the shapes differ or there are no examples.

    Source: exact McNemar test (scipy's binomial test on the discordant pairs);
    interval of Bonett & Price 2012, doi:10.3102/1076998611411915, adjusted Wald.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"need two equal rows of outcomes, got {first.shape} and {second.shape}")
    n = len(first)
    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    z = stats.norm.ppf((1 + level) / 2)
    p1, p2 = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = z * np.sqrt((p1 + p2 - (p1 - p2) ** 2) / (n + 2))
    interval = Interval(
        (b - c) / n,
        float(max(-1.0, p1 - p2 - half)),
        float(min(1.0, p1 - p2 + half)),
        n,
        f"Bonett-Price {level:.0%}",
    )
    p = float(stats.binomtest(b, b + c).pvalue) if b + c else 1.0
    return PairedRates(interval, b, c, p)


@dataclass(frozen=True, slots=True)
class PairedMeans:
    """The mean difference over pairs of training runs that share a seed.

    Args:
        difference: mean of first minus second, Student's t interval, n = seeds.
        p: paired t test, two-sided; 1.0 where every difference is zero.
    """

    difference: Interval
    p: float


def paired_means(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> PairedMeans:
    """Compare two methods over the same training seeds, the seed being the unit.

    Args:
        first: float (S,), one value per seed.
        second: float (S,), the same seeds in the same order.

    Raises:
        ValueError: if the shapes differ.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"need two equal rows of values, got {first.shape} and {second.shape}")
    difference = first - second
    interval = mean(difference, level)
    if len(first) < 2:
        return PairedMeans(interval, 1.0)
    if np.ptp(difference) == 0:
        # the t statistic is 0/0 or infinite; a constant non-zero shift is as certain as it gets
        return PairedMeans(interval, 1.0 if difference[0] == 0 else 0.0)
    return PairedMeans(interval, float(stats.ttest_rel(first, second).pvalue))
