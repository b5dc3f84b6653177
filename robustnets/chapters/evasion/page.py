"""The page of the chapter `evasion`, and its card on the index."""

from collections.abc import Mapping, Sequence
from typing import Any

from robustnets.chapters.evasion import CHAPTER
from robustnets.chapters.evasion import comparisons as comparisons
from robustnets.chapters.evasion import figures as figures
from robustnets.chapters.evasion import results as results
from robustnets.chapters.evasion import sections as sections
from robustnets.chapters.evasion.results import EPS
from robustnets.chapters.shared import common
from robustnets.core.record import Record
from robustnets.report.cells import Cell
from robustnets.report.index import IndexEntry
from robustnets.report.page import Page, Section, Text
from robustnets.report.text import percent_text


def page(records: Sequence[Record], run: Mapping[str, Any]) -> Page:
    """Write the chapter from its Records.

    Args:
        records: of the Cells of one scale.
        run: how they were made: "command", "scale", "jobs".
    """
    found = results.arenas(records)
    first = found[0]
    report = results.reported_rows()
    like = figures.like_names(found)
    differences = comparisons.differences(found, report, like)
    like_for_like = run["scale"] == "full" and {a.dataset for a in found} == set(results.NAMES)
    blocks = [
        Section("The question and the set-up", (Text(sections.setup(found, like_for_like)),)),
        Section("Reported and reproduced", sections.reproduced(found, report, like, like_for_like)),
    ]
    for arena in found:
        blocks.append(
            Section(
                f"Six attacks on {arena.name}",
                sections.attacks(arena, report, like, differences),
            )
        )
    blocks.append(
        Section("Are the differences real?", sections.real(differences, report, like_for_like))
    )
    if first.targeted:
        blocks.append(Section("Aiming at a class, and overshooting it", sections.targeted(first)))
    jumped = [a for a in found if len(a.jumps) > 1]
    if jumped:
        blocks.append(Section("What HopSkipJump's settings are worth", sections.jumps(jumped[0])))
    if first.peers:
        blocks.append(Section("The same attacks through other engines", sections.engines(first)))
    return Page(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        lead=f"{CHAPTER.question} {_answer(found, differences)}",
        sections=tuple(blocks),
        facts=_facts(found, records, run),
    )


def entry(records: Sequence[Record], run: Mapping[str, Any]) -> IndexEntry:
    """The chapter's card on the index page."""
    found = results.arenas(records)
    first = found[0]
    report, like = results.reported_rows(), figures.like_names(found)
    return IndexEntry(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        question=CHAPTER.question,
        headline=_answer(found, comparisons.differences(found, report, like)),
        findings=[row for arena in found for row in _findings(arena)],
        picture=f"{CHAPTER.slug}/figures/accuracy-{first.dataset}.png",
    )


def _findings(arena: results.Arena) -> list[dict[str, Cell]]:
    """The network as it is, and under the attacks of which a radius can be stated."""
    data, network = arena.dataset, "undefended"
    out = [common.finding(arena.clean, data, network)]
    for attack, knowledge in (("FGSM", "white-box"), ("I-FGSM", "white-box"), ("HSJ", "black-box")):
        if attack in arena.main:
            out.append(
                common.finding(
                    arena.main[attack],
                    data,
                    network,
                    f"{attack} {EPS:g}",
                    knowledge,
                    EPS,
                    lucky=True,
                )
            )
    return out


def _facts(found: Sequence[results.Arena], records: Sequence[Record], run: Mapping[str, Any]):
    ordered = sorted(records, key=lambda r: (r.cell["attack"] is not None, -len(r.label)))
    facts = common.facts(ordered, dict(run))
    facts["data"] = "; ".join(f"{a.dataset}, fingerprint {a.clean[0].about['data']}" for a in found)
    facts["test examples"] = ", ".join(f"{len(a.clean[0].label)} of {a.dataset}" for a in found)
    return facts


def _answer(found: Sequence[results.Arena], differences) -> str:
    parts = []
    for arena in found:
        after = {name: results.accuracy_after(group) for name, group in arena.main.items()}
        text = (
            f"On {arena.name} the network is right on "
            f"{percent_text(results.accuracy_before(arena.clean))} of the images, on "
            f"**{percent_text(after['FGSM'])}** after FGSM at eps {EPS:g} and on "
            f"**{percent_text(after['I-FGSM'])}** after I-FGSM"
        )
        if "HSJ" in arena.main:
            group = arena.main["HSJ"]
            anywhere = percent_text(after["HSJ"])
            within = percent_text(results.accuracy_after(group, group[0].at(EPS)))
            text += (
                f"; HopSkipJump, asking for labels alone, leaves {anywhere} of the first "
                f"{len(group[0].label):,} where nothing limits the distance, and {within} of them "
                "within the same eps"
            )
        parts.append(text + ".")
    changed = sum(d.changes for d in differences)
    parts.append(
        f"Of {len(differences)} differences between attacks, compared on the same images instead "
        f"of by the report's unpaired interval, {changed or 'none'} "
        f"{'changes its' if changed == 1 else 'change their'} conclusion."
    )
    net, n, limit = comparisons.own_limit(results.reported_rows())
    if limit is not None:
        parts.append(
            f"The report's own {net} images of {n:,} between FGSM and I-FGSM on MNIST, which it "
            "cannot tell from chance, are more than chance once paired, unless the attacks "
            f"disagreed on more than {limit:,} of the images."
        )
    return " ".join(parts)
