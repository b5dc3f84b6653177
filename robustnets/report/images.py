"""Pictures in rows and columns, pixel by pixel."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from robustnets.report import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_GAP = 0.06  # between pictures, in widths of a picture
LONGEST = 80  # characters of a label
_NOTE = 0.24  # room for a note below a picture


def image_grid(
    images: Any,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    cell_notes: Sequence[Sequence[str]] | None = None,
    title: str | None = None,
    colormap: str = "gray",
) -> "Canvas":
    """Draw images as they are stored: 0 dark, 1 light, no smoothing.

    Args:
        images: float (R, C, H, W, channels) in [0, 1], channels 1 or 3; a picture of NaN
            leaves its place empty.
        row_labels: R names.
        column_labels: C names.
        cell_notes: R rows of C short notes below the pictures, such as "7 → 3"; None for none.
        title: None where the caption says it.
        colormap: for one channel, a name that matplotlib knows.

    Raises:
        ValueError: for another shape, values outside [0, 1] or labels that do not match.
    """
    images = np.asarray(images, float)
    if images.ndim != 5 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"images must be (R, C, H, W, 1 or 3), got {images.shape}")
    rows, columns, height, width, _ = images.shape
    if (len(row_labels), len(column_labels)) != (rows, columns):
        raise ValueError(
            f"{rows} x {columns} images need as many labels, "
            f"got {len(row_labels)} and {len(column_labels)}"
        )
    if cell_notes is not None and [len(row) for row in cell_notes] != [columns] * rows:
        raise ValueError(f"cell_notes must be {rows} rows of {columns}")
    if np.nanmin(images) < 0 or np.nanmax(images) > 1:
        raise ValueError(
            f"images must lie in [0, 1], got [{np.nanmin(images):g}, {np.nanmax(images):g}]"
        )
    aspect = height / width
    step = aspect + _GAP + (_NOTE if cell_notes is not None else 0)
    size = max(0.62, min(1.1, 3.9 / columns))  # inches of a picture's width
    margin = 0.15 + 0.085 * max(len(line) for label in row_labels for line in _lines(label))
    with style.styled():
        grid_width, grid_height = columns * (1 + _GAP), rows * step
        heads = 0.2 * max(len(_lines(label, int(size * 11))) for label in column_labels) + 0.08
        figure = style.canvas(margin + size * grid_width, heads + size * grid_height)
        ax = figure.subplots()
        for r in range(rows):
            for c in range(columns):
                _place(ax, images[r, c], c * (1 + _GAP), r * step, aspect, colormap)
                if cell_notes is not None and cell_notes[r][c]:
                    note = " ".join(cell_notes[r][c].split())
                    note = style.literal(note, max(12, int(16 * size)))
                    ax.text(
                        c * (1 + _GAP) + 0.5, r * step + aspect + 0.03, note,
                        ha="center", va="top", size=style.FONT - 2, color=style.INK,
                    )  # fmt: skip
        for r, label in enumerate(row_labels):
            ax.text(-0.1, r * step + aspect / 2, "\n".join(_lines(label)), ha="right", va="center")
        for c, label in enumerate(column_labels):
            text = "\n".join(_lines(label, int(size * 11)))
            ax.text(c * (1 + _GAP) + 0.5, -0.06, text, ha="center", va="bottom")
        ax.set_xlim(0, grid_width)
        ax.set_ylim(grid_height, 0)
        ax.set_aspect("equal")
        ax.set_axis_off()
        return style.finish(figure, title)


def _lines(label: str, width: int = 16) -> list[str]:
    return style.wrapped(style.literal(label, LONGEST), max(width, 4)).split("\n")


def _place(ax: Any, image: np.ndarray, x: float, y: float, aspect: float, colormap: str) -> None:
    if np.isnan(image).all():
        return
    picture = image[..., 0] if image.shape[-1] == 1 else image
    ax.imshow(
        picture, cmap=colormap, vmin=0, vmax=1, interpolation="nearest",
        extent=(x, x + 1, y + aspect, y),
    )  # fmt: skip
    from matplotlib.patches import Rectangle

    # a light picture on white paper still shows where it ends
    ax.add_patch(Rectangle((x, y), 1, aspect, fill=False, edgecolor=style.RULE, linewidth=0.8))
