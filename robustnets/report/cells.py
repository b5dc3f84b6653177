"""What may stand in a table cell, and how it reads: raw in CSV, formatted everywhere else."""

import html
import math
import numbers
import re
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from robustnets.report.printable import printable

MINUS = "\N{MINUS SIGN}"
EMPTY = "\N{EN DASH}"
KINDS = ("good", "warn", "bad", "plain")
_MARKS = {"inside": "●", "above": "▲", "below": "▼", "PASS": "✓", "WARN": "!", "FAIL": "✗"}


@runtime_checkable
class Bounded(Protocol):
    """An estimate with bounds, such as `robustnets.stats.intervals.Interval`.

    Known by its fields, because importing the statistics costs a second.
    """

    @property
    def estimate(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def n(self) -> int: ...


Bounds: TypeAlias = tuple[float, float]
Quantity: TypeAlias = float | Bounded | Bounds | None


@dataclass(frozen=True, slots=True)
class Percent:
    """A fraction, an interval of one or a pair of bounds, shown in percent.

    Args:
        value: in fractions (0.97 shows as 97.00).
        digits: decimals shown; None shows as many as there are, at most 4.
    """

    value: Quantity
    digits: int | None = 2


@dataclass(frozen=True, slots=True)
class Points:
    """A difference of fractions, shown in percentage points with its sign."""

    value: Quantity
    digits: int = 2


@dataclass(frozen=True, slots=True)
class Fixed:
    """A number, interval or pair of bounds with a fixed number of decimals."""

    value: Quantity
    digits: int = 2


@dataclass(frozen=True, slots=True)
class PValue:
    """A p-value in [0, 1]."""

    value: float | None


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration in seconds."""

    value: float | None


@dataclass(frozen=True, slots=True)
class Word:
    """A word that carries a judgement, such as a verdict.

    Args:
        text: the word.
        kind: one of `KINDS`, its colour; a mark beside it says the same without colour.

    Raises:
        ValueError: for an unknown kind.
    """

    text: str
    kind: str = "plain"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Link:
    """A word that leads to another page, by relative path or over https.

    Raises:
        ValueError: for an address that is neither.
    """

    text: str
    href: str

    def __post_init__(self) -> None:
        web = self.href.startswith(("https://", "http://"))
        if re.search(r"[\s\"'<>()]", self.href) or not (web or ":" not in self.href):
            raise ValueError(f"href must be a relative path or an https address, got {self.href!r}")


Cell: TypeAlias = (
    str | int | float | Bounded | Bounds | Percent | Points | Fixed | PValue | Seconds | Word
    | Link | None
)  # fmt: skip


def _fixed(x: float, digits: int | None, signed: bool = False) -> str:
    if math.isnan(x):
        return "n/a"
    if math.isinf(x):
        return "∞" if x > 0 else f"{MINUS}∞"
    text = f"{abs(x):.{4 if digits is None else digits}f}"
    if digits is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    if not text.strip("0."):  # what rounds to zero has no sign
        return text
    return (MINUS if x < 0 else "+" if signed else "") + text


def percent(x: float, digits: int | None = 2) -> str:
    """Show a fraction in percent, without the sign: 0.9755 is "97.55"."""
    return _fixed(100 * float(x), digits)


def points(x: float, digits: int = 2) -> str:
    """Show a difference of fractions in percentage points, signed: 0.012 is "+1.20"."""
    return _fixed(100 * float(x), digits, signed=True)


def bounds_text(low: float, high: float, show) -> str:
    """Show bounds as "[low, high]"; two infinite ones are "[no interval]"."""
    if math.isinf(low) and math.isinf(high):
        return "[no interval]"
    return f"[{show(low)}, {show(high)}]"


def interval_percent(interval: Bounded, digits: int = 2) -> str:
    """Show an interval of fractions in percent: "97.55 [97.40, 97.68]"."""
    return " ".join(_quantity(interval, lambda x: percent(x, digits)))


def p_value(p: float) -> str:
    """Show a p-value: "0.042", and "< 0.001" below that.

    Raises:
        ValueError: outside [0, 1].
    """
    if math.isnan(p):
        return "n/a"
    if not 0 <= p <= 1:
        raise ValueError(f"a p-value lies in [0, 1], got {p}")
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def seconds(s: float) -> str:
    """Show a duration: "0.42 s", "12 s", "3 min 20 s", "2 h 05 min".

    Raises:
        ValueError: if negative or not finite.
    """
    if not (math.isfinite(s) and s >= 0):
        raise ValueError(f"seconds must be finite and >= 0, got {s}")
    if s < 9.95:
        return f"{s:.2g} s" if s < 1 else f"{s:.1f} s"
    whole = round(s)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(s / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plain(x: float) -> str:
    """Show a number nobody chose a format for: integers whole, others to 4 significant digits."""
    if isinstance(x, numbers.Integral):
        # years, epochs and seeds read better unseparated; counts of examples do not
        return (f"{int(x):,}" if abs(int(x)) >= 10_000 else str(int(x))).replace("-", MINUS)
    x = float(x)
    return f"{x:.4g}".replace("-", MINUS) if math.isfinite(x) else _fixed(x, 2)


def _quantity(value: Quantity, show) -> tuple[str, ...]:
    """The estimate and the bounds, whichever there are, as text."""
    if value is None:
        return (EMPTY,)
    if isinstance(value, tuple):
        return (bounds_text(value[0], value[1], show),)
    if isinstance(value, Bounded):
        return (show(value.estimate), bounds_text(value.low, value.high, show))
    return (show(value),)


def parts(cell: Cell) -> tuple[str, ...]:
    """Show a cell as text: one part, or an estimate and its bounds.

    Raises:
        ValueError: for a value that is no cell.
    """
    if isinstance(cell, Percent):
        return _quantity(cell.value, lambda x: percent(x, cell.digits))
    if isinstance(cell, Points):
        return _quantity(cell.value, lambda x: points(x, cell.digits))
    if isinstance(cell, Fixed):
        return _quantity(cell.value, lambda x: _fixed(float(x), cell.digits))
    if isinstance(cell, PValue):
        return (EMPTY if cell.value is None else p_value(cell.value),)
    if isinstance(cell, Seconds):
        return (EMPTY if cell.value is None else seconds(cell.value),)
    if isinstance(cell, Word):
        text = printable(cell.text)
        return (f"{_MARKS[text]} {text}" if text in _MARKS else text,)
    if isinstance(cell, Link):
        return (printable(cell.text),)
    if isinstance(cell, str):
        return (printable(cell),)
    if isinstance(cell, bool):
        return ("yes" if cell else "no",)
    if (
        cell is None
        or isinstance(cell, (Bounded, numbers.Real))
        or (isinstance(cell, tuple) and len(cell) == 2)
    ):
        return _quantity(cell, plain)
    raise ValueError(
        f"a cell is text, a number, None, an interval or one of robustnets.report.cells, "
        f"got {type(cell).__name__}: {cell!r}"
    )


def raw(cell: Cell) -> object:
    """What a cell holds, unformatted: text, a number, None, an interval or a pair of bounds."""
    if isinstance(cell, (Word, Link)):
        return cell.text
    if isinstance(cell, (Percent, Points, Fixed, PValue, Seconds)):
        return cell.value
    return cell


def is_text(cell: Cell) -> bool:
    """Whether a cell reads as words rather than as a number; None is neither."""
    return isinstance(raw(cell), (str, bool))


def as_html(cell: Cell) -> str:
    """A cell as escaped HTML; bounds stand in a span of class "bounds"."""
    shown = [html.escape(part) for part in parts(cell)]
    if isinstance(cell, Link):
        return f'<a href="{html.escape(cell.href)}">{shown[0]}</a>'
    if isinstance(cell, Word):
        return f'<span class="word {cell.kind}">{shown[0]}</span>'
    if isinstance(cell, str):
        # long names of settings may break where their words do
        return re.sub(r"((?<=\w)[_(=/](?=\w)|,(?=[A-Za-z_]))", r"\1<wbr>", shown[0])
    return " ".join([shown[0], *(f'<span class="bounds">{part}</span>' for part in shown[1:])])


def as_markdown(cell: Cell) -> str:
    """A cell as Markdown on one line."""
    text = " ".join(parts(cell))
    if not is_text(cell):
        return escape_markdown(text, "<")  # brackets of bounds are not links
    return f"[{escape_markdown(text)}]({cell.href})" if isinstance(cell, Link) else (
        escape_markdown(text)
    )  # fmt: skip


def escape_markdown(text: str, special: str = "\\|*`<[]~$") -> str:
    """Keep Markdown from reading plain text as markup; line breaks become spaces."""
    text = " ".join(printable(text).split())
    text = "".join(f"\\{c}" if c in special else c for c in text)
    # underscores inside a word are no emphasis, and the names of metrics stay readable
    return re.sub(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])", r"\\_", text)
