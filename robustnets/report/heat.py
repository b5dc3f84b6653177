"""Grids of numbers as colours, the numbers written into them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from robustnets.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_MAP = "Blues"  # one hue, light to dark, which still reads in grey and without colour vision
LONGEST = 30  # characters of a label
_DARK = 0.6  # of the scale: beyond it numbers are white


@dataclass(frozen=True, eq=False)
class Heat:
    """One grid.

    Args:
        title: above it.
        values: (R, C); NaN leaves a place empty.
        low, high: ends of the colour scale; None takes those of the values.
        percent: values are fractions, shown in percent.
        digits: decimals of the numbers written into the grid.

    Raises:
        ValueError: for another shape, or nothing but NaN.
    """

    title: str
    values: Any
    low: float | None = None
    high: float | None = None
    percent: bool = False
    digits: int = 1

    def __post_init__(self) -> None:
        values = np.asarray(self.values, float)
        if values.ndim != 2 or not np.isfinite(values).any():
            raise ValueError(
                f"grid {self.title!r} needs values (R, C), some of them finite, got {values.shape}"
            )


def heat_figure(
    grids: Sequence[Heat],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    x_label: str,
    y_label: str,
    columns: int = 2,
    marked: tuple[int, int] | None = None,
    title: str | None = None,
) -> "Canvas":
    """Draw grids that share their rows and columns: darker is more.

    Args:
        grids: at least one, in reading order.
        row_labels: R names.
        column_labels: C names.
        x_label: what the columns are.
        y_label: what the rows are.
        columns: grids side by side.
        marked: row and column of a place that is framed in every grid, or None.
        title: None where the caption says it.

    Raises:
        ValueError: without grids, with columns < 1, or labels that do not match.
    """
    if not grids or columns < 1:
        raise ValueError(f"need grids and columns >= 1, got {len(grids)} and {columns}")
    shape = (len(row_labels), len(column_labels))
    for grid in grids:
        if np.shape(grid.values) != shape:
            raise ValueError(
                f"grid {grid.title!r} is {np.shape(grid.values)} for {shape[0]} row labels and "
                f"{shape[1]} column labels"
            )
    columns = min(columns, len(grids))
    rows = math.ceil(len(grids) / columns)
    with style.styled():
        figure = style.canvas((0.75 * shape[1] + 0.9) * columns, (0.42 * shape[0] + 1.05) * rows)
        axes = figure.subplots(rows, columns, squeeze=False)
        engine: Any = figure.get_layout_engine()
        engine.set(wspace=0.04, hspace=0.06)
        for ax, grid in zip(axes.flat, grids):
            _draw(ax, grid, marked)
            ax.set_xticks(range(shape[1]), [style.literal(n, LONGEST) for n in column_labels])
            ax.set_yticks(range(shape[0]), [style.literal(n, LONGEST) for n in row_labels])
            style.name_axes(ax, x_label, y_label, style.literal(grid.title))
        for ax in axes.flat[len(grids) :]:
            ax.remove()
        return style.finish(figure, title)


def _draw(ax: Any, grid: Heat, marked: tuple[int, int] | None) -> None:
    from matplotlib.patches import Rectangle

    values = np.asarray(grid.values, float)
    low = np.nanmin(values) if grid.low is None else grid.low
    high = np.nanmax(values) if grid.high is None else grid.high
    span = high - low if high > low else 1.0
    ax.imshow(values, cmap=_MAP, vmin=low, vmax=low + span, aspect="auto")
    for (r, c), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        shown = 100 * value if grid.percent else value
        ax.text(
            c, r, f"{shown:.{grid.digits}f}", ha="center", va="center",
            color="white" if (value - low) / span > _DARK else style.INK,
        )  # fmt: skip
    ax.grid(visible=False)
    ax.tick_params(length=0, labelcolor=style.INK)
    for side in ax.spines.values():
        side.set_visible(False)
    if marked is not None:
        r, c = marked
        ax.add_patch(
            Rectangle((c - 0.5, r - 0.5), 1, 1, fill=False, edgecolor=style.INK, linewidth=2.2,
                      clip_on=False, zorder=4)
        )  # fmt: skip
