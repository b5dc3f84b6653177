"""BCa bootstrap intervals: paired by example, stratified by class."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from robustnets.stats.intervals import Interval, check_level, named

# indices drawn at a time: memory stays near 100 MB whatever the number of examples
_AT_ONCE = 2**22


def bca(
    statistic: Callable[..., np.ndarray],
    *rows: ArrayLike,
    seed: int,
    strata: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 9999,
) -> Interval:
    """Bias-corrected and accelerated bootstrap interval, the example being the unit.

    An example is drawn with everything measured on it, so rows of two networks or two
    attacks on the same examples are compared in pairs. With `strata` every resample has as
    many examples of each class as the data.

    Args:
        statistic: reduces the last axis of arrays as long as the rows: float (..., n) each
            -> float (...); for instance `lambda a, b: a.mean(-1) - b.mean(-1)`.
        rows: (n,) each, at least one, the same examples in the same order.
        seed: of the resampling.
        strata: int (n,), the class of each example; None resamples all examples alike.
        level: coverage in (0, 1).
        resamples: bootstrap samples, >= 1.

    Returns:
        The statistic of the rows with its interval, n = examples.

    Raises:
        ValueError: for rows of different lengths, fewer than two examples in all or in a
            class, a statistic that does not reduce the last axis, or one that is the same in
            every resample: then the bootstrap knows nothing, while `rate` and `paired_rates`
            still have an interval.

    Source: Efron 1987, doi:10.1080/01621459.1987.10478410 (scipy computes it; a class is a
    sample of its own there).

    Example:
        >>> i = bca(lambda a: np.median(a, axis=-1), np.arange(100.0), seed=0, resamples=999)
        >>> i.estimate, 35 < i.low < 45, 55 < i.high < 65
        (49.5, True, True)
    """
    check_level(level)
    if resamples < 1:
        raise ValueError(f"resamples must be >= 1, got {resamples}")
    arrays = [np.asarray(row) for row in rows]
    if not arrays or any(a.ndim != 1 or a.shape != arrays[0].shape for a in arrays):
        raise ValueError(f"need equal rows of values, got shapes {[a.shape for a in arrays]}")
    n = len(arrays[0])

    def of_examples(*indices, axis=-1):
        chosen = np.concatenate(indices, axis=-1)
        return statistic(*(a[chosen] for a in arrays))

    samples = _samples(n, strata)
    estimate, pair = (
        np.asarray(of_examples(*samples)),
        np.asarray(of_examples(*(np.stack([s, s]) for s in samples))),
    )
    if estimate.shape != () or pair.shape != (2,):
        raise ValueError(
            "statistic must reduce the last axis, (..., n) to (...); it made "
            f"{estimate.shape} of (n,) and {pair.shape} of (2, n)"
        )
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        # said as an error below
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        bounds = stats.bootstrap(
            samples,
            of_examples,
            n_resamples=resamples,
            batch=max(1, _AT_ONCE // n),
            vectorized=True,
            axis=-1,
            confidence_level=level,
            method="BCa",
            random_state=np.random.default_rng(seed),
        ).confidence_interval
    if not np.isfinite([bounds.low, bounds.high]).all():
        raise ValueError(
            f"the statistic is {float(estimate):g} in every resample or not finite in some; the "
            "bootstrap needs outcomes that vary, use `rate` or `paired_rates`"
        )
    kind = "BCa bootstrap" if strata is None else "BCa bootstrap by class"
    return Interval(float(estimate), float(bounds.low), float(bounds.high), n, named(kind, level))


def _samples(n: int, strata: ArrayLike | None) -> tuple[np.ndarray, ...]:
    """The indices of each class, or of all examples."""
    if strata is None:
        if n < 2:
            raise ValueError(f"the bootstrap needs at least 2 examples, got {n}")
        return (np.arange(n),)
    classes = np.asarray(strata)
    if classes.shape != (n,):
        raise ValueError(f"strata must be ({n},), got {classes.shape}")
    samples = tuple(np.flatnonzero(classes == c) for c in np.unique(classes))
    small = [str(c) for c, s in zip(np.unique(classes), samples, strict=True) if len(s) < 2]
    if small or not samples:
        raise ValueError(
            f"each class needs at least 2 examples, too few in: {', '.join(small) or 'no class'}; "
            "leave strata out or take more examples"
        )
    return samples
