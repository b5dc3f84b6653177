"""Pages from published Records: one per chapter, and the index."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from robustnets.chapters import CHAPTERS, chapter
from robustnets.chapters.shared import sources
from robustnets.core.store import write_atomically
from robustnets.experiments.publish import published
from robustnets.report.index import IndexEntry, results_table, write_index
from robustnets.report.page import write_page

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
INDEX_TITLE = "robustnets: what defenses are worth"
TABLE_NOTE = (
    "Accuracy is the percentage of test examples that are right, under attack those right "
    "before and after it, or, where the chapter's report counts so, all that are right after it; "
    "with its 95 % interval: over the test examples where there is one "
    "training seed, over the seeds where there are several. Gray-box: made without the defense; "
    "white-box: through it; adaptive: made for it; black-box: from its outputs alone. A chapter's "
    "page has all its networks and attacks."
)
INDEX_LEAD = (
    "Each chapter repeats an experiment from a published report on adversarial examples, sets "
    "the reported numbers beside those that its own run gave, and then goes past them. Every "
    "number here was computed from the Records in this folder."
)
REPORTS_LEAD = "The five reports, as they name themselves, and what of each is covered:"


def write_chapters(folder: Path, slugs: Sequence[str] | None = None) -> Path:
    """Write the pages of the chapters that have Records, and the index over all of them.

    Args:
        folder: holds one folder per chapter.
        slugs: chapters whose pages are written; None writes all that have Records.

    Returns:
        The path of the index page.

    Raises:
        FileNotFoundError: if a named chapter, or every chapter, has no Records.
    """
    present = [slug for slug in CHAPTERS if (folder / slug / "run.json").is_file()]
    for slug in slugs if slugs is not None else present:
        records, run = published(folder / slug)
        page = replace(chapter(slug).page(records, run), source=sources.source(slug))
        write_page(page, folder / slug)
    if not present:
        published(folder / CHAPTERS[0])  # says what to do
    lead = f"{INDEX_LEAD}\n\n{REPORTS_LEAD}\n\n{sources.listed(present)}"
    index, _ = write_index(_entries(folder), folder, INDEX_TITLE, lead, TABLE_NOTE)
    return index


def _entries(folder: Path) -> list[IndexEntry]:
    present = [slug for slug in CHAPTERS if (folder / slug / "run.json").is_file()]
    return [chapter(slug).entry(*published(folder / slug)) for slug in present]


def write_results(readme: Path, folder: Path) -> Path:
    """Write each chapter's findings between the two marks of a README.

    Args:
        readme: holds the lines `BEGIN` and `END`; what stands between them is replaced.
        folder: holds the chapters' folders, below the README's own.

    Raises:
        ValueError: if the marks are missing.
    """
    text = readme.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{readme} must hold the lines {BEGIN} and {END} once, in this order")
    below = folder.resolve().relative_to(readme.resolve().parent).as_posix() + "/"
    entries = _entries(folder)
    lines = [f"- **[{e.title}]({below}{e.slug}/README.md)** {e.headline}" for e in entries]
    table = results_table(entries, "README.md", below).to_markdown().rstrip()
    covered = sources.listed([e.slug for e in entries], below)
    block = "\n".join(
        [BEGIN, "", *lines, "", "<details><summary>The same in a table</summary>", "", TABLE_NOTE,
         "", table, "", "</details>", "", REPORTS_LEAD, "", covered, "", END]
    )  # fmt: skip
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    return write_atomically(readme, lambda p: p.write_text(head + block + tail))
