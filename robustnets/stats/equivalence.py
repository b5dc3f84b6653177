"""Equivalence: "no difference" is a claim of its own, and needs a margin."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from robustnets.stats.intervals import Interval, check_level, mean, named
from robustnets.stats.paired import bonett_price, discordant, shrunk_difference


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests of whether a difference lies inside a margin.

    Args:
        difference: first minus second with its interval at level 1 - 2 alpha, the one that
            lies inside the margin exactly when `shown`.
        margin: differences of this size or more count, > 0.
        p: the larger p-value of the two one-sided tests.
        alpha: the probability of claiming equivalence wrongly.
    """

    difference: Interval
    margin: float
    p: float
    alpha: float

    @property
    def shown(self) -> bool:
        """Whether the difference is shown to be smaller than the margin."""
        return self.p < self.alpha


def _check(margin: float, alpha: float) -> None:
    if not 0 < margin < np.inf:
        raise ValueError(
            f"margin must be finite and > 0, got {margin}; say which difference would matter"
        )
    check_level(1 - 2 * alpha)


def equivalent_rates(
    first: ArrayLike, second: ArrayLike, margin: float, alpha: float = 0.05
) -> Equivalence:
    """Are two rates on the same examples the same, up to a margin?

    Args:
        first: bool (N,).
        second: bool (N,), the same examples in the same order.
        margin: in fractions, 0.02 for two percentage points.
        alpha: in (0, 0.5).

    Raises:
        ValueError: for unequal rows, no examples, an impossible margin or alpha.

    Source: two one-sided tests, Schuirmann 1987, doi:10.1007/BF01068419, on the estimate and
    standard error of Bonett & Price 2012 (`bonett_price`).

    Example:
        >>> right = [True] * 900 + [False] * 100
        >>> e = equivalent_rates(right, right[::-1][:5] + right[5:], margin=0.02)
        >>> e.shown, equivalent_rates(right[:50], right[:50], margin=0.02).shown
        (True, False)
    """
    _check(margin, alpha)
    b, c, n = discordant(first, second)
    estimate, error = shrunk_difference(b, c, n)
    low, high = bonett_price(b, c, n, 1 - 2 * alpha)
    p = stats.norm.sf((margin - abs(estimate)) / error)
    level = named("Bonett-Price", 1 - 2 * alpha)
    return Equivalence(
        Interval((b - c) / n, float(low), float(high), n, level), margin, float(p), alpha
    )


def equivalent_means(
    first: ArrayLike, second: ArrayLike, margin: float, alpha: float = 0.05
) -> Equivalence:
    """Are two methods the same over the same training seeds, up to a margin?

    Args:
        first: float (S,), one value per seed.
        second: float (S,), the same seeds in the same order.
        margin: in the unit of the values.
        alpha: in (0, 0.5).

    Raises:
        ValueError: for unequal rows, no values, an impossible margin or alpha.

    Source: two one-sided t tests, Schuirmann 1987 (statsmodels computes them). One seed shows
    nothing: p = 1.

    Example:
        >>> equivalent_means([0.71, 0.74, 0.69], [0.70, 0.74, 0.70], margin=0.02).shown
        True
    """
    _check(margin, alpha)
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"need two equal rows of values, got {first.shape} and {second.shape}")
    difference = first - second
    interval = mean(difference, 1 - 2 * alpha)
    if len(difference) == 1:
        p = 1.0
    elif np.ptp(difference) == 0:
        # the t statistics are infinite: a constant difference is as certain as it gets
        p = 0.0 if abs(difference[0]) < margin else 1.0
    else:
        p = float(ttost_paired(first, second, -margin, margin)[0])
    return Equivalence(interval, margin, p, alpha)
