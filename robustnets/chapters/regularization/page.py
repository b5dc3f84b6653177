"""The page of the chapter `regularization`, and its card on the index."""

from collections.abc import Mapping, Sequence
from typing import Any

from robustnets.chapters.regularization import CHAPTER, sections
from robustnets.chapters.regularization.results import (
    Results,
)
from robustnets.chapters.shared import common
from robustnets.core.record import Record
from robustnets.report.index import IndexEntry
from robustnets.report.page import Page


def page(records: Sequence[Record], run: Mapping[str, Any]) -> Page:
    """Write the chapter from its Records; see `stopping.page`."""
    r = Results(records)
    return Page(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        lead=f"{CHAPTER.question} {sections.answer(r)}",
        sections=sections.sections(r),
        # the iterated attacks see fewer images than the others
        facts=common.facts(sorted(records, key=lambda x: -len(x.label)), dict(run)),
    )


def entry(records: Sequence[Record], run: Mapping[str, Any]) -> IndexEntry:
    """The chapter's card on the index page."""
    del run
    r = Results(records)
    return IndexEntry(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        question=CHAPTER.question,
        headline=sections.answer(r),
        findings=sections.findings(r),
        picture=f"{CHAPTER.slug}/figures/grid.png",
    )
