"""Records of one configuration, one for each training seed, and what is computed over them.

With one training seed the example is the unit, and a claim is about that network; with several the
seed is, and a claim is about the method.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from robustnets.core.record import Record
from robustnets.report.lines import Series
from robustnets.stats.distances import median_distance, paired_distances
from robustnets.stats.intervals import Interval, mean, rate
from robustnets.stats.paired import paired_means, paired_rates

ALPHA = 0.05
Name = TypeVar("Name")


def seed_of(record: Record) -> int:
    """The training seed of a Record's network."""
    return record.cell["network"]["seed"]


def by_seed(
    records: Sequence[Record], name: Callable[[Record], Name | None]
) -> dict[Name, list[Record]]:
    """Group Records, each group in the order of the training seeds.

    Args:
        records: of one chapter.
        name: what a Record's group is called, anything hashable, or None to leave it out.
    """
    groups: dict[Name, list[Record]] = {}
    for record in sorted(records, key=seed_of):
        key = name(record)
        if key is not None:
            groups.setdefault(key, []).append(record)
    return groups


def accuracies(group: Sequence[Record]) -> np.ndarray:
    """Clean accuracy of each Record: float64 (S,)."""
    return np.array([record.correct.mean() for record in group])


def successes(group: Sequence[Record], eps: float | None = None) -> np.ndarray:
    """Share of the rightly classified examples that the attack turns wrong.

    Args:
        group: Records with the same radii.
        eps: one radius gives float64 (S,); None gives all, float64 (S, E).
    """
    rates = np.array([r.fooled.sum(axis=1) / max(1, r.correct.sum()) for r in group])
    return rates if eps is None else rates[:, group[0].at(eps)]


def as_rate(bounds: tuple[float, float]) -> tuple[float, float]:
    """Bounds of a rate, which cannot leave [0, 1]; infinite ones stay, they say n = 1."""
    low, high = bounds
    return (
        max(0.0, low) if np.isfinite(low) else low,
        min(1.0, high) if np.isfinite(high) else high,
    )


def mean_rate(values: Any) -> Interval:
    """The mean of some rates, with bounds that stay in [0, 1] as a rate does."""
    interval = mean(values)
    low, high = as_rate((interval.low, interval.high))
    return replace(interval, low=low, high=high)


def share(outcomes: Sequence[np.ndarray], among: Sequence[np.ndarray] | None = None) -> Interval:
    """A rate: Wilson's interval over examples for one training seed, Student's over several.

    Args:
        outcomes: bool (N,) for each training seed.
        among: bool (N,) for each, the examples that count; None counts all.
    """
    counted = [np.ones(len(o), bool) for o in outcomes] if among is None else among
    hits = [int((o & of).sum()) for o, of in zip(outcomes, counted, strict=True)]
    sizes = [max(int(of.sum()), 1) for of in counted]
    if len(outcomes) == 1:
        return rate(hits[0], sizes[0])
    return mean_rate(np.array(hits) / sizes)


def median(distances: Sequence[np.ndarray]) -> Interval:
    """The median distance; over several training seeds the mean of their medians.

    Args:
        distances: float (N,) for each training seed, infinite where an attack failed.
    """
    if len(distances) == 1:
        return median_distance(distances[0])
    medians = np.array([np.median(d) for d in distances])
    if np.isinf(medians).any():
        return Interval(math.inf, -math.inf, math.inf, len(medians), "none")
    return mean(medians)


class Paired(NamedTuple):
    """A difference on the same examples, or over the same training seeds, and its p-value."""

    difference: Interval
    p: float


def paired_share(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> Paired:
    """Rate of the first minus that of the second.

    One training seed each is compared example by example (exact McNemar, Bonett and Price's
    interval), several seed by seed (paired t).

    Args:
        first, second: bool (N,) for each training seed.
    """
    if len(first) == 1:
        rates = paired_rates(first[0], second[0])
        return Paired(rates.difference, rates.p)
    means = paired_means([o.mean() for o in first], [o.mean() for o in second])
    return Paired(means.difference, means.p)


def paired_median(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> Paired:
    """Distance of the first minus that of the second.

    For one training seed the median over examples of the differences (Wilcoxon's signed ranks),
    for several the mean difference of their medians (paired t).

    Args:
        first, second: float (N,) for each training seed, infinite where an attack failed.
    """
    if len(first) == 1:
        pair = paired_distances(first[0], second[0])
        return Paired(pair.median_difference, pair.p)
    here, there = (np.array([np.median(d) for d in ds]) for ds in (first, second))
    if np.isinf(here).any() or np.isinf(there).any():
        return Paired(Interval(math.nan, -math.inf, math.inf, len(first), "none"), 1.0)
    means = paired_means(here, there)
    return Paired(means.difference, means.p)


def banded(label: str, x: np.ndarray, values: np.ndarray, **look: Any) -> Series:
    """A curve of the mean rate over training seeds with its 95 % interval.

    Args:
        label: for the legend.
        x: (P,).
        values: float (S, P); a NaN leaves a gap.
        look: style, marker or color of the Series.
    """
    middle = values.mean(axis=0)
    if len(values) < 2:
        return Series(label, x, middle, **look)
    bounds = [mean_rate(column) for column in values.T]
    low, high = np.array([[b.low, b.high] for b in bounds]).T
    return Series(label, x, middle, low, high, **look)
