"""Distances to the nearest adversarial example, infinite where the attack failed.

A failed attack says only that the distance is larger than it could reach. It counts as
infinite, larger than every distance found, and never as missing: what follows uses the order
of distances alone, so nothing has to be known about how much larger.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from robustnets.stats.intervals import Interval, check_level, named


def _checked(distances: ArrayLike) -> np.ndarray:
    values = np.asarray(distances, float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"distances must be (N,) with N >= 1, got {values.shape}")
    if not (values >= 0).all():
        raise ValueError(
            "distances must be >= 0 and a failed attack infinite (math.inf), "
            f"got {values[~(values >= 0)][0]}"
        )
    return values


def _median(values: np.ndarray, level: float, least: float) -> Interval:
    """Median with the interval between two order statistics."""
    check_level(level)
    n = len(values)
    ordered = np.sort(values)
    # the largest rank whose order statistic lies above the median with a probability of at
    # most (1 - level) / 2
    rank = int(stats.binom.ppf((1 - level) / 2, n, 0.5))
    low, high = (ordered[rank - 1], ordered[n - rank]) if rank else (least, math.inf)
    middle = ordered[(n - 1) // 2], ordered[n // 2]
    centre = middle[0] if middle[0] == middle[1] else (middle[0] + middle[1]) / 2
    return Interval(float(centre), float(low), float(high), n, named("order statistics", level))


def median_distance(distances: ArrayLike, level: float = 0.95) -> Interval:
    """Median distance with the interval between two order statistics.

    The median is infinite where the attack fails on more than half of the examples, and so
    may a bound be. Without ties the coverage is at least the level at every n, whatever the
    distribution; with fewer than 6 examples no interval of 95 % but (0, infinity) has it.

    Args:
        distances: float (N,), >= 0, infinite where the attack failed.
        level: coverage in (0, 1).

    Raises:
        ValueError: for no distances, a negative one or NaN.

    Source: Conover 1999, sec. 3.2 (the sign test inverted); the same inversion as that of
    Brookmeyer & Crowley 1982, doi:10.2307/2530286, where all censoring is at infinity.

    Example:
        >>> i = median_distance([0.1, 0.2, 0.3, 0.4, 0.5, math.inf, math.inf, math.inf])
        >>> i.low, i.estimate, i.high
        (0.1, 0.45, inf)
    """
    return _median(_checked(distances), level, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class DistanceCurve:
    """The share of examples whose nearest adversarial example lies within a distance.

    One minus it is the robust accuracy as a function of the radius.

    Args:
        distance: float64 (M,), the different finite distances, increasing.
        share: float64 (M,), share of all examples at or below each.
        low: float64 (M,), lower edge of the band.
        high: float64 (M,), upper edge.
        n: examples, failed ones included.
        method: the name of the band.
    """

    distance: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: int
    method: str


def distance_curve(distances: ArrayLike, level: float = 0.95) -> DistanceCurve:
    """Empirical distribution of distances with a band that holds for all radii at once.

    Args:
        distances: float (N,), >= 0, infinite where the attack failed.
        level: probability that the whole true curve lies in the band, in (0, 1).

    Raises:
        ValueError: for no distances, a negative one or NaN.

    Source: Dvoretzky, Kiefer & Wolfowitz 1956 with the constant of Massart 1990,
    doi:10.1214/aop/1176990746.

    Example:
        >>> c = distance_curve([0.1, 0.1, 0.3, math.inf])
        >>> c.distance.tolist(), c.share.tolist()
        ([0.1, 0.3], [0.5, 0.75])
    """
    check_level(level)
    values = _checked(distances)
    n = len(values)
    distance, count = np.unique(values[np.isfinite(values)], return_counts=True)
    share = count.cumsum() / n
    half = math.sqrt(math.log(2 / (1 - level)) / (2 * n))
    low, high = np.maximum(share - half, 0.0), np.minimum(share + half, 1.0)
    return DistanceCurve(distance, share, low, high, n, named("DKW band", level))


@dataclass(frozen=True, slots=True)
class PairedDistances:
    """Distances of two networks, or two attacks, on the same examples.

    Args:
        median_difference: median over examples of first minus second, with its interval; an
            example on which both attacks failed has difference 0, one on which a single
            attack failed has an infinite difference.
        first_farther: examples with the larger distance in the first.
        second_farther: examples with the larger distance in the second.
        both_failed: examples on which both attacks failed.
        p: Wilcoxon's signed-rank test, two-sided.
    """

    median_difference: Interval
    first_farther: int
    second_farther: int
    both_failed: int
    p: float


def paired_distances(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedDistances:
    """Compare distances on the same examples by signed ranks.

    Where both attacks failed the order is unknown and the pair is a tie, a difference of
    zero. Where one failed the difference is infinite: all such pairs share the highest rank.
    Ties of zero take the lowest ranks and are then left out (Pratt): the more of them, the
    less the sizes of the other differences count beside their signs. The test supposes that
    differences scatter symmetrically about their median; the interval does not.

    Args:
        first: float (N,), >= 0, infinite where the attack failed.
        second: float (N,), the same examples in the same order.
        level: coverage in (0, 1).

    Raises:
        ValueError: for unequal rows, no distances, a negative one or NaN.

    Source: Wilcoxon 1945; Pratt 1959, doi:10.1080/01621459.1959.10501526 (scipy computes the
    test, exactly for few examples without ties, else by a normal approximation).

    Example:
        >>> d = paired_distances([0.3, 0.4, math.inf, math.inf], [0.1, 0.1, 0.2, math.inf])
        >>> d.first_farther, d.second_farther, d.both_failed
        (3, 0, 1)
    """
    a, b = _checked(first), _checked(second)
    if a.shape != b.shape:
        raise ValueError(f"need two equal rows of distances, got {a.shape} and {b.shape}")
    both = np.isinf(a) & np.isinf(b)
    difference = np.subtract(a, b, out=np.zeros(len(a)), where=~both)
    return PairedDistances(
        _median(difference, level, -math.inf),
        int((difference > 0).sum()),
        int((difference < 0).sum()),
        int(both.sum()),
        _signed_rank(difference),
    )


def _signed_rank(difference: np.ndarray) -> float:
    if not difference.any():
        return 1.0
    # ranks need no sizes: infinite differences become the largest, all of one size
    finite = np.isfinite(difference)
    beyond = np.abs(difference[finite]).max(initial=0.0) + 1.0
    sized = np.where(finite, difference, np.sign(difference) * beyond)
    return float(stats.wilcoxon(sized, zero_method="pratt").pvalue)
