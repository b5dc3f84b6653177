"""Two-level bootstrap: training seeds and examples both vary."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from robustnets.stats.intervals import Interval, check_level, named

# resampled outcomes held at a time: memory stays near 100 MB
_AT_ONCE = 2**22


@dataclass(frozen=True, slots=True)
class TwoLevel:
    """A mean over training seeds and examples, for new seeds and new examples.

    Args:
        mean: with its interval, n = seeds.
        examples: per seed.
        error_of_seeds: standard error that comes from the seeds.
        error_of_examples: standard error that comes from the examples.
    """

    mean: Interval
    examples: int
    error_of_seeds: float
    error_of_examples: float


def two_level(
    values: ArrayLike, *, seed: int, level: float = 0.95, resamples: int = 9999
) -> TwoLevel:
    """Bootstrap seeds and examples, each by itself.

    For a rate pass outcomes; for a difference of two methods on the same seeds and examples
    pass the differences of their outcomes.

    Percentiles of a bootstrap over few seeds are too narrow (about 86 % instead of 95 % with
    5 seeds that differ more than examples do). So they are taken further out, as Student's t
    lies further out than the normal, with the degrees of freedom of whichever level
    dominates. That restores 93 % in the same case: a resample of 5 seeds cannot reach further
    than its farthest seed.

    Args:
        values: float or bool (S, N), one row per training seed, the same examples in each;
            S and N >= 2.
        seed: of the resampling.
        level: coverage in (0, 1).
        resamples: bootstrap samples, >= 1.

    Raises:
        ValueError: for a wrong shape, values that are not finite, or ones that vary neither
            between seeds nor between examples: then the bootstrap knows nothing.

    Source: Owen 2007, doi:10.1214/07-AOAS122 (rows and columns resampled independently);
    Hesterberg 2015, doi:10.1080/00031305.2015.1089789, sec. 5.3 (expanded percentiles);
    Satterthwaite 1946 (degrees of freedom of a sum of two variances).

    Example:
        >>> right = np.random.default_rng(0).random((5, 200)) < 0.8
        >>> found = two_level(right, seed=0, resamples=999)
        >>> found.mean.n, found.mean.low < 0.8 < found.mean.high
        (5, True)
    """
    check_level(level)
    values = np.asarray(values, float)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"values must be (seeds, examples), 2 or more of each, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite, got NaN or infinity among them")
    if resamples < 1:
        raise ValueError(f"resamples must be >= 1, got {resamples}")
    s, n = values.shape
    by_seed = float(values.mean(axis=1).var(ddof=1)) / s
    by_example = float(values.mean(axis=0).var(ddof=1)) / n
    both = by_seed + by_example
    if both == 0:
        raise ValueError(
            f"every seed and every example gives {values[0, 0]:g} on average; the bootstrap "
            "needs values that vary"
        )
    freedom = both**2 / (by_seed**2 / (s - 1) + by_example**2 / (n - 1))
    # a resample's variance is short of the sample's by the factor (s - 1) / s, and (n - 1) / n
    wider = np.sqrt(both / (by_seed * (s - 1) / s + by_example * (n - 1) / n))
    tail = stats.norm.sf(wider * stats.t.ppf((1 + level) / 2, freedom))
    low, high = np.quantile(_resampled(values, seed, resamples), [tail, 1 - tail])
    interval = Interval(
        float(values.mean()), float(low), float(high), s, named("two-level bootstrap", level)
    )
    return TwoLevel(interval, n, float(np.sqrt(by_seed)), float(np.sqrt(by_example)))


def _resampled(values: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """Means over resampled seeds and resampled examples, (resamples,)."""
    s, n = values.shape
    rng = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, max(1, _AT_ONCE // n)):
        size = min(max(1, _AT_ONCE // n), resamples - start)
        over_seeds = rng.multinomial(s, np.full(s, 1 / s), size=size) / s @ values
        chosen = rng.integers(0, n, (size, n))
        means.append(np.take_along_axis(over_seeds, chosen, axis=1).mean(axis=1))
    return np.concatenate(means)
