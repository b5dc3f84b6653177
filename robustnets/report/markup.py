"""The pieces of a page: Markdown to HTML, figures inlined, facts as text, templates filled."""

import base64
import functools
import html
import numbers
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from robustnets import __version__
from robustnets.core.store import write_atomically
from robustnets.report.cells import plain, seconds
from robustnets.report.figure import Figure, png_bytes, svg_text
from robustnets.report.printable import printable

FOOTER = f"Made by robustnets {__version__}; numbers and figures are regenerated, never edited."
# an SVG larger than this is a scatter of thousands of paths, and weighs more than its PNG
_HEAVY = 400_000


@functools.cache
def _markdown():
    from markdown_it import MarkdownIt

    # headings belong to the sections, pictures to the figures (and may not be fetched from afar)
    return MarkdownIt("commonmark", {"html": False}).disable(
        ["heading", "lheading", "image", "hr", "html_block", "html_inline"]
    )


def to_html(markdown: str) -> str:
    """Blocks of Markdown as HTML; HTML inside of it is shown, not obeyed."""
    return _markdown().render(markdown)


def to_inline_html(markdown: str) -> str:
    """One line of Markdown as HTML without a paragraph around it."""
    return _markdown().renderInline(markdown)


@functools.cache
def _templates():
    import jinja2

    def source(name: str) -> str:
        return resources.files(__package__).joinpath("templates", name).read_text("utf-8")

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: object) -> str:
    """Fill a template; values are escaped there unless the template marks them as HTML."""
    return _templates().get_template(template).render(footer=FOOTER, **values)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 with "\\n" line ends and nothing unprintable, atomically."""
    return write_atomically(path, lambda p: p.write_bytes(printable(text).encode()))


def facts_text(facts: Mapping[str, object]) -> dict[str, str]:
    """Facts as text: numbers shortened, sequences joined, "seconds" as a duration named "time"."""
    shown = {}
    for name, value in facts.items():
        if name == "seconds" and isinstance(value, numbers.Real):
            shown["time"] = seconds(float(value))
        elif isinstance(value, (tuple, list)):
            shown[name] = ", ".join(_fact(v) for v in value)
        else:
            shown[name] = _fact(value)
    return shown


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if isinstance(value, numbers.Real) else str(value)  # type: ignore[arg-type]


def csv_note(stem: str) -> str:
    """The line below a table that leads to its CSV."""
    return (
        f'<p class="source"><a href="tables/{stem}.csv">CSV</a>, every digit, '
        "rates as fractions</p>\n"
    )


def figure_html(figure: Figure) -> str:
    """A figure as HTML that loads nothing: inline SVG, or PNG as data where that is lighter."""
    svg = None if figure.raster else inline_svg(figure)
    alt = html.escape(figure.alt)
    if svg is None or len(svg) > _HEAVY:
        data = base64.b64encode(png_bytes(figure)).decode()
        drawing = f'<img src="data:image/png;base64,{data}" alt="{alt}">'
    else:
        drawing = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)
    width, _ = figure.inches
    # past the width of a phone a figure scrolls rather than shrinks its letters beyond reading
    least = f"min-width:{round(58 * width)}px;" if width > 5.2 else ""
    caption = html.escape(figure.caption)
    return (
        f'<figure>\n<div class="scroll card"><div class="drawing" style="{least}'
        f'max-width:{round(112 * width)}px">\n{drawing}\n</div></div>\n'
        f"<figcaption>{caption} "
        f'<span class="source"><a href="figures/{figure.stem}.png">PNG</a> '
        f'<a href="figures/{figure.stem}.svg">SVG</a></span></figcaption>\n</figure>\n'
    )


def inline_svg(figure: Figure) -> str:
    """The SVG without its prologue, ids prefixed so that two figures share none.

    Returns:
        Text that begins with "<svg ".
    """
    text = svg_text(figure)
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{figure.stem}--', text)
    text = re.sub(r'href="#', f'href="#{figure.stem}--', text)
    return text.replace("url(#", f"url(#{figure.stem}--")
