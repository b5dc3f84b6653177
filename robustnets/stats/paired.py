"""Two networks, or two attacks, on the same examples or the same training seeds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from robustnets.stats.intervals import Interval, check_level, mean, named


@dataclass(frozen=True, slots=True)
class PairedRates:
    """The difference of two rates measured on the same examples.

    Args:
        difference: rate of the first minus rate of the second, with its interval.
        only_first: examples on which only the first succeeded.
        only_second: examples on which only the second succeeded.
        p: exact McNemar p-value, two-sided; never too small.
        mid_p: McNemar mid-p, two-sided: less conservative, and no guarantee.
    """

    difference: Interval
    only_first: int
    only_second: int
    p: float
    mid_p: float


def mcnemar(only_first: int, only_second: int) -> tuple[float, float]:
    """McNemar's test of two rates on the same examples, exact and mid-p.

    Args:
        only_first: examples on which only the first succeeded, >= 0.
        only_second: examples on which only the second succeeded, >= 0.

    Returns:
        The exact two-sided p-value (binomial test of the discordant pairs) and the mid-p
        value, which counts outcomes as likely as the observed one by half. Both are 1.0
        where nothing is discordant.

    Raises:
        ValueError: for a negative count.

    Source: McNemar 1947; mid-p: Fagerland, Lydersen & Laake 2013,
    doi:10.1186/1471-2288-13-91 (scipy computes the binomial).

    Example:
        >>> exact, mid = mcnemar(1, 7)
        >>> round(exact, 4), round(mid, 4)
        (0.0703, 0.0391)
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"counts must be >= 0, got {only_first} and {only_second}")
    discordant = only_first + only_second
    if not discordant:
        return 1.0, 1.0
    exact = float(stats.binomtest(only_first, discordant).pvalue)
    likely = float(stats.binom.pmf(only_first, discordant, 0.5))
    # the mirrored outcome is as likely, and is another one unless the two counts are equal
    return exact, exact - likely * (0.5 if only_first == only_second else 1.0)


def shrunk_difference(
    only_first: ArrayLike, only_second: ArrayLike, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Bonett and Price's estimate of a paired difference of rates, and its standard error.

    One success is added to each kind of discordant pair. Counts broadcast.

    Example:
        >>> estimate, error = shrunk_difference(26, 4, 48)
        >>> round(float(estimate), 2), round(float(error), 6)
        (0.44, 0.094488)
    """
    p1, p2 = (np.asarray(only_first) + 1) / (n + 2), (np.asarray(only_second) + 1) / (n + 2)
    return p1 - p2, np.sqrt((p1 + p2 - (p1 - p2) ** 2) / (n + 2))


def bonett_price(
    only_first: ArrayLike, only_second: ArrayLike, n: int, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds for the difference of two rates on the same examples, from counts that broadcast.

    Args:
        only_first: int (...), examples on which only the first succeeded.
        only_second: int (...), examples on which only the second succeeded.
        n: examples, >= 1.
        level: coverage in (0, 1).

    Returns:
        Lower and upper bounds, float64 (...), within [-1, 1].

    Raises:
        ValueError: for impossible counts or an impossible level.

    Source: Bonett & Price 2012, doi:10.3102/1076998611411915, adjusted Wald.

    Example:
        >>> low, high = bonett_price(26, 4, 48)
        >>> round(float(low), 4), round(float(high), 4)
        (0.2548, 0.6252)
    """
    check_level(level)
    b, c = np.asarray(only_first), np.asarray(only_second)
    if n < 1 or (b < 0).any() or (c < 0).any() or (b + c > n).any():
        raise ValueError(f"discordant counts must be >= 0 with a sum <= n, got {b}, {c} of {n}")
    estimate, error = shrunk_difference(b, c, n)
    half = stats.norm.ppf((1 + level) / 2) * error
    return np.maximum(estimate - half, -1.0), np.minimum(estimate + half, 1.0)


def discordant(first: ArrayLike, second: ArrayLike) -> tuple[int, int, int]:
    """Count the examples on which two rows of outcomes disagree.

    Args:
        first: bool (N,).
        second: bool (N,), the same examples in the same order.

    Returns:
        Examples on which only the first succeeded, only the second, and N.

    Raises:
        ValueError: if the shapes differ or there are no examples.

    Example:
        >>> discordant([True, True, False], [True, False, False])
        (1, 0, 3)
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"need two equal rows of outcomes, got {first.shape} and {second.shape}")
    return int((first & ~second).sum()), int((second & ~first).sum()), len(first)


def paired_rates(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedRates:
    """Compare two rates on the same examples.

    Args:
        first: bool (N,).
        second: bool (N,), the same examples in the same order.
        level: coverage in (0, 1).

    Raises:
        ValueError: if the shapes differ, there are no examples or the level is impossible.

    Source: `mcnemar` and `bonett_price`.

    Example:
        >>> pair = paired_rates([True] * 8 + [False] * 2, [True] * 4 + [False] * 6)
        >>> pair.only_first, pair.only_second, pair.p, pair.mid_p
        (4, 0, 0.125, 0.0625)
    """
    b, c, n = discordant(first, second)
    low, high = bonett_price(b, c, n, level)
    interval = Interval((b - c) / n, float(low), float(high), n, named("Bonett-Price", level))
    return PairedRates(interval, b, c, *mcnemar(b, c))


@dataclass(frozen=True, slots=True)
class PairedMeans:
    """The mean difference over pairs of training runs that share a seed.

    Args:
        difference: mean of first minus second, Student's t interval, n = seeds.
        p: paired t test, two-sided; 1.0 where every difference is zero.
    """

    difference: Interval
    p: float


def paired_means(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedMeans:
    """Compare two methods over the same training seeds, the seed being the unit.

    Args:
        first: float (S,), one value per seed.
        second: float (S,), the same seeds in the same order.
        level: coverage in (0, 1).

    Raises:
        ValueError: if the shapes differ, or as `mean` does.

    Example:
        >>> pair = paired_means([0.71, 0.74, 0.69], [0.68, 0.72, 0.68])
        >>> round(pair.difference.estimate, 3), pair.difference.n, round(pair.p, 3)
        (0.02, 3, 0.074)
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
