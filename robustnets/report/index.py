"""The front page: a card per chapter and one table of what they found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustnets.report import markup
from robustnets.report.cells import Cell, Link, escape_markdown
from robustnets.report.figure import check_stem
from robustnets.report.table import Table


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One chapter on the front page.

    Args:
        slug: the folder of its page.
        title: plain text.
        question: what it asks, plain text.
        headline: what it found, in a sentence, Markdown.
        findings: lines of the table of results, cells by the names of their columns.
        picture: path of an image relative to the front page, or None.

    Raises:
        ValueError: for an unsafe slug.
    """

    slug: str
    title: str
    question: str
    headline: str
    findings: Sequence[Mapping[str, Cell]] = ()
    picture: str | None = None

    def __post_init__(self) -> None:
        check_stem(self.slug)


def write_index(
    entries: Sequence[IndexEntry], folder: Path, title: str, lead: str, note: str = ""
) -> tuple[Path, Path]:
    """Write the front page: a card per chapter and a table of all results.

    Args:
        entries: in reading order, slugs all different.
        folder: the parent of the chapters' folders; gets index.html, README.md, results.csv.
        title: plain text.
        lead: Markdown.
        note: what the table's columns are, Markdown.

    Returns:
        The paths of index.html and README.md.

    Raises:
        ValueError: for a slug twice, or a picture that is not there.
    """
    folder = Path(folder)
    slugs = [entry.slug for entry in entries]
    if len(set(slugs)) != len(slugs):
        raise ValueError(f"entries need slugs that differ, got {slugs}")
    for entry in entries:
        if entry.picture is not None and not (folder / entry.picture).is_file():
            raise ValueError(f"no picture {entry.picture} below {folder}: write the page first")
    results_table(entries, "index.html").to_csv(folder / "results.csv")
    cards = [{"entry": e, "headline": markup.to_html(e.headline)} for e in entries]
    document = markup.render(
        "index.html",
        title=title,
        lead=markup.to_html(lead),
        cards=cards,
        note=markup.to_html(note),
        results=results_table(entries, "index.html").to_html(),
    )
    return (
        markup.write_text(folder / "index.html", document),
        markup.write_text(folder / "README.md", _index_readme(entries, title, lead, note)),
    )


def results_table(entries: Sequence[IndexEntry], page: str, below: str = "") -> Table:
    """All findings, each with a link to its chapter.

    Args:
        entries: in reading order.
        page: the file in a chapter's folder that a link leads to.
        below: the path of the folder of chapters, ending in a slash; "" is that folder itself.
    """
    names = tuple(dict.fromkeys(name for e in entries for row in e.findings for name in row))
    return Table(
        ("chapter", *names),
        tuple(
            (Link(e.slug, f"{below}{e.slug}/{page}"), *(row.get(name) for name in names))
            for e in entries
            for row in e.findings
        ),
    )


def _index_readme(entries: Sequence[IndexEntry], title: str, lead: str, note: str) -> str:
    out = [f"# {escape_markdown(title)}", lead.strip(), "## Chapters"]
    for e in entries:
        out += [f"### [{escape_markdown(e.title)}]({e.slug}/README.md)"]
        out += [f"*{escape_markdown(e.question)}*", e.headline.strip()]
        if e.picture is not None:
            out.append(f"[![{escape_markdown(e.title)}]({e.picture})]({e.slug}/README.md)")
    out += ["## Results", *([note.strip()] if note else [])]
    out += [results_table(entries, "README.md").to_markdown().rstrip(), "[CSV](results.csv)"]
    out.append(f"---\n\n{markup.FOOTER} [The same page in HTML](index.html).")
    return "\n\n".join(out) + "\n"
