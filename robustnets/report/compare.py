"""A reported number beside ours, with a verdict in one word."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robustnets.report.cells import Cell, Percent, Points, Word
from robustnets.report.reported import Reported
from robustnets.report.table import Table

if TYPE_CHECKING:
    from robustnets.stats.intervals import Interval

_RANGES = {"percent": (0.0, 1.0), "fraction": (0.0, 1.0), "percentage points": (-1.0, 1.0)}
_SHOWN_AS = {"percent": "%", "fraction": "%", "percentage points": "points"}
_KINDS = {"inside": "good", "above": "warn", "below": "warn", "no interval": "plain"}
# bounds and reported values come by different arithmetic; less than this is no difference
_ROUNDING = 1e-9

EXPLANATION = (
    "The verdict says where the reported value lies: inside our interval, above it (the report "
    "states more than we measure) or below it (the report states less)."
)
_ONE_RUN = (
    " A reported value is one training run, so where there is an interval for one new run "
    "it is held against that."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One reported value and what we measured instead.

    All numbers are in the unit of Records: rates and their differences are fractions,
    whatever unit the report prints (`Reported.natural` converts, and so does `of`).

    Args:
        condition: the configuration.
        metric: what was measured.
        unit: of the report: "percent", "fraction", "percentage points" or any other, which
            is shown as it is.
        reported: the reported value, one training run.
        reproduced: our estimate and its interval.
        one_run: the prediction interval for a single new run, or None.
        n: examples behind each of our runs.
        seeds: training runs of ours.
        note: what a reader must know, often empty.

    Raises:
        ValueError: for rates that are not fractions, bounds out of order, n or seeds < 1.
    """

    condition: str
    metric: str
    unit: str
    reported: float
    reproduced: "Interval"
    one_run: tuple[float, float] | None
    n: int
    seeds: int
    note: str = ""

    def __post_init__(self) -> None:
        low, high = _RANGES.get(self.unit, (-math.inf, math.inf))
        values = (("reported", self.reported), ("reproduced", self.reproduced.estimate))
        for name, value in values:
            if not low <= value <= high:
                raise ValueError(
                    f"{name} must lie in [{low:g}, {high:g}] for unit {self.unit!r}, got {value}; "
                    "rates are fractions here, Reported.natural gives them"
                )
        for name, (least, most) in (("reproduced", self._interval), ("one_run", self._held)):
            if not least <= most:
                raise ValueError(f"{name} has bounds out of order: [{least}, {most}]")
        if self.n < 1 or self.seeds < 1:
            raise ValueError(f"n and seeds must be >= 1, got n={self.n}, seeds={self.seeds}")

    @classmethod
    def of(
        cls,
        reported: Reported,
        reproduced: "Interval",
        one_run: tuple[float, float] | None,
        n: int,
        seeds: int,
        note: str = "",
    ) -> "Comparison":
        """Compare with a row of the reported numbers, converting its unit."""
        return cls(
            reported.condition, reported.metric, reported.unit, reported.natural,
            reproduced, one_run, n, seeds, note,
        )  # fmt: skip

    @property
    def _interval(self) -> tuple[float, float]:
        return self.reproduced.low, self.reproduced.high

    @property
    def _held(self) -> tuple[float, float]:
        return self._interval if self.one_run is None else self.one_run

    @property
    def verdict(self) -> str:
        """Where the REPORTED value lies: "inside" our interval (bounds included), "above" or
        "below" it; "no interval" where a single run of ours gives infinite bounds.

        The interval is `one_run` where given, else that of `reproduced`.
        """
        low, high = self._held
        if math.isinf(low) and math.isinf(high):
            return "no interval"
        if self.reported > high + _ROUNDING:
            return "above"
        return "below" if self.reported < low - _ROUNDING else "inside"


def comparison_table(comparisons: Sequence[Comparison], caption: str, judged: bool = True) -> Table:
    """Set reported values beside ours.

    Args:
        comparisons: one per row, at least one.
        caption: what is compared; what the verdict means is added to it.
        judged: whether each row gets its verdict. False where ours were not made at the
            report's own scale, where a verdict would say nothing about the report.

    Returns:
        Columns condition, reported, reproduced, interval, n, seeds, verdict, and where any
        row needs them: metric, unit, one run, note. Rates show in percent.

    Raises:
        ValueError: if there is nothing to compare.
    """
    if not comparisons:
        raise ValueError("nothing to compare: pass at least one Comparison")
    units = {_SHOWN_AS.get(c.unit, c.unit) for c in comparisons}
    metrics = {c.metric.replace("_", " ") for c in comparisons}
    optional = {
        "metric": len(metrics) > 1,
        "unit": len(units) > 1,
        "one run": any(c.one_run is not None for c in comparisons),
        "note": any(c.note for c in comparisons),
        "verdict": judged,
    }
    rows = [_row(c) for c in comparisons]
    names = tuple(name for name in rows[0] if optional.get(name, True))
    unit = units.pop() if len(units) == 1 else ""
    # what is the same in every row needs no column, but must be said once
    said = []
    if not optional["metric"] and min(metrics) not in caption.lower():
        said.append(min(metrics))
    if unit and unit not in metrics:
        said.append({"%": "in percent", "points": "in percentage points"}.get(unit, f"in {unit}"))
    stated = " ".join(said)
    stated = f" {stated[0].upper()}{stated[1:]}." if stated else ""
    meaning = EXPLANATION + (_ONE_RUN if optional["one run"] else "")
    return Table(
        columns=names,
        rows=tuple(tuple(row[name] for name in names) for row in rows),
        caption=f"{caption}{stated} {meaning if judged else ''}".strip(),
    )


def _row(c: Comparison) -> dict[str, Cell]:
    shown = _SHOWN_AS.get(c.unit, c.unit)

    def cell(value, digits: int | None = 2) -> Cell:
        if shown == "%":
            return Percent(value, digits)
        return Points(value) if shown == "points" else value

    return {
        "condition": c.condition,
        "metric": c.metric.replace("_", " "),
        "unit": shown,
        # a report that prints 0.98 must not seem to have printed 98.00 %
        "reported": cell(c.reported, None if c.unit == "fraction" else 2),
        "reproduced": cell(c.reproduced.estimate),
        "interval": cell(c._interval),
        "one run": cell(c.one_run),
        "n": c.n,
        "seeds": c.seeds,
        "verdict": Word(c.verdict, _KINDS[c.verdict]),
        "note": c.note,
    }
