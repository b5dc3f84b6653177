"""The page of the chapter `distillation`, and its card on the index."""

from collections.abc import Mapping, Sequence
from typing import Any

from robustnets.chapters.distillation import CHAPTER
from robustnets.chapters.distillation import attacks as attacks
from robustnets.chapters.distillation import precision as precision
from robustnets.chapters.distillation import sections as text
from robustnets.chapters.distillation import verdict as verdicts
from robustnets.chapters.distillation.results import Results
from robustnets.core.record import Record
from robustnets.report.index import IndexEntry
from robustnets.report.page import Page, Section, Text


def page(records: Sequence[Record], run: Mapping[str, Any]) -> Page:
    """Write the chapter from its Records; see `stopping.page`."""
    r = Results(records)
    like_for_like = run["scale"] == "full" and set(r.datasets) == {"mnist", "cifar10"}
    return Page(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        lead=f"{CHAPTER.question} {text.answer(r)}",
        sections=(
            Section("The question and the set-up", (Text(text.setup(r, like_for_like)),)),
            Section("Reported and reproduced", text.reproduced(r, like_for_like)),
            Section("What the teacher gets wrong", text.treatments(r)),
            Section(
                "What the attacker differentiates",
                (*attacks.temperatures(r), *precision.in_float64(r)),
            ),
            Section("Counter-attacks", attacks.counter_attacks(r)),
            Section("What distillation hides, and what it does not", (Text(verdicts.verdict(r)),)),
        ),
        facts=text.facts(r, records, run),
    )


def entry(records: Sequence[Record], run: Mapping[str, Any]) -> IndexEntry:
    """The chapter's card on the index page."""
    del run
    r = Results(records)
    return IndexEntry(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        question=CHAPTER.question,
        headline=text.answer(r),
        findings=text.findings(r),
        picture=f"{CHAPTER.slug}/figures/temperatures.png",
    )
