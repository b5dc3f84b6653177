"""Configurations set against one another: paired differences, adjusted, with a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from robustnets.core.record import Record
from robustnets.report.measures import Measure
from robustnets.stats.equivalence import Equivalence, equivalent_means, equivalent_rates
from robustnets.stats.intervals import Interval
from robustnets.stats.multiplicity import adjust
from robustnets.stats.paired import paired_means, paired_rates

# fewer training seeds than these say little about a method
ENOUGH_SEEDS = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """One comparison of a declared family.

    Args:
        first: name of one configuration.
        second: name of the other.
        measure: name of the rate.
        better: "higher" or "lower", what the defender wishes.
        difference: rate of the first minus that of the second, with a paired interval that
            is not adjusted.
        p: raw p-value against no difference.
        adjusted: the same after Holm's adjustment over the family.
        equivalence: the test of a difference smaller than a margin; None without a margin.
        adjusted_equivalence: its p-value, adjusted over the same family; None likewise.
        n: examples behind the smaller rate of each run.
        seeds: training seeds behind each configuration.
        alpha: a verdict holds for the whole family with a probability of 1 - alpha.
        family: comparisons in the family.
    """

    first: str
    second: str
    measure: str
    better: str
    difference: Interval
    p: float
    adjusted: float
    equivalence: Equivalence | None
    adjusted_equivalence: float | None
    n: int
    seeds: int
    alpha: float
    family: int

    @property
    def claim(self) -> str:
        """What the comparison is about: "this checkpoint" or "the method".

        One training run each says something about these weights on more examples like these;
        several say something about training again, on these examples.
        """
        if self.seeds == 1:
            return "this checkpoint"
        return "the method" if self.seeds >= ENOUGH_SEEDS else "the method, few seeds"

    @property
    def verdict(self) -> str:
        """ "higher" or "lower" (the first, adjusted), "equivalent" (smaller than the margin,
        adjusted) or "no difference shown"; a shown difference can be smaller than the margin.
        """
        same = self.adjusted_equivalence is not None and self.adjusted_equivalence < self.alpha
        if self.adjusted < self.alpha and self.difference.estimate != 0:
            side = "higher" if self.difference.estimate > 0 else "lower"
            return f"{side}, within the margin" if same else side
        return "equivalent" if same else "no difference shown"


class _Tested(NamedTuple):
    difference: Interval
    p: float
    equivalence: Equivalence | None
    n: int
    seeds: int


def differences(
    groups: Mapping[str, Sequence[Record]],
    pairs: Sequence[tuple[str, str]],
    measures: Sequence[Measure],
    *,
    margin: float | None = None,
    level: float = 0.95,
) -> tuple[Difference, ...]:
    """Compare configurations on the same examples, and on the same training seeds.

    With one Record each the example is the unit: exact McNemar and Bonett and Price's paired
    interval. With several the training seed is: paired t test and interval over seeds.

    Args:
        groups: by name the Records of each configuration, one per training seed.
        pairs: the names to compare, first minus second; with the measures they are the
            declared family.
        measures: the rates to compare by, at least one.
        margin: differences smaller than this fraction do not matter; None, and nothing is
            called equivalent.
        level: coverage of the intervals; verdicts are held at 1 - level over the family.

    Returns:
        Measures in order, the pairs of each in order.

    Raises:
        ValueError: for an empty or repeated declaration, unknown names, Records on different
            examples or seeds, or rates over different examples.

    Example:
        >>> from robustnets.report.measures import clean_accuracy
        >>> def record(wrong):
        ...     label = np.arange(100) % 10
        ...     clean = np.where(np.arange(100) < wrong, 10, label)
        ...     return Record({}, label, clean, np.zeros(0), np.zeros((0, 100), int))
        >>> runs = {"A": [record(4)], "B": [record(24)]}
        >>> (found,) = differences(runs, [("A", "B")], [clean_accuracy()])
        >>> round(found.difference.estimate, 2), found.verdict, found.claim
        (0.2, 'higher', 'this checkpoint')
    """
    _declared(groups, pairs, measures)
    declared = [(m.name, *pair) for m in measures for pair in pairs]
    tested = {
        (m.name, a, b): _test(m, (a, groups[a]), (b, groups[b]), margin, level)
        for m in measures
        for a, b in pairs
    }
    better = {m.name: m.better for m in measures}
    equivalences = {k: t.equivalence.p for k, t in tested.items() if t.equivalence is not None}
    same = [a.adjusted for a in adjust(declared, equivalences)] if equivalences else None
    out = []
    for i, one in enumerate(adjust(declared, {key: t.p for key, t in tested.items()})):
        name, first, second = one.comparison
        t = tested[one.comparison]
        out.append(
            Difference(
                first, second, name, better[name], t.difference, one.p, one.adjusted,
                t.equivalence, same[i] if same else None, t.n, t.seeds, 1 - level, one.family,
            )
        )  # fmt: skip
    return tuple(out)


def _declared(groups, pairs, measures) -> None:
    if not pairs or not measures:
        raise ValueError("nothing to compare: declare at least one pair and one measure")
    if len({m.name for m in measures}) != len(measures):
        raise ValueError(f"measures need different names, got {[m.name for m in measures]}")
    if len({frozenset(pair) for pair in pairs}) != len(pairs):
        raise ValueError(f"a pair is declared twice, in one order or the other: {list(pairs)}")
    for pair in pairs:
        if pair[0] == pair[1]:
            raise ValueError(f"{pair[0]!r} is compared with itself")
        for name in pair:
            if not groups.get(name):
                known = ", ".join(name for name in groups if groups[name])
                raise ValueError(f"there is no Record of {name!r}; there are: {known}")


def _seed(record: Record) -> int | None:
    return record.cell.get("network", {}).get("seed")


def _in_order(name: str, records: Sequence[Record]) -> tuple[list[int | None], list[Record]]:
    """Training seeds, increasing, and the Records in their order."""
    seeds = [_seed(record) for record in records]
    if len(records) > 1 and (None in seeds or len(set(seeds)) != len(seeds)):
        raise ValueError(
            f"the Records of {name!r} must be of different training seeds, got {seeds}; "
            "group them by configuration first"
        )
    if len(records) == 1:
        return seeds, list(records)
    order = np.argsort(np.array(seeds))
    return [seeds[i] for i in order], [records[i] for i in order]


def _test(
    measure: Measure,
    one: tuple[str, Sequence[Record]],
    other: tuple[str, Sequence[Record]],
    margin: float | None,
    level: float,
) -> _Tested:
    (seeds, first), (others, second) = _in_order(*one), _in_order(*other)
    names = f"{one[0]!r} and {other[0]!r}"
    if len(seeds) != len(others) or (len(seeds) > 1 and seeds != others):
        raise ValueError(f"{names} need the same training seeds, got {seeds} and {others}")
    for record in (*first, *second):
        _same_examples(names, first[0], record)
    hits = [_hits(measure, r, one[0]) for r in first]
    against = [_hits(measure, r, other[0]) for r in second]
    n, alpha = min(len(h) for h in (*hits, *against)), 1 - level
    same: Equivalence | None = None
    if len(seeds) > 1:
        a, b = (np.array([h.mean() for h in group]) for group in (hits, against))
        if margin is not None:
            same = equivalent_means(a, b, margin, alpha)
        means = paired_means(a, b, level)
        return _Tested(means.difference, means.p, same, n, len(seeds))
    if (measure.counted(first[0]) != measure.counted(second[0])).any():
        raise ValueError(
            f"{measure.name} of {names} is over different examples, so that it cannot be "
            "compared example by example; compare robust accuracy, or several training seeds"
        )
    if margin is not None:
        same = equivalent_rates(hits[0], against[0], margin, alpha)
    rates = paired_rates(hits[0], against[0], level)
    return _Tested(rates.difference, rates.p, same, n, 1)


def _same_examples(names: str, one: Record, other: Record) -> None:
    data = {str(r.about["data"]) for r in (one, other) if "data" in r.about}
    if len(data) > 1 or not np.array_equal(one.label, other.label):
        raise ValueError(
            f"{names} were measured on different examples: {len(one.label)} and "
            f"{len(other.label)} labels, data {' and '.join(sorted(data)) or 'unknown'}"
        )


def _hits(measure: Measure, record: Record, name: str) -> np.ndarray:
    hits = measure.outcomes(record)[measure.counted(record)]
    if not len(hits):
        raise ValueError(f"{measure.name} of {name!r} is over no example at all")
    return hits
