"""Curves with error bands, alone or as small multiples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from robustnets.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# a curve with more points than this shows markers on some of them only
_DENSE = 16


@dataclass(frozen=True, eq=False)
class Series:
    """One curve.

    Args:
        label: its name in the legend; curves of one figure with one label look the same.
        x: (P,), finite.
        y: (P,), NaN leaves a gap.
        low: (P,), lower edge of the band; None draws none.
        high: (P,), upper edge; given exactly when `low` is.
        style: "-", "--", "-." or ":".
        marker: a matplotlib marker, "" for none; None takes the next of the house style.
        color: a matplotlib colour; None takes the next of the house style.

    Raises:
        ValueError: if the shapes differ or only one edge is given.
    """

    label: str
    x: Any
    y: Any
    low: Any = None
    high: Any = None
    style: str = "-"
    marker: str | None = None
    color: str | None = None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"series {self.label!r}: give both low and high, or neither")
        shape = np.shape(self.x)
        if len(shape) != 1 or shape[0] == 0:
            raise ValueError(f"series {self.label!r}: x must be (P,) with P >= 1, got {shape}")
        for name in ("y", "low", "high"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != shape:
                raise ValueError(
                    f"series {self.label!r}: {name} is {np.shape(values)}, x is {shape}"
                )


@dataclass(frozen=True, slots=True)
class Threshold:
    """A reference line, such as guessing.

    Args:
        value: where it stands.
        label: written along it.
        axis: "y" for a level line, "x" for an upright one.

    Raises:
        ValueError: for another axis.
    """

    value: float
    label: str = ""
    axis: str = "y"

    def __post_init__(self) -> None:
        if self.axis not in ("x", "y"):
            raise ValueError(f"axis must be 'x' or 'y', got {self.axis!r}")


@dataclass(frozen=True)
class Panel:
    """One plot among several.

    Args:
        title: above the plot.
        series: at least one; the same label is the same curve in every panel.
        x_label: with its unit.
        y_label: with its unit.
        thresholds: reference lines.
        percent: y are fractions, shown in percent.
        x_log: logarithmic x.
        y_log: logarithmic y.

    Raises:
        ValueError: without series.
    """

    title: str
    series: Sequence[Series]
    x_label: str = ""
    y_label: str = ""
    thresholds: Sequence[Threshold] = ()
    percent: bool = False
    x_log: bool = False
    y_log: bool = False

    def __post_init__(self) -> None:
        if not self.series:
            raise ValueError(f"panel {self.title!r} has no series: pass at least one")


def line_figure(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    title: str | None = None,
    thresholds: Sequence[Threshold] = (),
    percent: bool = False,
    x_log: bool = False,
    y_log: bool = False,
) -> "Canvas":
    """Draw curves into one plot, the legend above it.

    Args:
        series: at least one.
        x_label: with its unit.
        y_label: with its unit.
        title: None where the caption says it.
        thresholds: reference lines.
        percent: y are fractions, shown in percent.
        x_log: logarithmic x.
        y_log: logarithmic y.

    Raises:
        ValueError: without series.
    """
    panel = Panel("", tuple(series), x_label, y_label, tuple(thresholds), percent, x_log, y_log)
    with style.styled():
        figure = style.canvas(style.WIDTH, 3.1)
        handles = _draw(figure.subplots(), panel, _looks([panel]))
        return style.finish(figure, title, list(handles.values()))


def panels_figure(
    panels: Sequence[Panel],
    columns: int = 2,
    title: str | None = None,
    share_y: bool = False,
) -> "Canvas":
    """Draw small multiples with one legend.

    Args:
        panels: at least one, in reading order.
        columns: plots side by side; more than two scroll sideways on a phone.
        title: None where the caption says it.
        share_y: one scale for all, so that heights compare.

    Raises:
        ValueError: without panels, or columns < 1.
    """
    if not panels or columns < 1:
        raise ValueError(f"need panels and columns >= 1, got {len(panels)} and {columns}")
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    with style.styled():
        width = style.WIDTH if columns == 1 else 2.9 * columns
        figure = style.canvas(width, 2.75 * rows)
        axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
        engine: Any = figure.get_layout_engine()
        engine.set(wspace=0.04, hspace=0.06)
        looks = _looks(panels)
        handles: dict[str, Any] = {}
        for ax, panel in zip(axes.flat, panels):
            handles = {**_draw(ax, panel, looks), **handles}
        for ax in axes.flat[len(panels) :]:
            ax.remove()
        return style.finish(figure, title, list(handles.values()))


def _looks(panels: Sequence[Panel]) -> dict[str, int]:
    """The index of each label's colour and marker, by first appearance."""
    labels = dict.fromkeys(s.label for panel in panels for s in panel.series)
    return {label: i for i, label in enumerate(labels)}


def _draw(ax: "Axes", panel: Panel, looks: dict[str, int]) -> dict[str, Any]:
    handles: dict[str, Any] = {}
    for s in panel.series:
        i = looks[s.label]
        x, y = np.asarray(s.x, float), np.asarray(s.y, float)
        colour = s.color or style.color(i)
        if s.low is not None:
            low, high = np.asarray(s.low, float), np.asarray(s.high, float)
            ax.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        every = max(1, len(x) // 8) if len(x) > _DENSE else 1
        (handles[s.label],) = ax.plot(
            x, y, s.style, color=colour, label=style.literal(s.label),
            marker=style.marker(i) if s.marker is None else s.marker,
            markeredgecolor="white", markeredgewidth=0.6,
            # curves that coincide keep their markers apart
            markevery=(i * every // 3 % every, every), clip_on=True, zorder=3,
        )  # fmt: skip
    if panel.x_log:
        ax.set_xscale("log")
        style.plain_log(ax.xaxis)
    if panel.y_log:
        ax.set_yscale("log")
        ax.margins(y=0.12)  # room for the label of a threshold at the top
        if panel.percent:
            ax.set_ylim(top=min(ax.get_ylim()[1], 1.15))  # there is no 200 %
    if panel.percent:
        style.rates_axis(ax.yaxis)
        if not panel.y_log:
            _fit_rates(ax, panel)
    for threshold in panel.thresholds:
        _rule(ax, threshold)
    style.name_axes(ax, panel.x_label, panel.y_label, style.literal(panel.title) or None)
    return handles


def _fit_rates(ax: "Axes", panel: Panel) -> None:
    """Start at zero unless every rate is high, and never leave [0, 1] by more than a line."""
    values = np.concatenate(
        [np.ravel(np.asarray(v, float)) for s in panel.series for v in (s.y, s.low, s.high)
         if v is not None]
    )  # fmt: skip
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() < 0 or finite.max() > 1:
        return
    low, high = ax.get_ylim()
    least = 0.0 if finite.min() < 0.5 else max(0.0, low)
    most = 1.0 if finite.max() > 0.9 else min(1.0, high)
    # a curve along 0 or 100 % must not be cut in half by the edge of the plot
    slack = 0.02 * (most - least)
    ax.set_ylim(least - slack, most + slack)


def _rule(ax: "Axes", threshold: Threshold) -> None:
    look: dict[str, Any] = {
        "color": style.MUTED,
        "linewidth": 1.1,
        "linestyle": (0, (4, 3)),
        "zorder": 2,
    }
    small: dict[str, Any] = {
        "color": style.MUTED,
        "size": style.FONT - 1.5,
        "textcoords": "offset points",
    }
    if threshold.axis == "y":
        ax.axhline(threshold.value, **look)
        spot: tuple[float, float] = (1, threshold.value)
        offset, ha, frame = (0, 3), "right", ax.get_yaxis_transform()
    else:
        ax.axvline(threshold.value, **look)
        # on the side where there is more room for the words
        late = ax.transAxes.inverted().transform(ax.transData.transform((threshold.value, 1)))[0]
        spot = (threshold.value, 1)
        offset, ha = ((-4, -3), "right") if late > 0.5 else ((4, -3), "left")
        frame = ax.get_xaxis_transform()
    if threshold.label:
        va = "bottom" if threshold.axis == "y" else "top"
        ax.annotate(
            style.literal(threshold.label), spot, offset, xycoords=frame, ha=ha, va=va, zorder=4,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}, **small,
        )  # fmt: skip
