"""Pages: self-contained, deterministic, with every link leading somewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from robustnets.report.figure import Figure, Series, image_grid, line_figure
from robustnets.report.page import (
    Details,
    FigureBlock,
    IndexEntry,
    Page,
    Section,
    TableBlock,
    Text,
    write_index,
    write_page,
)
from robustnets.report.table import Percent, Table


def lines(stem):
    x = np.arange(5.0)
    drawn = line_figure([Series("a", x, x), Series("b", x, x * 2)], "x", "y")
    return FigureBlock(Figure(stem, f"Caption & {stem}", 'Two "lines" rise.', drawn))


def sample():
    images = np.linspace(0, 1, 2 * 3 * 4 * 5).reshape(2, 3, 4, 5, 1)
    pictures = image_grid(images, ["a", "b"], ["x", "y", "z"])
    table = TableBlock(Table(("a", "b"), (("x", Percent(0.5)),), "A table."), "rates")
    return Page(
        "sample",
        "Does <it> work?",
        "**Yes**, says [the report](https://example.org/x).",
        (
            Section("First", (Text("- one\n- two\n\n> note\n\n<script>x</script>"), table)),
            Section("Second", (lines("one"), Details("More `code`", (lines("two"), Text("hid"))))),
            Section("Third", (FigureBlock(Figure("pix", "c", "alt", pictures, raster=True)),)),
        ),
        {"seeds": (0, 1), "seconds": 200.0, "device": "<cpu>"},
    )


class Reader(HTMLParser):
    """Collects what a browser would fetch, where links lead and which ids there are."""

    VOID = ("meta", "link", "img", "br", "hr", "wbr", "input")

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.ids, self.tags, self.open = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [attrs[k] for k in ("src", "data", "srcset", "poster") if k in attrs]
        href = attrs.get("href") or attrs.get("xlink:href")
        if href:
            (self.links if tag == "a" else self.loads).append(href)
        if "id" in attrs:
            self.ids.append(attrs["id"])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_page(sample(), folder)
    return folder


def test_page_fetches_nothing(written):
    text = (written / "index.html").read_text()
    reader = Reader(text)
    assert not reader.open
    assert all(load.startswith(("#", "data:image/png")) for load in reader.loads), reader.loads
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in reader.tags}


def test_ids_are_unique_and_every_reference_is_kept(written):
    text = (written / "index.html").read_text()
    reader = Reader(text)
    assert len(set(reader.ids)) == len(reader.ids)
    wanted = re.findall(r"url\(#([^)]+)\)", text)
    wanted += [r[1:] for r in reader.loads + reader.links if r.startswith("#")]
    wanted += [a["aria-labelledby"] for _, a in reader.tags if "aria-labelledby" in a]
    assert len(wanted) > 20
    assert set(wanted) <= set(reader.ids)


def test_links_lead_to_files(written):
    reader = Reader((written / "index.html").read_text())
    readme = (written / "README.md").read_text()
    for link in reader.links + re.findall(r"\]\(([^)\s]+)\)", readme):
        if not link.startswith(("#", "https://")):
            assert (written / link).is_file(), link
    for stem in ("one", "two", "pix"):
        assert f"](figures/{stem}.png)" in readme
    assert "](tables/rates.csv)" in readme


def test_text_is_shown_and_never_obeyed(written):
    text = (written / "index.html").read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;x" in text
    assert "<h1>Does &lt;it&gt; work?</h1>" in text
    assert "&lt;cpu&gt;" in text
    assert "<blockquote>" in text
    assert "<li>one</li>" in text


def test_every_drawing_says_what_it_shows(written):
    tags = Reader((written / "index.html").read_text()).tags
    svgs = [a for tag, a in tags if tag == "svg"]
    assert [a["aria-label"] for a in svgs] == ['Two "lines" rise.'] * 2
    assert [a["alt"] for tag, a in tags if tag == "img"] == ["alt"]


def test_same_page_same_bytes_and_no_date(written, tmp_path):
    write_page(sample(), tmp_path)
    names = sorted(p.relative_to(written) for p in written.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert len(names) == 9
    for name in names:
        assert (written / name).read_bytes() == (tmp_path / name).read_bytes(), name
    assert not re.search(r"20\d\d-\d\d-\d\d", (written / "index.html").read_text())


def test_facts_and_version_are_stated(written):
    from robustnets import __version__

    for name in ("index.html", "README.md"):
        text = (written / name).read_text()
        assert "3 min 20 s" in text
        assert "0, 1" in text
        assert f"robustnets {__version__}" in text


def test_unknown_blocks_and_repeated_names_are_refused():
    with pytest.raises(ValueError, match=r"a block is Text, .*got str: 'hello'"):
        Page("p", "t", "l", (Section("s", (Details("d", ("hello",)),)),))
    with pytest.raises(ValueError, match="figure stem 'one' twice"):
        Page("p", "t", "l", (Section("s", (lines("one"), lines("one"))),))
    with pytest.raises(ValueError, match="titles that differ"):
        Page("p", "t", "l", (Section("s", ()), Section("s", ())))
    with pytest.raises(ValueError, match="stem"):
        Page("Bad Slug", "t", "l", ())


def test_index_lists_every_chapter_once_and_links_to_it(tmp_path):
    write_page(sample(), tmp_path / "sample")
    entries = [
        IndexEntry(
            "sample",
            "One",
            "Q1?",
            "**Yes**",
            ({"seeds": 5}, {"seeds": 6}),
            "sample/figures/one.png",
        ),
        IndexEntry("other", "Two & 2", "Q2?", "No", ({"accuracy": Percent(0.5)},)),
    ]
    write_index(entries, tmp_path, "All", "Lead.")
    page, readme = (tmp_path / "index.html").read_text(), (tmp_path / "README.md").read_text()
    reader = Reader(page)
    assert not reader.open
    assert reader.loads == ["sample/figures/one.png"]
    assert {"sample/index.html", "other/index.html", "results.csv"} == set(reader.links)
    assert "Two &amp; 2" in page
    assert "| chapter | seeds | accuracy |" in readme
    assert "| [other](other/README.md) | – | 50.00 |" in readme
    assert (
        tmp_path / "results.csv"
    ).read_text() == "chapter,seeds,accuracy\nsample,5,\nsample,6,\nother,,0.5\n"
    with pytest.raises(ValueError, match=r"no picture nothing\.png"):
        write_index([IndexEntry("a", "A", "?", "!", (), "nothing.png")], tmp_path, "t", "l")
    with pytest.raises(ValueError, match="slugs that differ"):
        write_index([entries[0]] * 2, tmp_path, "t", "l")


def test_reports_need_no_deep_learning_library_and_import_cheaply(tmp_path):
    code = f"""
import pathlib, sys
import robustnets.report.page, robustnets.report.compare
late = {{"matplotlib", "jinja2", "pandas", "scipy", "statsmodels", "markdown_it"}}
print("early", sorted(late & set(sys.modules)))
from robustnets.report.figure import Figure, Series, line_figure
from robustnets.report.page import FigureBlock, Page, Section, write_page
drawing = line_figure([Series("a", [0, 1], [0, 1])], "x", "y")
block = FigureBlock(Figure("f", "c", "a", drawing))
write_page(Page("p", "t", "l", (Section("s", (block,)),)), pathlib.Path({str(tmp_path)!r}))
never = {{"tensorflow", "keras", "jax", "torch", "art", "cleverhans", "matplotlib.pyplot"}}
print("never", sorted(never & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["early []", "never []"]
