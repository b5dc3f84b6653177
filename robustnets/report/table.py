"""A table that is written once and read three ways: CSV, Markdown and HTML."""

import csv
import html
import io
import re
from dataclasses import dataclass
from pathlib import Path

from robustnets.core.store import write_atomically
from robustnets.report.cells import (
    Bounded,
    Cell,
    Fixed,
    Link,
    Percent,
    Points,
    PValue,
    Seconds,
    Word,
    as_html,
    as_markdown,
    escape_markdown,
    interval_percent,
    is_text,
    p_value,
    parts,
    percent,
    points,
    raw,
    seconds,
)
from robustnets.report.printable import printable

__all__ = [
    "Cell",
    "Fixed",
    "Link",
    "PValue",
    "Percent",
    "Points",
    "Seconds",
    "Table",
    "Word",
    "interval_percent",
    "p_value",
    "percent",
    "points",
    "seconds",
]

_NUMBER = re.compile(r"[+-]\d+(\.\d+)?")
# a cell that begins so is a formula to a spreadsheet
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
ALIGNMENTS = ("left", "right")
# a notebook has a style of its own for tables: all cells right, striped, no room for a caption
_NOTEBOOK = (
    "<style>.rn .left{text-align:left!important}.rn .right{text-align:right!important;"
    "white-space:nowrap}.rn .bounds{opacity:.7}.rn .scroll{overflow-x:auto}.rn .caption"
    "{max-width:46rem;opacity:.8;font-size:.92em}.rn .word{font-weight:600;white-space:nowrap}"
    ".rn .good{color:#00674c}.rn .warn{color:#9a4300}.rn .bad{color:#a3202a}"
    ".rn tbody th{font-weight:400}</style>\n"
)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under named columns.

    Args:
        columns: names, all different.
        rows: one cell per column; the first cell names its row.
        caption: what the table shows, plain text.
        align: "left" or "right" per column; empty aligns words left and numbers right.

    Raises:
        ValueError: for repeated columns, a row of another length, an unknown alignment
            or a value that is no cell.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    align: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns or len(set(self.columns)) != len(self.columns):
            raise ValueError(f"columns must have different names, got {self.columns}")
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {i} has {len(row)} cells for {len(self.columns)} columns: {row!r}"
                )
            for cell in row:
                parts(cell)  # refuses what cannot be shown
        if self.align and (
            len(self.align) != len(self.columns) or set(self.align) - set(ALIGNMENTS)
        ):
            raise ValueError(
                f"align needs 'left' or 'right' for each of {len(self.columns)} columns, "
                f"got {self.align}"
            )

    @property
    def alignment(self) -> tuple[str, ...]:
        """ "left" or "right" per column."""
        if self.align:
            return self.align
        return tuple(
            "left" if any(is_text(row[i]) for row in self.rows) else "right"
            for i in range(len(self.columns))
        )

    def to_csv(self, path: Path) -> Path:
        """Write CSV (UTF-8) with every digit: fractions stay fractions, None is empty.

        A column "a" that holds intervals becomes "a", "a low", "a high", "a n"; one that
        holds pairs of bounds becomes "a low", "a high". Text that a spreadsheet would carry out
        as a formula has an apostrophe before it.

        Args:
            path: the file, written atomically.

        Returns:
            The path.
        """
        widths = [_csv_columns(name, [raw(r[i]) for r in self.rows]) for i, name in
                  enumerate(self.columns)]  # fmt: skip
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([_csv_text(name) for names in widths for name in names])
        for row in self.rows:
            fields: list[str] = []
            for cell, names in zip(row, widths, strict=True):
                fields += _csv_fields(raw(cell), len(names))
            writer.writerow(fields)
        return write_atomically(path, lambda p: p.write_bytes(text.getvalue().encode()))

    def to_markdown(self) -> str:
        """The table in GitHub's Markdown, the caption left to the page."""
        head = [escape_markdown(name) for name in self.columns]
        rule = ["---:" if side == "right" else ":---" for side in self.alignment]
        body = [[as_markdown(cell) for cell in row] for row in self.rows]
        return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *body])

    def to_html(self) -> str:
        """The table as escaped HTML in a region that scrolls sideways where it is too wide."""
        sides = self.alignment
        head = "".join(
            f'<th scope="col" class="{side}">{html.escape(name)}</th>'
            for name, side in zip(self.columns, sides, strict=True)
        )
        body = []
        for row in self.rows:
            cells = [f'<th scope="row" class="{sides[0]}{_long(row[0])}">{as_html(row[0])}</th>']
            cells += [
                f'<td class="{side}{_long(cell)}">{as_html(cell)}</td>'
                for cell, side in zip(row[1:], sides[1:], strict=True)
            ]
            body.append(f"<tr>{''.join(cells)}</tr>\n")
        caption = html.escape(self.caption)
        # the caption stays outside of the region, or it would scroll away with the table
        title = f'<p class="caption">{caption}</p>\n' if caption else ""
        label = caption or "table"
        return (
            f'<div class="table">\n{title}'
            f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">\n'
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(body)}</tbody>\n"
            f"</table>\n</div>\n</div>\n"
        )

    def _repr_html_(self) -> str:
        # what a notebook shows
        return f'<div class="rn">\n{_NOTEBOOK}{self.to_html()}</div>\n'


def _long(cell: Cell) -> str:
    # prose needs width, or it becomes a column of single words
    return " long" if isinstance(cell, str) and len(cell) > 30 else ""


def _csv_columns(name: str, values: list[object]) -> list[str]:
    if any(isinstance(v, Bounded) for v in values):
        return [name, f"{name} low", f"{name} high", f"{name} n"]
    if any(isinstance(v, tuple) for v in values):
        return [f"{name} low", f"{name} high"]
    return [name]


def _csv_fields(value: object, width: int) -> list[str]:
    fields: list[str]
    if isinstance(value, Bounded):
        fields = [*map(_number, (value.estimate, value.low, value.high)), str(int(value.n))]
    elif isinstance(value, tuple):
        # beside intervals, a bare pair of bounds has no estimate
        fields = [""] * (width == 4) + [_number(v) for v in value]
    elif value is None:
        fields = []
    elif isinstance(value, str):
        fields = [_csv_text(value)]
    elif isinstance(value, bool):
        fields = ["yes" if value else "no"]
    else:
        fields = [_number(value)]
    return fields + [""] * (width - len(fields))


def _csv_text(text: str) -> str:
    """Text that no spreadsheet carries out; a number with its sign is none to be carried out.

    Source: OWASP, "CSV Injection"; the wide forms are read like the narrow ones in some places.
    """
    text = printable(text)
    begins = text.strip()[:1] in _FORMULA and text.strip() != ""
    return f"'{text}" if begins and not _NUMBER.fullmatch(text) else text


def _number(value: object) -> str:
    # a NumPy float32 prints by its own shortest digits, which float() would lengthen
    return str(value) if hasattr(value, "dtype") else repr(value)
