"""The page of the chapter `smoothing`, and its card on the index."""

from collections.abc import Mapping, Sequence
from typing import Any

from robustnets.chapters.smoothing import CHAPTER
from robustnets.chapters.smoothing import attacked as known
from robustnets.chapters.smoothing import results as results
from robustnets.chapters.smoothing import sections as sections
from robustnets.chapters.smoothing import table3 as table3
from robustnets.core.record import Record
from robustnets.report.index import IndexEntry
from robustnets.report.page import Page, Section, Text


def page(records: Sequence[Record], run: Mapping[str, Any]) -> Page:
    """Write the chapter from its Records; see `stopping.page`."""
    r = results.Results(records)
    return Page(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        lead=f"{CHAPTER.question} {sections.answer(r)}",
        sections=(
            Section("The question and the set-up", (Text(sections.setup(r, run)),)),
            Section(
                "Reported and reproduced",
                (*sections.reproduced(r, sections.like_for_like(r, run)), *table3.reproduced(r)),
            ),
            Section("Before and after smoothing", sections.before_and_after(r)),
            Section("When the attacker knows", known.attacked(r)),
            Section("Windows, kinds and photographs", table3.table_3(r)),
            Section("What the network sees", table3.pictures(r)),
        ),
        facts=sections.facts(r, records, run),
    )


def entry(records: Sequence[Record], run: Mapping[str, Any]) -> IndexEntry:
    """The chapter's card on the index page."""
    r = results.Results(records)
    return IndexEntry(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        question=CHAPTER.question,
        headline=sections.answer(r),
        findings=[row for name in r.names for row in sections.findings(r, name)],
        picture=f"{CHAPTER.slug}/figures/effectiveness-{r.names[-1]}.png",
    )
