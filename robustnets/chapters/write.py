"""Pages from published Records: one per chapter, and the index."""

from collections.abc import Sequence
from pathlib import Path

from robustnets.chapters import CHAPTERS, chapter
from robustnets.experiments.publish import published
from robustnets.report.index import write_index
from robustnets.report.page import write_page

INDEX_TITLE = "robustnets: what defenses are worth"
INDEX_LEAD = (
    "Each chapter repeats an experiment from a published report on adversarial examples, sets "
    "the reported numbers beside those that its own run gave, and then goes past them. Every "
    "number here was computed from the Records in this folder."
)


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
        write_page(chapter(slug).page(records, run), folder / slug)
    if not present:
        published(folder / CHAPTERS[0])  # says what to do
    entries = [chapter(slug).entry(*published(folder / slug)) for slug in present]
    index, _ = write_index(entries, folder, INDEX_TITLE, INDEX_LEAD)
    return index
