"""A chapter as a page: HTML that needs nothing but itself, and Markdown that GitHub renders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from robustnets.report import markup
from robustnets.report.cells import escape_markdown
from robustnets.report.figure import Figure, check_stem, save
from robustnets.report.index import IndexEntry, write_index
from robustnets.report.table import Table

__all__ = [
    "Block",
    "Details",
    "FigureBlock",
    "IndexEntry",
    "Page",
    "Section",
    "TableBlock",
    "Text",
    "write_index",
    "write_page",
]

_NO_FACTS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Text:
    """Prose in a small Markdown: paragraphs, bold, emphasis, code, links, lists, > notes."""

    markdown: str


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table, and the stem of its CSV.

    Raises:
        ValueError: for an unsafe stem.
    """

    table: Table
    stem: str

    def __post_init__(self) -> None:
        check_stem(self.stem)


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A figure."""

    figure: Figure


@dataclass(frozen=True, slots=True)
class Details:
    """Blocks that open on demand, and print in full."""

    summary: str
    blocks: "tuple[Block, ...]"


Block: TypeAlias = Text | TableBlock | FigureBlock | Details


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a page."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What a chapter has to say.

    Args:
        slug: names the page, such as "stopping".
        title: plain text.
        lead: the question and the answer in short, Markdown.
        sections: in reading order, titles all different.
        facts: seeds, scale, device and the like, by name; "seconds" shows as a duration.
        source: who wrote what the page repeats, Markdown; empty where it repeats nothing.

    Raises:
        ValueError: for an unsafe slug, a title twice, a stem twice, or what is no block.
    """

    slug: str
    title: str
    lead: str
    sections: tuple[Section, ...]
    facts: Mapping[str, object] = field(default_factory=lambda: _NO_FACTS)
    source: str = ""

    def __post_init__(self) -> None:
        check_stem(self.slug)
        titles = [section.title for section in self.sections]
        if len(set(titles)) != len(titles):
            raise ValueError(f"sections need titles that differ, got {titles}")
        figures, tables = self.figures, self.tables
        for kind, stems in (
            ("figure", [figure.stem for figure in figures]),
            ("table", [block.stem for block in tables]),
        ):
            twice = sorted({stem for stem in stems if stems.count(stem) > 1})
            if twice:
                raise ValueError(f"page {self.slug!r} uses the {kind} stem {twice[0]!r} twice")

    @property
    def figures(self) -> list[Figure]:
        """All figures, in reading order."""
        return [block.figure for block in self._leaves() if isinstance(block, FigureBlock)]

    @property
    def tables(self) -> list[TableBlock]:
        """All tables, in reading order."""
        return [block for block in self._leaves() if isinstance(block, TableBlock)]

    def _leaves(self) -> list[Block]:
        return [leaf for section in self.sections for leaf in _leaves(section.blocks)]


def _leaves(blocks: Sequence[Block]) -> list[Block]:
    found: list[Block] = []
    for block in blocks:
        if isinstance(block, Details):
            found += _leaves(block.blocks)
        elif isinstance(block, (Text, TableBlock, FigureBlock)):
            found.append(block)
        else:
            raise ValueError(
                "a block is Text, TableBlock, FigureBlock or Details, "
                f"got {type(block).__name__}: {block!r}"
            )
    return found


def write_page(page: Page, folder: Path) -> tuple[Path, Path]:
    """Write a page with its tables and figures; the same page gives the same bytes.

    Args:
        page: what to write.
        folder: gets index.html, README.md, tables/*.csv, figures/*.png and *.svg. Files of
            an earlier version that are no longer named stay where they are.

    Returns:
        The paths of index.html and README.md, which are written last.
    """
    folder = Path(folder)
    for block in page.tables:
        block.table.to_csv(folder / "tables" / f"{block.stem}.csv")
    for figure in page.figures:
        save(figure, folder / "figures")
    sections = [
        {"id": f"section-{i}", "title": section.title, "body": _html(section.blocks)}
        for i, section in enumerate(page.sections, 1)
    ]
    document = markup.render(
        "page.html",
        title=page.title,
        lead=markup.to_html("\n\n".join(_opening(page))),
        sections=sections,
        facts=markup.facts_text(page.facts),
    )
    return (
        markup.write_text(folder / "index.html", document),
        markup.write_text(folder / "README.md", _readme(page)),
    )


def _html(blocks: Sequence[Block]) -> str:
    out = []
    for block in blocks:
        if isinstance(block, Text):
            out.append(f'<div class="text">\n{markup.to_html(block.markdown)}</div>\n')
        elif isinstance(block, TableBlock):
            note = markup.csv_note(block.stem)
            out.append(block.table.to_html().removesuffix("</div>\n") + f"{note}</div>\n")
        elif isinstance(block, FigureBlock):
            out.append(markup.figure_html(block.figure))
        else:
            summary = markup.to_inline_html(block.summary)
            body = _html(block.blocks)
            out.append(f"<details>\n<summary>{summary}</summary>\n{body}</details>\n")
    return "".join(out)


def _opening(page: Page) -> list[str]:
    """The paragraphs above the facts."""
    return [text for text in (page.lead.strip(), page.source.strip()) if text]


def _readme(page: Page) -> str:
    out = [f"# {escape_markdown(page.title)}", *_opening(page)]
    facts = markup.facts_text(page.facts)
    if facts:
        out.append(
            "\n".join(f"- {escape_markdown(k)}: {escape_markdown(v)}" for k, v in facts.items())
        )
    for section in page.sections:
        out.append(f"## {escape_markdown(section.title)}")
        out += _markdown(section.blocks)
    out.append(f"---\n\n{markup.FOOTER} [The same page in HTML](index.html).")
    return "\n\n".join(out) + "\n"


def _markdown(blocks: Sequence[Block]) -> list[str]:
    out: list[str] = []
    for block in blocks:
        if isinstance(block, Text):
            out.append(block.markdown.strip())
        elif isinstance(block, TableBlock):
            caption = escape_markdown(block.table.caption)
            out += [f"**Table.** {caption}"] if caption else []
            out += [block.table.to_markdown().rstrip(), f"[CSV](tables/{block.stem}.csv)"]
        elif isinstance(block, FigureBlock):
            figure = block.figure
            out.append(f"![{escape_markdown(figure.alt)}](figures/{figure.stem}.png)")
            caption = escape_markdown(figure.caption)
            out += [f"**Figure.** {caption} [SVG](figures/{figure.stem}.svg)".replace("  ", " ")]
        else:
            summary = markup.to_inline_html(block.summary)
            out.append(f"<details>\n<summary>{summary}</summary>")
            out += [*_markdown(block.blocks), "</details>"]
    return out
