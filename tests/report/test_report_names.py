"""Names come from files: whatever they hold, pages, figures, CSV and terminals stay whole."""

import csv
import io
import warnings
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from robustnets.report import figure as f
from robustnets.report.page import FigureBlock, Page, Section, TableBlock, Text, write_page
from robustnets.report.printable import printable
from robustnets.report.table import Table, Word
from robustnets.report.terminal import drawn

ODD = (
    "a\x00b", "bell\x07", "\x1b[2J\x1b[31mred", "two\nlines", "tab\there", "\x85next", "\ud800half",
    "\u202eturned", "\uffff", "-->", "<script>alert(1)</script>", "]]>", "$x^", "$\\frac{$", "[/b]",
    "[red]", "=1+1", "a|b", "_x", "", " ", "naïve …", "x" * 300,
)  # fmt: skip
FORBIDDEN = set(map(chr, [*range(9), 11, 12, *range(14, 32), *range(127, 160)]))
FORBIDDEN |= {"\ud800", "\uffff", "\u202e"}


def figures():
    pictures = np.random.default_rng(0).random((1, len(ODD), 4, 3, 1))
    dots = [f.Dots(f"{i} {name}", reported=0.5, group=name) for i, name in enumerate(ODD)]
    curves = [f.Series(name or "none", [0, 1], [0.1, 0.2]) for name in ODD if name[:1] != "_"]
    points = [f.Point(name, 0.1, 0.2, name) for name in ODD if name[:1] != "_"]
    grid = f.Heat(ODD[0], np.eye(len(ODD)))
    return {
        "images": f.image_grid(pictures, [ODD[0]], ODD, [ODD]),
        "dots": f.bar_or_dot_figure(dots[:8], "x", ODD[12]),
        "lines": f.line_figure(curves, "x", "y", ODD[13], [f.Threshold(0.1, ODD[12])]),
        "scatter": f.scatter_figure(points[:6], "x", "y"),
        "heat": f.heat_figure([grid], ODD, ODD, "x", "y"),
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    table = Table(("class", *(f"{i}{n}" for i, n in enumerate(ODD))), ((Word("w"), *ODD),), ODD[2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        blocks = [
            FigureBlock(f.Figure(stem, ODD[2], " ".join(ODD), drawing))
            for stem, drawing in figures().items()
        ]
        section = Section(ODD[4], (Text("t"), TableBlock(table, "t"), *blocks))
        made = Page("names", ODD[2], "lead", (section,), {"model": "\n".join(ODD)})
        write_page(made, folder)
    return folder


def test_no_file_holds_what_must_not_be_in_it(page):
    for path in [*page.glob("*.html"), *page.glob("*.md"), *page.rglob("*.svg"),
                 *page.rglob("*.csv")]:  # fmt: skip
        text = path.read_bytes().decode("utf-8")
        assert not FORBIDDEN & set(text), path


def test_every_svg_is_xml(page):
    paths = list(page.rglob("*.svg"))
    assert len(paths) == 5
    for path in paths:
        ElementTree.fromstring(path.read_bytes())


def test_nothing_in_a_name_becomes_html(page):
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)
    parser.feed((page / "index.html").read_text())
    assert "script" not in tags
    assert "table" in tags


def test_markdown_keeps_a_row_on_a_line(page):
    lines = (page / "README.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| w |")]
    assert len(rows) == 1
    assert len(rows[0].replace("\\|", "").split("|")) == len(ODD) + 3


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+2",
        "@sum(a1)",
        "=cmd|' /C calc'!A0",
        "\t=1",
        " =1",
        "\r=1",
        "＝1",
        "+",
        "-",
    ],
)
def test_a_spreadsheet_carries_nothing_out(text, tmp_path):
    table = Table(("name", text), ((text, Word(text)),))
    rows = list(csv.reader(io.StringIO(table.to_csv(tmp_path / "t.csv").read_text())))
    for cell in (rows[0][1], *rows[1]):
        assert cell.startswith("'")
        assert cell[1:] == printable(text)


def test_numbers_and_plain_text_stay_as_they_are_in_csv(tmp_path):
    table = Table(("name", "a-b", "c"), (("+2.1", -1.5, (-0.5, 2.0)), ("a=b", None, (-1.0, 1.0))))
    text = table.to_csv(tmp_path / "t.csv").read_text()
    assert text == "name,a-b,c low,c high\n+2.1,-1.5,-0.5,2.0\na=b,,-1.0,1.0\n"


def test_a_terminal_is_told_nothing():
    console = Console(file=io.StringIO(), width=400, force_terminal=True)
    console.print(drawn(Table(ODD[:4] + ODD[14:16], (ODD[:4] + ODD[14:16],), ODD[14])))
    shown = console.file.getvalue()
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert shown.count("[/b]") == 3


def test_long_names_do_not_stretch_a_figure():
    images = np.random.default_rng(0).random((1, 3, 4, 3, 1))
    short, long = (
        f.image_grid(images, ["r"], ["a", "b", "c"], [[name] * 3]) for name in ("x", "x" * 300)
    )
    assert short.get_size_inches().tolist() == long.get_size_inches().tolist()
    notes = [t.get_text() for t in long.axes[0].texts if t.get_text().startswith("x")]
    assert notes[0].endswith("…")
    assert len(notes[0]) < 20
    widths = [t.get_window_extent().x1 for t in long.axes[0].texts]
    assert max(widths) < 1.2 * long.get_window_extent().x1
