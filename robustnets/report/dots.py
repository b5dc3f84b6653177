"""Dots with error bars: trade-offs in the plane, and one configuration per row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robustnets.report import style
from robustnets.report.cells import Bounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from robustnets.stats.intervals import Interval


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration in the plane.

    Args:
        label: written beside it.
        x: an estimate, or one with its interval, which draws error bars.
        y: likewise.
        group: points of one group share a colour and a marker; "" is the first group.
    """

    label: str
    x: "float | Interval"
    y: "float | Interval"
    group: str = ""


@dataclass(frozen=True, slots=True)
class Dots:
    """One row: a configuration, its interval, its training runs and the reported value.

    Args:
        label: of the row.
        interval: the estimate, drawn bold with its bounds; None draws none.
        seeds: one value per training run, drawn faint.
        reported: the value of the original report; None draws none.
        group: rows of one group share a colour; "" is the first group.

    Raises:
        ValueError: for a row with nothing to draw.
    """

    label: str
    interval: "Interval | None" = None
    seeds: tuple[float, ...] = ()
    reported: float | None = None
    group: str = ""

    def __post_init__(self) -> None:
        if self.interval is None and not self.seeds and self.reported is None:
            raise ValueError(f"row {self.label!r} is empty: give an interval, seeds or reported")


def scatter_figure(
    points: Sequence[Point],
    x_label: str,
    y_label: str,
    title: str | None = None,
    percent: bool = False,
) -> "Canvas":
    """Draw a trade-off: labelled points with error bars on both axes.

    Args:
        points: at least one.
        x_label: with its unit.
        y_label: with its unit.
        title: None where the caption says it.
        percent: both are fractions, shown in percent.

    Raises:
        ValueError: without points.
    """
    if not points:
        raise ValueError("points is empty: pass at least one Point")
    groups = list(dict.fromkeys(p.group for p in points))
    with style.styled():
        figure = style.canvas(style.WIDTH, 3.7)
        ax = figure.subplots()
        ax.margins(0.14)
        handles: dict[str, Any] = {}
        for p in points:
            i = groups.index(p.group)
            (x, x_bars), (y, y_bars) = _bars(p.x), _bars(p.y)
            drawn = ax.errorbar(
                [x], [y], xerr=x_bars, yerr=y_bars, fmt=style.marker(i), color=style.color(i),
                markersize=7.5, elinewidth=1.3, markeredgecolor="white", zorder=3,
                label=style.literal(p.group),
            )  # fmt: skip
            handles.setdefault(p.group, drawn.lines[0])
        for group, handle in handles.items():
            handle.set_label(style.literal(group))
        if percent:
            style.rates_axis(ax.xaxis)
            style.rates_axis(ax.yaxis)
        style.name_axes(ax, x_label, y_label)
        style.finish(figure, title, list(handles.values()))
        _label(ax, points)
        return figure


def bar_or_dot_figure(
    rows: Sequence[Dots],
    x_label: str,
    title: str | None = None,
    percent: bool = False,
    x_log: bool = False,
) -> "Canvas":
    """Draw one row per configuration: training runs faint, the interval bold, the report hollow.

    Args:
        rows: at least one, from top to bottom, labels all different.
        x_label: with its unit.
        title: None where the caption says it.
        percent: values are fractions, shown in percent.
        x_log: logarithmic x.

    Raises:
        ValueError: without rows, or with a label twice.
    """
    labels = [row.label for row in rows]
    if not rows or len(set(labels)) != len(labels):
        raise ValueError(f"rows need labels that differ, got {labels}")
    groups = list(dict.fromkeys(row.group for row in rows))
    with style.styled():
        names = [style.wrapped(style.literal(label, 200), 24) for label in labels]
        height = 0.2 + 0.17 * max(name.count("\n") + 1 for name in names)
        figure = style.canvas(style.WIDTH, 0.75 + height * len(rows))
        ax = figure.subplots()
        handles: dict[str, Any] = {}
        for place, row in enumerate(rows):
            for name, handle in _row(ax, row, place, groups.index(row.group)).items():
                handles.setdefault(name, handle)
        ax.set_yticks(range(len(rows)), names)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0, labelcolor=style.INK)
        ax.spines["left"].set_visible(False)
        if x_log:
            ax.set_xscale("log")
            style.plain_log(ax.xaxis)
        else:
            style.few_ticks(ax.xaxis)
        if percent:
            style.rates_axis(ax.xaxis)
        ax.set_xlabel(x_label)
        return style.finish(figure, title, list(handles.values()))


def _bars(value: Any) -> tuple[float, list[list[float]] | None]:
    """An estimate and its error bars as matplotlib wants them, as distances."""
    if isinstance(value, Bounded):
        return value.estimate, [[value.estimate - value.low], [value.high - value.estimate]]
    return float(value), None


def _row(ax: "Axes", row: Dots, place: int, group: int) -> dict[str, Any]:
    colour, handles = style.color(group), {}
    if row.seeds:
        (handles["one training run"],) = ax.plot(
            row.seeds, [place] * len(row.seeds), "|", color=colour, alpha=0.55, markersize=11,
            markeredgewidth=1.5, label="one training run", zorder=3,
        )  # fmt: skip
    if row.interval is not None:
        estimate, bars = _bars(row.interval)
        name = style.literal(row.group) or "estimate and interval"
        drawn = ax.errorbar(
            [estimate], [place], xerr=bars, fmt=style.marker(group), color=colour, elinewidth=2.6,
            markersize=7.5, markeredgecolor="white", label=name, zorder=4,
        )  # fmt: skip
        handles[name] = drawn.lines[0]
        handles[name].set_label(name)
    if row.reported is not None:
        (handles["reported"],) = ax.plot(
            [row.reported], [place], "D", markerfacecolor="white", markeredgecolor=style.INK,
            markersize=7, markeredgewidth=1.4, label="reported", zorder=5,
        )  # fmt: skip
    return handles


# offsets in points with their alignments, the most readable first
_SPOTS = (
    (7, 5, "left", "bottom"), (-7, 5, "right", "bottom"), (7, -5, "left", "top"),
    (-7, -5, "right", "top"), (0, 9, "center", "bottom"), (0, -9, "center", "top"),
    (7, 16, "left", "bottom"), (-7, 16, "right", "bottom"), (7, -16, "left", "top"),
    (-7, -16, "right", "top"),
)  # fmt: skip


def _label(ax: "Axes", points: Sequence[Point]) -> None:
    """Write each label where it covers least of the plot: points, bars and earlier labels."""
    from matplotlib.transforms import Bbox

    taken = []
    for p in points:
        (x, x_bars), (y, y_bars) = _bars(p.x), _bars(p.y)
        at = ax.transData.transform((x, y))
        taken.append(Bbox.from_extents(*(at - 9), *(at + 9)))
        for bars, horizontal in ((x_bars, True), (y_bars, False)):
            if bars is not None:
                less, more = bars[0][0], bars[1][0]
                across, up = (1, 0) if horizontal else (0, 1)
                ends = [(x - less * across, y - less * up), (x + more * across, y + more * up)]
                (x0, y0), (x1, y1) = ax.transData.transform(ends)
                taken.append(Bbox.from_extents(x0 - 2, y0 - 2, x1 + 2, y1 + 2))
    inside = ax.get_window_extent()
    for p in points:
        spot = (_bars(p.x)[0], _bars(p.y)[0])
        best: tuple[float, Any, Any] | None = None
        for dx, dy, ha, va in _SPOTS:
            text = ax.annotate(
                style.literal(p.label), spot, (dx, dy), textcoords="offset points", ha=ha, va=va,
                size=style.FONT - 1, zorder=6,
            )  # fmt: skip
            box = text.get_window_extent()
            cost = sum(_overlap(box, other) for other in taken)
            cost += 4 * (box.width * box.height - _overlap(box, inside))
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = (cost, text, box)
            else:
                text.remove()
        if best is not None:
            taken.append(best[2])


def _overlap(a: Any, b: Any) -> float:
    """Area that two boxes share, in square pixels."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(0.0, width) * max(0.0, height)
