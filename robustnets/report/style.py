"""One look for every figure: colours, markers, sizes and the space above a plot.

Colours: Okabe & Ito 2008, "Color Universal Design", without the yellow, which vanishes on white.
Everything draws through matplotlib's objects; pyplot and its global state are never loaded.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from robustnets.report.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# by contrast against white, so that few series get the strongest
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
# one more than colours would give the same pairs only after 56 series
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, MUTED, RULE = "#1d1f21", "#55595e", "#dcdcd8"
# inches; 5 in across a phone of 360 px leaves 10.5 pt text about 10 px tall
WIDTH = 5.0
FONT = 10.5

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": FONT,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": FONT - 0.5,
    "ytick.labelsize": FONT - 0.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "legend.frameon": False,
    "legend.fontsize": FONT - 0.5,
    "legend.handlelength": 2.4,
    "legend.columnspacing": 1.4,
    "legend.borderpad": 0.0,
    "legend.borderaxespad": 0.0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
}


@contextmanager
def styled(salt: str = "robustnets") -> Iterator[None]:
    """Draw in the house style whatever the user's matplotlibrc says; settings come back after.

    Args:
        salt: what the ids inside an SVG are derived from.
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = {**_RC, "svg.hashsalt": salt}
        matplotlib.rcParams.update(settings)
        yield


def color(index: int) -> str:
    """Colour of the i-th series."""
    return PALETTE[index % len(PALETTE)]


def marker(index: int) -> str:
    """Marker of the i-th series; with `color` unique for 56 series."""
    return MARKERS[index % len(MARKERS)]


def canvas(width: float, height: float) -> "Canvas":
    """An empty figure of so many inches that belongs to no window and no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(figure: "Canvas", title: str | None = None, handles: Sequence[Any] = ()) -> "Canvas":
    """Put the title and the legend above the plots, let the figure grow by them, fix the layout.

    Args:
        figure: with its plots drawn at their final size.
        title: left-aligned, wrapped to the width; None for none.
        handles: labelled lines for the legend; fewer than two need none.
    """
    width, height = figure.get_size_inches()
    used = 0.04
    blocks: list[tuple[Any, float]] = []
    if title:
        lines = textwrap.wrap(literal(title), int(width * 10.5))
        text = figure.text(0.008, 1, "\n".join(lines), va="top", weight="bold", size=FONT + 0.5)
        text.set_in_layout(False)
        blocks.append((text, used))
        used += 0.2 * len(lines) + 0.08
    if len(handles) > 1:
        legend = figure.legend(
            handles=list(handles), loc="upper left", ncols=_legend_columns(width, handles)
        )
        legend.set_in_layout(False)
        blocks.append((legend, used))
        used += legend.get_window_extent().height / figure.dpi + 0.1
    total = height + used
    figure.set_size_inches(width, total)
    for block, top in blocks:
        y = 1 - top / total
        if hasattr(block, "set_bbox_to_anchor"):
            block.set_bbox_to_anchor((0.008, y), transform=figure.transFigure)
        else:
            block.set_y(y)
    engine: Any = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, height / total), w_pad=0.06, h_pad=0.05)
        figure.draw_without_rendering()
        # a second pass over the layout could move things between the PNG and the SVG
        figure.set_layout_engine("none")
    return figure


def _legend_columns(width: float, handles: Sequence[Any]) -> int:
    """As many columns as fit: a character is about 0.085 in wide, a handle and its gaps 0.65."""
    widest = max(len(str(handle.get_label())) for handle in handles)
    return max(1, min(len(handles), int(width / (0.085 * widest + 0.65))))


def name_axes(ax: "Axes", x_label: str, y_label: str, title: str | None = None) -> None:
    """Name the axes, the vertical one in level text above it, where nobody tilts the head."""
    ax.set_xlabel(x_label)
    lift = 6
    ax.annotate(
        y_label, (0, 1), (0, lift), xycoords="axes fraction", textcoords="offset points",
        color=MUTED, ha="left", va="bottom", annotation_clip=False,
    )  # fmt: skip
    if title:
        above = lift + (17 if y_label else 2)
        ax.set_title(title, loc="left", pad=above, size=FONT, weight="bold", color=INK)


def rates_axis(axis: Any) -> None:
    """Show fractions on an axis as percent, every number with as many decimals as any needs.

    On a logarithmic axis each has those that it needs itself: 0.01% and 100%.
    """
    from matplotlib.ticker import Formatter, LogLocator, NullFormatter

    class Rates(Formatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return self.format_ticks([x])[0]

        def format_ticks(self, values: Sequence[float]) -> list[str]:
            ticks = [100 * float(v) for v in values]
            if axis.get_scale() == "log":
                return [f"{tick:g}%" for tick in ticks]
            digits = next(d for d in range(7) if d == 6 or _all_exact(ticks, d))
            return [f"{tick:.{digits}f}%".replace("-", "\N{MINUS SIGN}") for tick in ticks]

    axis.set_major_formatter(Rates())
    if axis.get_scale() == "log":
        # powers of ten alone say too little about rates, and all minor ticks too much
        low, high = axis.get_view_interval()
        wide = low > 0 and high / low > 3000
        axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())


def _all_exact(values: Sequence[float], digits: int) -> bool:
    return all(abs(round(v, digits) - v) < 1e-7 for v in values)


def few_ticks(axis: Any) -> None:
    """At most five numbers along an axis, so that percents do not run into each other."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(5))


def plain_log(axis: Any) -> None:
    """Plain numbers along a logarithmic axis, 1, 2 and 5 times powers of ten, none in between."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda x, pos: f"{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def literal(text: str, most: int | None = None) -> str:
    """Text that matplotlib draws as it stands: a dollar sign begins no formula.

    Args:
        text: such as the name of a class.
        most: characters; what is longer ends in "…". None: all of them.

    Example:
        >>> print(literal("$a$ and more", 6))
        \\$a\\$ a…
    """
    text = printable(text).replace("\t", " ")
    if most is not None and len(text) > most:
        text = text[: most - 1] + "…"
    return text.replace("$", "\\$")


def wrapped(text: str, width: int) -> str:
    """Text in lines of about so many characters, broken at spaces and inside long names.

    Example:
        >>> wrapped("PGD 8/255 and_so_on", 6).split("\\n")
        ['PGD', '8/255', 'and_', 'so_on']
    """
    lines = [""]
    # 8/255 is one number
    for piece in re.split(r"(?<=\s)(?=\S)|(?<=\w[_(,])(?=\w)|(?<=\D/)(?=\w)", text):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.strip() for line in lines)
