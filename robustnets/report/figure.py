"""A figure with its words, and its files: the same bytes whenever the numbers are the same."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from robustnets.core.store import write_atomically
from robustnets.report.cells import escape_markdown
from robustnets.report.dots import Dots, Point, bar_or_dot_figure, scatter_figure
from robustnets.report.heat import Heat, heat_figure
from robustnets.report.images import image_grid
from robustnets.report.lines import Panel, Series, Threshold, line_figure, panels_figure
from robustnets.report.printable import printable
from robustnets.report.style import PALETTE, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

__all__ = [
    "PALETTE",
    "Dots",
    "Figure",
    "Heat",
    "Panel",
    "Point",
    "Series",
    "Threshold",
    "bar_or_dot_figure",
    "heat_figure",
    "image_grid",
    "line_figure",
    "panels_figure",
    "png_bytes",
    "save",
    "scatter_figure",
    "svg_text",
]

DPI = 160
NOTEBOOK_DPI = 120  # a notebook holds all of its pictures
_STEM = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")


def check_stem(stem: str) -> None:
    """Refuse what would not be safe as a file name and an id at once.

    Raises:
        ValueError: unless it is lower-case words joined by "-" or "_".
    """
    if not _STEM.fullmatch(stem):
        raise ValueError(
            f"a stem is lower-case letters and digits joined by '-' or '_', got {stem!r}"
        )


@dataclass(frozen=True, eq=False, slots=True)
class Figure:
    """A drawing and what is said about it.

    Args:
        stem: the name of its files, such as "accuracy-over-eps".
        caption: what a reader learns from it, plain text.
        alt: what it shows, for those who cannot see it, plain text.
        build: the drawing, from one of the functions of this module.
        raster: a page embeds the PNG, not the SVG: for pictures and thousands of points.

    Raises:
        ValueError: for an unsafe stem or a missing alt.
    """

    stem: str
    caption: str
    alt: str
    build: "Canvas"
    raster: bool = False

    def __post_init__(self) -> None:
        check_stem(self.stem)
        if not self.alt.strip():
            raise ValueError(f"figure {self.stem!r} needs an alt text: say what it shows")

    @property
    def inches(self) -> tuple[float, float]:
        """Width and height of the drawing."""
        width, height = self.build.get_size_inches()
        return float(width), float(height)

    def _ipython_display_(self) -> None:
        # what a notebook shows: the picture, then its caption
        from IPython.display import Image, Markdown, display

        picture = png_bytes(self, NOTEBOOK_DPI)
        display(Image(picture, width=round(96 * self.inches[0]), alt=self.alt))
        if self.caption:
            display(Markdown(escape_markdown(self.caption)))


def png_bytes(figure: Figure, dpi: int = DPI) -> bytes:
    """Render at so many dots per inch; no date and no versions inside."""
    buffer = io.BytesIO()
    with styled(figure.stem):
        figure.build.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def svg_text(figure: Figure) -> str:
    """Render as SVG with text as paths, so that it looks the same without its font."""
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with styled(figure.stem):
        figure.build.savefig(buffer, format="svg", metadata=nothing)
    # texts stand in comments, too
    return printable(re.sub(r"[ \t]+$", "", buffer.getvalue(), flags=re.MULTILINE))


def save(figure: Figure, folder: Path) -> tuple[Path, Path]:
    """Write a figure as PNG and SVG, atomically.

    Args:
        figure: what to write.
        folder: made where it is missing.

    Returns:
        The paths of the PNG and of the SVG.
    """
    png, svg = png_bytes(figure), svg_text(figure).encode()
    return (
        write_atomically(Path(folder) / f"{figure.stem}.png", lambda p: p.write_bytes(png)),
        write_atomically(Path(folder) / f"{figure.stem}.svg", lambda p: p.write_bytes(svg)),
    )
