"""A family of comparisons as a table, and one of them as a sentence."""

from collections.abc import Sequence

import numpy as np

from robustnets.report.cells import Cell, Points, PValue, Word, p_value, points
from robustnets.report.differences import Difference
from robustnets.report.measures import BETTER
from robustnets.report.table import Table
from robustnets.stats.equivalence import Equivalence
from robustnets.stats.intervals import Interval


def difference_table(found: Sequence[Difference], caption: str) -> Table:
    """Set out a family of comparisons.

    Args:
        found: what `differences` returned, whole: the p-values are adjusted over it.
        caption: what is compared; how to read the columns is added to it.

    Returns:
        Columns measure (where there are several), first, second, difference in percentage
        points, p, p Holm, p equivalence (with a margin), verdict, claim, n, seeds.

    Raises:
        ValueError: if there is nothing to show, or less than the whole family.

    Example:
        >>> interval = Interval(0.03, 0.0134, 0.0464, 1000, "Bonett-Price 95%")
        >>> found = Difference(
        ...     "A", "B", "clean accuracy", "higher", interval, 0.0004, 0.0004, None, None,
        ...     n=1000, seeds=1, alpha=0.05, family=1)
        >>> difference_table([found], "Two networks.").columns[:5]
        ('first', 'second', 'first minus second', 'p', 'p, Holm')
    """
    if not found or len(found) != found[0].family:
        declared = found[0].family if found else "at least 1"
        raise ValueError(f"a family is shown whole: got {len(found)} of {declared} comparisons")
    several = len({d.measure for d in found}) > 1
    with_margin = found[0].equivalence is not None
    rows = []
    for d in found:
        row: dict[str, Cell] = {
            "measure": d.measure,
            "first": d.first,
            "second": d.second,
            "first minus second": Points(d.difference),
            "p": PValue(d.p),
            "p, Holm": PValue(d.adjusted),
            "p equivalence, Holm": PValue(d.adjusted_equivalence),
            "verdict": Word(d.verdict, _kind(d)),
            "about": d.claim,
            "n": d.n,
            "seeds": d.seeds,
        }
        rows.append(row)
    optional = {"measure": several, "p equivalence, Holm": with_margin}
    names = tuple(name for name in rows[0] if optional.get(name, True))
    said = "" if several else f" {found[0].measure[0].upper()}{found[0].measure[1:]}."
    return Table(
        names,
        tuple(tuple(row[name] for name in names) for row in rows),
        f"{caption}{said} {_explanation(found)}".strip(),
    )


def sentence(found: Difference) -> str:
    """One comparison in words, for running text.

    Example:
        >>> interval = Interval(0.03, 0.0134, 0.0464, 1000, "Bonett-Price 95%")
        >>> print(sentence(Difference(
        ...     "A", "B", "clean accuracy", "higher", interval, 0.0004, 0.0008, None, None,
        ...     n=1000, seeds=1, alpha=0.05, family=2)))
        Clean accuracy of A is 3.00 points above that of B (95 % +1.34 to +4.64; p < 0.001, \
< 0.001 after Holm over 2 comparisons): higher (a claim about this checkpoint, n = 1000, 1 seed).
    """
    d = found.difference
    side = "above" if d.estimate >= 0 else "below"
    bounds = (
        f"{_level(d)} {points(d.low)} to {points(d.high)}"
        if np.isfinite(d.low)
        else "a single run, no interval"
    )
    about = f"a claim about {found.claim}, n = {found.n}, {_count(found.seeds, 'seed')}"
    text = (
        f"{found.measure[0].upper()}{found.measure[1:]} of {found.first} is "
        f"{points(abs(d.estimate)).removeprefix('+')} points {side} that of {found.second} "
        f"({bounds}; p {_equals(found.p)}, {p_value(found.adjusted)} after Holm over "
        f"{_count(found.family, 'comparison')}): {found.verdict}"
    )
    if found.verdict == "equivalent":
        text += f" within {_margin(found.equivalence)} points"
    elif "margin" in found.verdict:
        text += f" of {_margin(found.equivalence)} points"
    return f"{text} ({about})."


def _kind(d: Difference) -> str:
    if not d.verdict.startswith(BETTER):
        return "plain"
    return "good" if d.verdict.startswith(d.better) else "bad"


def _explanation(found: Sequence[Difference]) -> str:
    methods = sorted({d.difference.method for d in found})
    text = (
        "Differences in percentage points, first minus second, on the same examples, with a "
        f"paired interval each ({', '.join(methods)}; not adjusted). "
    )
    if any(d.seeds == 1 for d in found):
        text += "About this checkpoint: the example is the unit, p by exact McNemar. "
    if any(d.seeds > 1 for d in found):
        text += "About the method: the training seed is the unit, p by a paired t test. "
    first = found[0]
    text += (
        f"Holm adjusts over these {_count(first.family, 'comparison')}; higher and lower hold "
        f"at an adjusted p below {first.alpha:.2g}."
    )
    if first.equivalence is not None:
        text += (
            f" Equivalent means shown to be smaller than {_margin(first.equivalence)} points "
            "(two one-sided tests, adjusted alike)."
        )
    return text


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _level(interval: Interval) -> str:
    return interval.method.split()[-1].replace("%", " %")


def _margin(equivalence: Equivalence | None) -> str:
    return "" if equivalence is None else f"±{100 * equivalence.margin:.4g}"
