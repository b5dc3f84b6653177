"""The numbers that the original reports state, as package data."""

import csv
import functools
from dataclasses import dataclass
from importlib import resources

_PER_HUNDRED = ("percent", "percentage points")


@dataclass(frozen=True, slots=True)
class Reported:
    """One number of one report.

    Args:
        source: the report, such as "thesis".
        chapter: the chapter of ours that reproduces it, such as "stopping".
        table: where the report prints it, such as "3.4".
        condition: the configuration, in the report's words.
        metric: what was measured, such as "test_accuracy".
        value: the number as printed.
        unit: of the value: "percent", "fraction", "percentage points", "epochs", "nats".
        n: examples behind it; None where the report does not say.
        note: anything else, often empty.
    """

    source: str
    chapter: str
    table: str
    condition: str
    metric: str
    value: float
    unit: str
    n: int | None
    note: str

    @property
    def natural(self) -> float:
        """The value in the unit of Records: percent and percentage points become fractions."""
        # rounded, or 97.71 / 100 would miss the 0.9771 it stands for by one bit
        return round(self.value / 100, 12) if self.unit in _PER_HUNDRED else self.value


@functools.cache
def _rows() -> tuple[Reported, ...]:
    text = resources.files(__package__).joinpath("reported.csv").read_text(encoding="utf-8")
    return tuple(
        Reported(
            source=row["source"],
            chapter=row["chapter"],
            table=row["table"],
            condition=row["condition"],
            metric=row["metric"],
            value=float(row["value"]),
            unit=row["unit"],
            n=int(row["n"]) if row["n"] else None,
            note=row["note"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def load(source: str | None = None, chapter: str | None = None) -> list[Reported]:
    """Read the reported numbers.

    Args:
        source: keep one report; None keeps all.
        chapter: keep one chapter; None keeps all.

    Returns:
        In the order of the file; empty where the report has nothing on the chapter.

    Raises:
        ValueError: for a source or chapter that no row has.

    Example:
        >>> load("thesis", "stopping")[0].value
        97.71
    """
    rows = _rows()
    for name, wanted in (("source", source), ("chapter", chapter)):
        known = sorted({getattr(row, name) for row in rows})
        if wanted is not None and wanted not in known:
            raise ValueError(f"no reported number has {name} {wanted!r}; known: {', '.join(known)}")
    return [
        row
        for row in rows
        if (source is None or row.source == source) and (chapter is None or row.chapter == chapter)
    ]
