"""The page of the chapter `filters`, and its card on the index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from robustnets.chapters.filters import CHAPTER
from robustnets.chapters.filters.cells import ETA, METHODS
from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.core.record import Record
from robustnets.report import reported
from robustnets.report.cells import Cell, Percent, Points, PValue
from robustnets.report.compare import Comparison, comparison_table
from robustnets.report.dots import Point, scatter_figure
from robustnets.report.figure import Figure
from robustnets.report.images import image_grid
from robustnets.report.index import IndexEntry
from robustnets.report.lines import Panel, Series, line_figure, panels_figure
from robustnets.report.page import FigureBlock, Page, Section, TableBlock, Text
from robustnets.report.seeds import accuracies, as_rate, banded, mean_rate, successes
from robustnets.report.table import Table
from robustnets.report.text import percent_text, points_text
from robustnets.stats.intervals import mean, next_value
from robustnets.stats.paired import PairedMeans, paired_means

Key = tuple[str, str, int, str]  # defense, method, components, knowledge


def key_of(record: Record) -> Key:
    """("none", "", 0, "white-box") for the bare network, ("Reconstruction", "pca", 100, …)."""
    defense, knowledge = record.cell["network"]["defense"], record.cell["knowledge"]
    if defense is None:
        return "none", "", 0, knowledge
    spec = defense["layer"]
    name = "Retraining" if "training" in defense else "Reconstruction"
    if defense.get("start") == "fresh":
        name = "FromScratch"
    return name, spec["method"], spec["n_components"], knowledge


class _Results:
    """The chapter's Records by what they measure, each list in the order of the seeds."""

    def __init__(self, records: Sequence[Record]):
        self.groups: dict[Key, list[Record]] = {}
        for record in sorted(records, key=lambda r: r.cell["network"]["seed"]):
            self.groups.setdefault(key_of(record), []).append(record)
        self.bare = self.groups["none", "", 0, "white-box"]
        self.etas = self.bare[0].epsilons

    def counts(self, method: str, defense: str = "Reconstruction") -> list[int]:
        """Numbers of components, most first."""
        found = {k[2] for k in self.groups if k[:2] == (defense, method)}
        return sorted(found, reverse=True)

    def of(self, method: str, count: int, knowledge: str, defense: str = "Reconstruction"):
        """The Records of one filter."""
        return self.groups[defense, method, count, knowledge]

    def methods(self) -> list[str]:
        """Methods measured, in the order of METHODS."""
        return [m for m in METHODS if self.counts(m)]


def page(records: Sequence[Record], run: Mapping[str, Any]) -> Page:
    """Write the chapter from its Records; see `stopping.page`."""
    r = _Results(records)
    thesis = reported.load("thesis", CHAPTER.slug)
    network = records[0].cell["network"]
    like_for_like = network["dataset"]["name"] == "mnist" and run["scale"] == "full"
    return Page(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        lead=f"{CHAPTER.question} {_answer(r)}",
        sections=(
            Section("The question and the set-up", (Text(_setup(r, network, like_for_like)),)),
            Section("Reported and reproduced", _reproduced(r, thesis, like_for_like)),
            Section("What white-box does to the defense", _white_box(r)),
            Section("Do PCA's directions matter?", _directions(r)),
            Section(
                "Reconstruction, retraining, from scratch",
                _training_modes(r, thesis, like_for_like),
            ),
            Section("What the network sees", _pictures(r)),
        ),
        facts=common.facts(records, dict(run)),
    )


def entry(records: Sequence[Record], run: Mapping[str, Any]) -> IndexEntry:
    """The chapter's card on the index page."""
    r = _Results(records)
    return IndexEntry(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        question=CHAPTER.question,
        headline=_answer(r),
        findings=_findings(r),
        picture=f"{CHAPTER.slug}/figures/success.png",
    )


def _findings(r: _Results) -> list[dict[str, Cell]]:
    """Accuracy without a filter and behind the chosen one, by what the attacker knows."""
    count, data = _chosen(r), r.bare[0].cell["network"]["dataset"]["name"]
    attack, name = f"FGSM {ETA:g}", f"PCA filter, {count} components"
    gray, white = (r.of("pca", count, knowledge) for knowledge in ("gray-box", "white-box"))
    return [
        common.finding(r.bare, data, "no filter"),
        common.finding(r.bare, data, "no filter", attack, "white-box", ETA),
        common.finding(gray, data, name),
        common.finding(gray, data, name, attack, "gray-box", ETA),
        common.finding(white, data, name, attack, "white-box", ETA),
    ]


def _chosen(r: _Results) -> int:
    """The thesis' preferred 100 components, or the middle count where there are no 100."""
    counts = r.counts("pca")
    return 100 if 100 in counts else counts[len(counts) // 2]


Worth = tuple[str, str, int]  # what is compared, method, components


WHITE_GRAY, GRAY, WHITE, CLEAN = "white minus gray", "gray-box", "white-box", "accuracy"


def worth(r: _Results) -> dict[Worth, Contrast]:
    """What each filter changes, paired by training seed: one family.

    Of success at eta `ETA`: white-box minus gray-box, and either behind the filter minus without
    a filter. Of clean accuracy: behind the filter minus without.
    """
    bare = successes(r.bare, ETA)
    clean = accuracies(r.bare)
    pairs: dict[Worth, PairedMeans] = {}
    for method in r.methods():
        for count in r.counts(method):
            gray, white = (r.of(method, count, k) for k in ("gray-box", "white-box"))
            pairs[CLEAN, method, count] = paired_means(accuracies(gray), clean)
            if not _guesses(gray):
                seen, through = (successes(group, ETA) for group in (gray, white))
                pairs[WHITE_GRAY, method, count] = paired_means(through, seen)
                pairs[GRAY, method, count] = paired_means(seen, bare)
                pairs[WHITE, method, count] = paired_means(through, bare)
    return common.family(pairs)


def lowered(change: Contrast) -> str:
    """How much a filter takes off the success of an attack, in words that its test allows.

    Args:
        change: success behind the filter minus success without.
    """
    if not change.shown:
        return f"changes success by {change.said()}"
    d = change.difference
    low, high = sorted((abs(d.low), abs(d.high)))
    size = points_text(replace(d, estimate=abs(d.estimate), low=low, high=high), 1)
    return f"{'lowers' if change.less else 'raises'} success by {size.replace('+', '')} points"


def _answer(r: _Results) -> str:
    count = _chosen(r)
    found = worth(r)
    bare = mean_rate(successes(r.bare, ETA))
    gray = mean_rate(successes(r.of("pca", count, "gray-box"), ETA))
    white = mean_rate(successes(r.of("pca", count, "white-box"), ETA))
    through, seen = (found[what, "pca", count] for what in (WHITE, GRAY))
    return (
        f"At eta {ETA:g} the fast gradient sign attack succeeds on "
        f"**{percent_text(bare)}** of the images without a filter. Behind a PCA filter of "
        f"{count} components it succeeds on **{percent_text(gray)}** when crafted without "
        f"the filter, and on **{percent_text(white)}** when crafted through it: "
        f"{remains(seen, through)} On images that nobody attacked it changes accuracy by "
        f"{found[CLEAN, 'pca', count].said(2)}."
    )


def remains(gray: Contrast, white: Contrast) -> str:
    """What of a filter's worth is left against an attacker who knows it, in a clause.

    Args:
        gray, white: success behind the filter minus success without, by what the attacker knows.
    """
    gained, left = (-100 * t.difference.estimate for t in (gray, white))
    if gray.less and white.less:
        return (
            f"of the {gained:.1f} points that the filter takes off a gray-box attack, {left:.1f} "
            "remain against an attacker who knows the filter."
        )
    return f"gray-box, the filter {lowered(gray)}; through it, it {lowered(white)}."


def _setup(r: _Results, network: Mapping[str, Any], like_for_like: bool) -> str:
    epochs = network["rule"]["epochs"]
    retrained = r.of("pca", r.counts("pca")[0], "gray-box", "Retraining")[0]
    further = retrained.cell["network"]["defense"]["training"]["rules"][0]["epochs"]
    return (
        f"{common.caution(like_for_like)}A filter projects an image onto a few directions and "
        "back, so that what lies outside them is lost, and with it, one hopes, the attacker's "
        "noise (thesis, sections 3.6 and 3.9). It stands inside the network as its first layer. "
        "**Reconstruction** puts it before a trained network; **retraining** then trains that "
        f"network on filtered images for {further} epochs more; **from scratch** trains a fresh "
        "network that never saw an unfiltered image, as long as the undefended one.\n\n"
        "The attack is fast gradient sign with freedom eta: every pixel moves by eta in the "
        "direction that raises the loss. **Gray-box**, as in the thesis, the gradient is that of "
        "the network without the filter. **White-box**, it is followed through the filter, which "
        "is linear and costs the attacker nothing. Success is the share of the images classified "
        "rightly before the attack, by the network under attack, that are classified wrongly "
        "after it.\n\n"
        f"The undefended network is FC-100-100-10 after {epochs} epochs, the fixed number of the "
        "stopping chapter; the thesis uses its stable-weights rule here, which as it is worded "
        "stops as soon as its window is full (see that chapter). "
        f"{common.network_setup(network['training'])} Filters are fitted on the "
        "whole training split."
    )


def _reproduced(r: _Results, thesis, like_for_like: bool):
    counts = r.counts("pca")
    groups = {"no filter": r.bare}
    # the thesis' counts where they were run, else ours in the same order
    names = [row.condition for row in thesis if row.condition.startswith("PCA")]
    for name, count in zip(dict.fromkeys(names), counts):
        groups[name] = r.of("pca", count, "gray-box")
    comparisons = []
    for row in thesis:
        if row.condition not in groups:
            continue
        group = groups[row.condition]
        if row.metric == "test_accuracy":
            values = accuracies(group)
        else:
            values = successes(group, ETA)
        comparisons.append(
            Comparison.of(
                row,
                mean_rate(values),
                as_rate(next_value(values)),
                n=len(group[0].label),
                seeds=len(group),
                note="" if like_for_like else f"ours: {_condition(group[0])}",
            )
        )
    inside = sum(c.verdict == "inside" for c in comparisons)
    held = (
        f"{inside} of the {len(comparisons)} reported numbers lie inside the interval for one "
        "new training run. "
        if like_for_like
        else ""
    )
    return (
        Text(
            f"{held}The thesis attacks gray-box, and so do these rows; its count of "
            "success is not defined further, ours is above."
        ),
        TableBlock(
            comparison_table(
                comparisons,
                f"Test accuracy, and success of fast gradient sign at eta {ETA:g}, gray-box "
                "(without a filter the two settings are one).",
                like_for_like,
            ),
            "reported",
        ),
    )


def _white_box(r: _Results):
    bare = successes(r.bare)
    panels = []
    for method in r.methods():
        for knowledge in ("gray-box", "white-box"):
            series = [banded("no filter", r.etas, bare, color="#555555", marker="", style="--")]
            series += [
                banded(f"{count}", r.etas, successes(r.of(method, count, knowledge)))
                for count in r.counts(method)
                if not _guesses(r.of(method, count, knowledge))
            ]
            panels.append(
                Panel(f"{METHODS[method]}, {knowledge}", series, "eta", "success", percent=True)
            )
    figure = Figure(
        "success",
        "Success of fast gradient sign against eta, for each filter and number of components "
        "kept: mean over training seeds with its 95 % interval. Left crafted without the filter, "
        "right through it. Filters behind which the network only guesses are left out.",
        "One row of panels per kind of filter, gray-box on the left and white-box on the right: "
        "attack success against eta, one curve per number of components.",
        panels_figure(panels, columns=2, share_y=True),
    )
    found = worth(r)
    rows = [
        (method, count, *(r.of(method, count, k) for k in ("gray-box", "white-box")))
        for method in r.methods()
        for count in r.counts(method)
    ]

    def tests(method: str, count: int, *kinds: str) -> tuple[Any, ...]:
        pairs = [found.get((kind, method, count)) for kind in kinds]
        return tuple(
            cell
            for t in pairs
            for cell in (
                (None, None) if t is None else (Points(t.difference, 1), PValue(t.adjusted))
            )
        )

    table = Table(
        (
            "filter",
            "components",
            "variance kept",
            "accuracy",
            "accuracy minus no filter",
            "p, Holm",
            "success, gray-box",
            "gray-box minus no filter",
            "p, Holm, gray-box",
            "success, white-box",
            "white-box minus no filter",
            "p, Holm, white-box",
            "white minus gray",
            "p, Holm, white minus gray",
        ),
        tuple(
            (
                METHODS[method],
                count,
                Percent(mean(_variance(gray)).estimate, 1),
                Percent(mean_rate(accuracies(gray))),
                Points(found[CLEAN, method, count].difference, 2),
                PValue(found[CLEAN, method, count].adjusted),
                *(
                    (
                        Percent(mean_rate(successes(gray, ETA)), 1),
                        *tests(method, count, GRAY),
                        Percent(mean_rate(successes(white, ETA)), 1),
                        *tests(method, count, WHITE, WHITE_GRAY),
                    )
                    if (WHITE_GRAY, method, count) in found
                    else (None,) * 8
                ),
            )
            for method, count, gray, white in rows
        ),
        f"Reconstruction at eta {ETA:g}: mean over {len(r.bare)} training seeds with Student's "
        "95 % interval; differences are in percentage points and paired by seed, without a filter "
        f"success is {percent_text(mean_rate(bare[:, r.bare[0].at(ETA)]))}. The "
        f"p-values are Holm-adjusted over the {len(found)} differences of this table. Where the "
        "network is right less than twice as often as by guessing, success means nothing and "
        "is left out.",
    )
    marks = [
        _mark(f"PCA {count}", r.of("pca", count, knowledge), f"PCA, {knowledge}")
        for knowledge in ("gray-box", "white-box")
        for count in r.counts("pca")[1:]  # the first keeps everything: it is the bare network
    ]
    marks.append(_mark("no filter", r.bare, "no filter"))
    trade_off = Figure(
        "trade-off",
        f"Clean accuracy and attack success at eta {ETA:g}. Lower right is better. The vertical "
        "gap between the two marks of one filter is what knowing it is worth to the attacker.",
        "Scatter plot of clean accuracy and attack success for PCA filters, gray-box and "
        "white-box.",
        scatter_figure(marks, "clean accuracy", f"success at eta {ETA:g}", percent=True),
    )
    return (
        Text(_verdict(r)),
        FigureBlock(figure),
        TableBlock(table, "success"),
        FigureBlock(trade_off),
    )


def _condition(record: Record) -> str:
    _, method, count, _ = key_of(record)
    return f"{METHODS[method]} {count}" if method else "no filter"


def _guesses(group: Sequence[Record]) -> bool:
    """Whether the network is right less than twice as often as by guessing."""
    return accuracies(group).mean() < 2 / (group[0].label.max() + 1)


def _mark(label: str, group: Sequence[Record], kind: str) -> Point:
    accuracy = mean_rate(accuracies(group))
    return Point(label, accuracy, mean_rate(successes(group, ETA)), kind)


def _variance(group: Sequence[Record]) -> np.ndarray:
    return np.array([record.about["filter"]["explained_variance"] for record in group])


def _verdict(r: _Results) -> str:
    found = worth(r)
    lines = []
    for count in r.counts("pca")[1:]:
        if (GRAY, "pca", count) not in found:
            lines.append(f"- {count} components: the network behind the filter only guesses.")
            continue
        gray, white, clean = (found[what, "pca", count] for what in (GRAY, WHITE, CLEAN))
        lines.append(
            f"- {count} components: the filter {lowered(gray)} gray-box, and {lowered(white)} "
            f"white-box. Accuracy without an attack changes by {clean.said(2)}."
        )
    return (
        "A gray-box number says how well examples *transfer* from the bare network to the "
        "filtered one, not how many there are. The filter is linear: whoever knows it "
        "differentiates through it at the price of one matrix product, and the step then lies in "
        "the directions that the filter keeps. Measured against the bare network at eta "
        f"{ETA:g}:\n\n" + "\n".join(lines) + "\n\nWhat is shown white-box is the worth of the "
        "defense against one gradient step, and an upper bound on its worth against stronger "
        "attacks."
    )


def _directions(r: _Results):
    shared = [c for c in r.counts("fastica") if c in r.counts("pca")]
    apart = max(
        np.abs(successes(r.of("pca", c, k), ETA) - successes(r.of("fastica", c, k), ETA)).max()
        for c in shared
        for k in ("gray-box", "white-box")
    )
    variance = Figure(
        "explained-variance",
        "Share of the training variance that a reconstruction keeps.",
        "Lines of variance kept against number of components for each kind of filter.",
        line_figure(
            [
                Series(
                    METHODS[m],
                    np.array(r.counts(m), float),
                    np.array([_variance(r.of(m, c, "gray-box")).mean() for c in r.counts(m)]),
                )
                for m in r.methods()
            ],
            "components kept",
            "variance kept",
            percent=True,
            x_log=True,
        ),
    )
    count = _chosen(r)
    pca, random = (r.of(m, count, "gray-box") for m in ("pca", "random"))
    (ahead,) = common.family({"": paired_means(accuracies(pca), accuracies(random))}).values()
    rounding = (
        "which is rounding: as a filter FastICA is not another defense"
        if apart < 0.001
        else "more than rounding: here its iteration or its arithmetic left another filter"
    )
    more = (
        "PCA is ahead in accuracy by "
        f"{points_text(ahead.difference, 1).lstrip('+')} points, because of the image so "
        "much more is left"
        if ahead.more
        else f"PCA's accuracy minus theirs is {ahead.said()}"
    )
    return (
        Text(
            "Three controls say what PCA itself contributes. **FastICA** rotates PCA's whitened "
            "components and rotates them back: its reconstruction is PCA's, whatever the "
            f"iteration finds. The largest difference in success between the two, over all counts "
            f"and seeds, is {100 * apart:.2f} points, {rounding}. "
            "**SVD** is PCA without subtracting the mean. **Random** keeps "
            f"as many directions, but arbitrary ones: at {count} components {more}. "
            "Success counts only the images that are still classified rightly."
        ),
        FigureBlock(variance),
    )


MODES = {
    "Reconstruction": "reconstruction",
    "Retraining": "retraining",
    "FromScratch": "from scratch",
}


def mean_success_difference(first: Sequence[Record], second: Sequence[Record]) -> np.ndarray:
    """The thesis' statistic for one pair of defenses: success of the first minus the second.

    Averaged over eta, section 3.7; the mean over pairs is taken by the caller.

    Returns:
        float64 (S,), one per training seed.
    """
    return (successes(first) - successes(second)).mean(axis=1)


ALL_PAIRS = "mean over all pairs"


# (setting, the first way, the second, components or the name of a mean over pairs)
Mode = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Modes:
    """The comparisons of ways to train behind a PCA filter, one family for Holm's adjustment.

    Args:
        success: success of the first minus that of the second, averaged over eta.
        accuracy: clean accuracy of the second minus that of the first; its p-values are of the
            same family.
        seeds: training seeds behind each.
        shared: the name of the mean over the pairs that all three ways have.
    """

    success: Mapping[Mode, Contrast]
    accuracy: Mapping[Mode, Contrast]
    seeds: Mapping[Mode, int]
    shared: str


def modes(r: _Results) -> Modes:
    """Every comparison of section 3.7, and from scratch against retraining on the same pairs.

    A mean over pairs compares equals only: what is set beside from scratch, which has fewer
    numbers of components and fewer seeds, is taken over those pairs and those seeds.
    """
    few = r.counts("pca", "FromScratch")
    shared = f"mean over {', '.join(map(str, few))}"
    success: dict[Mode, PairedMeans] = {}
    accuracy: dict[Mode, PairedMeans] = {}
    seeds: dict[Mode, int] = {}

    def add(knowledge: str, one: str, other: str, counts: Sequence[int], name: str, n: int) -> None:
        first, second = (
            [r.of("pca", count, knowledge, mode)[:n] for count in counts] for mode in (one, other)
        )
        key = knowledge, one, other, name
        differences = [mean_success_difference(a, b) for a, b in zip(first, second)]
        gained = [accuracies(b) - accuracies(a) for a, b in zip(first, second)]
        zero = np.zeros(n)
        success[key] = paired_means(np.mean(differences, axis=0), zero)
        if knowledge == "gray-box":  # clean accuracy knows of no attacker
            accuracy[key] = paired_means(np.mean(gained, axis=0), zero)
        seeds[key] = n

    plain, again, fresh = MODES
    for knowledge in ("gray-box", "white-box"):
        n = {mode: len(r.of("pca", r.counts("pca", mode)[0], knowledge, mode)) for mode in MODES}
        for other in (again, fresh):
            for count in r.counts("pca", other):
                add(knowledge, plain, other, [count], str(count), n[other])
        add(knowledge, plain, again, r.counts("pca", again), ALL_PAIRS, n[again])
        for one, other in ((plain, again), (plain, fresh), (again, fresh)):
            add(knowledge, one, other, few, shared, min(n[one], n[other], n[fresh]))
    tested = common.family(
        {("success", k): v for k, v in success.items()}
        | {("accuracy", k): v for k, v in accuracy.items()}
    )
    return Modes(
        {k: tested["success", k] for k in success},
        {k: tested["accuracy", k] for k in accuracy},
        seeds,
        shared,
    )


def _training_modes(r: _Results, thesis, like_for_like: bool):
    found = modes(r)
    table = Table(
        (
            "setting",
            "first",
            "second",
            "components",
            "success, first minus second",
            "p, Holm, success",
            "accuracy, second minus first",
            "p, Holm, accuracy",
            "seeds",
        ),
        tuple(
            (
                knowledge,
                MODES[one],
                MODES[other],
                name,
                Points(found.success[key].difference),
                PValue(found.success[key].adjusted),
                Points(found.accuracy[key].difference) if key in found.accuracy else None,
                PValue(found.accuracy[key].adjusted) if key in found.accuracy else None,
                found.seeds[key],
            )
            for key in found.success
            for knowledge, one, other, name in [key]
        ),
        "The thesis' statistic (section 3.7): success of the attack on the first minus success on "
        "the second, averaged over eta, then over pairs, in percentage points; positive means that "
        "the second protects better. Student's 95 % interval over training seeds, paired t test, "
        f"p-values Holm-adjusted over the {len(found.success) + len(found.accuracy)} differences "
        "of this table; clean accuracy stands in the gray-box rows. From "
        "scratch was trained for fewer numbers of components and fewer seeds: means that are set "
        "beside it are over the same ones.",
    )
    statistic = next(row for row in thesis if row.metric == "mean_success_difference")
    counts = r.counts("pca", "Retraining")
    each = np.mean(
        [
            mean_success_difference(
                r.of("pca", count, "gray-box"), r.of("pca", count, "gray-box", "Retraining")
            )
            for count in counts
        ],
        axis=0,
    )
    compared = comparison_table(
        [
            Comparison.of(
                statistic,
                mean(each),
                next_value(each),
                n=len(r.bare[0].label),
                seeds=len(each),
                note="gray-box",
            )
        ],
        "Retraining against reconstruction, mean over pairs.",
        like_for_like,
    )
    panels = []
    for count in r.counts("pca", "FromScratch"):
        for knowledge in ("gray-box", "white-box"):
            series = [
                banded(label, r.etas, successes(r.of("pca", count, knowledge, defense)))
                for defense, label in MODES.items()
            ]
            panels.append(
                Panel(f"PCA {count}, {knowledge}", series, "eta", "success", percent=True)
            )
    figure = Figure(
        "training-modes",
        "Success against eta for the three ways to train behind a PCA filter: mean over training "
        "seeds with its 95 % interval.",
        "One row of panels per number of components, gray-box left and white-box right, three "
        "curves each.",
        panels_figure(panels, columns=2, share_y=True),
    )
    return (
        Text(modes_text(found, statistic)),
        TableBlock(compared, "retraining-reported"),
        TableBlock(table, "training-modes"),
        FigureBlock(figure),
    )


def modes_text(found: Modes, statistic) -> str:
    """What the ways to train are worth, in words that the adjusted tests allow."""
    plain, again, fresh = MODES

    def said(knowledge: str, one: str, other: str, name: str) -> str:
        return found.success[knowledge, one, other, name].said(2)

    def paid(knowledge: str, one: str, other: str, name: str) -> str:
        return found.accuracy[knowledge, one, other, name].said(2)

    gray, white = (
        found.success[knowledge, again, fresh, found.shared]
        for knowledge in ("gray-box", "white-box")
    )
    seeds = found.seeds["gray-box", plain, fresh, found.shared]
    return (
        "The thesis finds retraining "
        f"{statistic.value:g} percentage point more effective than reconstruction and drops it; "
        "from scratch it mentions as so much better for the attacker that it was not compared. "
        "Here, over all pairs, success under reconstruction minus success under retraining is "
        f"{said('gray-box', plain, again, ALL_PAIRS)} gray-box and "
        f"{said('white-box', plain, again, ALL_PAIRS)} white-box; clean accuracy changes by "
        f"{paid('gray-box', plain, again, ALL_PAIRS)}.\n\n"
        f"On the pairs that all three ways have ({found.shared.removeprefix('mean over ')} "
        f"components) and the same {seeds} seeds, retraining takes off "
        f"{said('gray-box', plain, again, found.shared)} gray-box and "
        f"{said('white-box', plain, again, found.shared)} white-box, and from scratch "
        f"{said('gray-box', plain, fresh, found.shared)} and "
        f"{said('white-box', plain, fresh, found.shared)}. From scratch against retraining is "
        f"{gray.said(2)} gray-box and {white.said(2)} white-box. Clean accuracy changes by "
        f"{paid('gray-box', plain, again, found.shared)} with retraining and by "
        f"{paid('gray-box', plain, fresh, found.shared)} from scratch.\n\n"
        "A positive gray-box number can be an artefact in part: a network whose weights have moved "
        "away from the one the examples were crafted on is harder to transfer to, filter or not. "
        "The white-box row has no such excuse."
    )


def _pictures(r: _Results):
    first = r.bare[0]
    shown = first.pictures["adversarial"]  # (E + 1, M, H, W, C)
    etas = [0.0, *first.epsilons]
    picked = [i for i, eta in enumerate(etas) if i and round(eta / 0.05, 6) % 1 == 0]
    rows = range(min(3, shown.shape[1]))
    growing = Figure(
        "eta",
        "The same digits as eta grows, attacked through the undefended network, and how each is "
        "classified. The thesis left this picture as a placeholder.",
        "Three digits, each more noisy to the right as eta grows, with the predicted class below.",
        image_grid(
            np.array([[shown[i, m] for i in picked] for m in rows]),
            [f"label {first.label[m]}" for m in rows],
            [f"eta {etas[i]:g}" for i in picked],
            [[f"{first.adversarial[i - 1, m]}" for i in picked] for m in rows],
        ),
        raster=True,
    )
    grids = []
    for m in rows:
        for method in r.methods():
            if method == "fastica":
                continue  # the same pictures as PCA's
            grids.append(
                [r.of(method, c, "gray-box")[0].pictures["filtered"][m] for c in r.counts("pca")]
            )
    names = [METHODS[m] for m in r.methods() if m != "fastica"]
    filtered = Figure(
        "filtered",
        "What each filter leaves of the same digits, by number of components kept. FastICA is "
        "left out: its pictures are PCA's.",
        "Digits after PCA, SVD and random filters with fewer and fewer components.",
        image_grid(
            np.array(grids),
            [name for _ in rows for name in names],
            [f"{c}" for c in r.counts("pca")],
        ),
        raster=True,
    )
    return (FigureBlock(growing), FigureBlock(filtered))
