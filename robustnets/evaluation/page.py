"""An evaluation as a page: the number, who attacked and how, and why it may be believed."""

import html
from typing import Any

import numpy as np

from robustnets import __version__, backend
from robustnets.evaluation import pictures, tables, words
from robustnets.evaluation.evaluation import Evaluation, radius_text
from robustnets.report.figure import Dots, Figure, Series, Threshold, bar_or_dot_figure, line_figure
from robustnets.report.markup import to_html
from robustnets.report.page import Block, FigureBlock, Page, Section, TableBlock, Text
from robustnets.stats.distances import distance_curve
from robustnets.stats.intervals import rate


def page_of(found: Evaluation) -> Page:
    """The whole page."""
    sections = [
        Section("Who attacks, knowing what", _attackers(found)),
        *([Section("The defense", _defense(found))] if _worth_telling(found) else []),
        Section("Over the radius", _radius(found)),
        Section("Attack by attack", (TableBlock(tables.attacks(found), "attacks"),)),
        Section("Class by class", (TableBlock(tables.classes(found), "classes"),)),
    ]
    drawn = pictures.nearest(found)
    if drawn is not None:
        sections.append(Section("The nearest adversarial examples", (FigureBlock(drawn),)))
    sections += [
        Section("May the number be believed?", _checks(found)),
        Section("How it was made", (Text(words.made(found)),)),
    ]
    facts = {
        **{k: v for k, v in found.about.items() if k != "command"},
        "suite": found.suite,
        "examples": len(found.y),
        "seed": found.seed,
        "seconds": found.seconds,
        "robustnets": __version__,
        **backend.describe(),
    }
    title = words.title(found)
    return Page("evaluation", title, words.lead(found), tuple(sections), facts)


def summary_of(found: Evaluation) -> Page:
    """The number, the attackers and the checks."""
    text, table, _ = _attackers(found)
    sections = (Section("Attackers", (text, table)), Section("Checks", _checks(found)))
    return Page("evaluation", words.title(found), words.lead(found), sections)


def summary_html(found: Evaluation) -> str:
    """What a notebook shows: the number and the attackers."""
    table = tables.attackers(found)._repr_html_()
    why = "".join(f"<li>{html.escape(reason)}</li>" for reason in found.upper_bound)
    return to_html(found.headline) + (f"<ul>{why}</ul>" if why else "") + table


def _attackers(found: Evaluation) -> tuple[Block, ...]:
    rows = [
        Dots(a.row.label, a.accuracy, group=words.GROUPS[a.row.counts])
        for a in found.attackers
        if a.took_part
    ]
    rows.append(Dots("worst of all", found.robust_accuracy, group=words.GROUPS[True]))
    drawing = bar_or_dot_figure(rows, "robust accuracy", percent=True)
    alt = "; ".join(f"{row.label} {row.interval.estimate:.1%}" for row in rows if row.interval)
    caption = (
        f"Robust accuracy at eps {radius_text(found.threat.eps)} against each attacker alone, "
        "with 95 % intervals; the headline is the worst of all for each example."
    )
    return (
        Text(words.verdict(found)),
        TableBlock(tables.attackers(found), "attackers"),
        FigureBlock(Figure("attackers", caption, alt, drawing)),
    )


def _worth_telling(found: Evaluation) -> bool:
    subject = found.subject
    return bool(subject.defense) or subject.stochastic or not subject.differentiable


def _defense(found: Evaluation) -> tuple[Block, ...]:
    blocks: list[Block] = [Text(found.recipe), TableBlock(tables.traits(found), "defense")]
    if found.convergence is not None:
        blocks.append(FigureBlock(_convergence(found)))
    return tuple(blocks)


def _convergence(found: Evaluation) -> Figure:
    seen: Any = found.convergence
    rates = [rate(int(row.sum()), len(row)) for row in seen.robust]
    curve = Series(
        type(seen.attack).__name__, seen.draws, [r.estimate for r in rates],
        [r.low for r in rates], [r.high for r in rates],
    )  # fmt: skip
    many = seen.robust.shape[1]
    # on the same examples, or the two could not be compared
    worst = float(found.robust[:many].mean())
    drawing = line_figure(
        [curve], "draws averaged in each gradient", "robust accuracy", percent=True,
        thresholds=(Threshold(worst, "worst of all"),),
    )  # fmt: skip
    caption = (
        f"The adaptive attacker on {many} examples with more and more draws in each gradient, "
        "95 % intervals: where the curve is level, more draws would not help. The line is the "
        f"worst of all attackers on these examples, {worst:.1%}, these ones included."
    )
    alt = ", ".join(f"{d} draws: {r.estimate:.1%}" for d, r in zip(seen.draws, rates))
    return Figure("convergence", caption, alt, drawing)


def _radius(found: Evaluation) -> tuple[Block, ...]:
    curve, rates = found.curve, found.curve.rates
    grid_end = curve.epsilons[-1]
    series = [
        Series(
            "at each radius, 95 % interval", curve.epsilons, [r.estimate for r in rates],
            [r.low for r in rates], [r.high for r in rates],
        )
    ]  # fmt: skip
    banded = not found.subject.stochastic and (found.nearest.distance <= grid_end).any()
    if banded:
        series.append(_by_distance(found))
    drawing = line_figure(
        series, f"eps ({found.threat.norm})", "robust accuracy", percent=True,
        thresholds=(Threshold(found.threat.eps, "eps", axis="x"),),
    )  # fmt: skip
    caption = (
        "Examples that are right and have no known adversarial example within the radius. What "
        "succeeds at one radius counts at every larger one."
    )
    if banded:
        caption += " The band holds for all radii at once."
    alt = ", ".join(f"eps {e:g}: {r.estimate:.1%}" for e, r in zip(curve.epsilons, rates))
    return (
        Text(words.distances(found)),
        FigureBlock(Figure("curve", caption, alt, drawing)),
        TableBlock(tables.curve(found), "curve"),
    )


def _by_distance(found: Evaluation) -> Series:
    """One minus the distribution of distances, with its band, as far as the radii go."""
    known = distance_curve(found.nearest.distance)
    inside = known.distance <= found.curve.epsilons[-1]
    # at a distance the curve falls: both heights stand there
    x = np.repeat(known.distance[inside], 2)[1:]
    y, low, high = (
        np.repeat(1 - edge[inside], 2)[:-1] for edge in (known.share, known.high, known.low)
    )
    return Series("nearest examples known, 95 % band", x, y, low, high, marker="")


def _checks(found: Evaluation) -> tuple[Block, ...]:
    if found.upper_bound:
        said = "The headline is an upper bound only:\n\n" + "\n".join(
            f"- {reason}" for reason in found.upper_bound
        )
    else:
        said = "No check fails, nothing was left out, and " + words.lower_first(found.recipe)
    if not found.checks:
        return (Text(said),)
    return Text(said), TableBlock(tables.checks(found), "checks")
