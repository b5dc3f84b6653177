"""What the distillation chapter says of gradients, temperatures and counter-attacks."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustnets.chapters.distillation.results import (
    EPS,
    EPSILONS,
    L2_RADII,
    VIEWS,
    Paired,
    Results,
    all_attacks,
    claims,
    name,
    paired,
    percent,
    robust,
    untouched,
)
from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.core.record import Record
from robustnets.report.cells import Cell, Percent, Points, PValue
from robustnets.report.figure import Figure
from robustnets.report.lines import Panel, Series, line_figure, panels_figure
from robustnets.report.page import FigureBlock, TableBlock, Text
from robustnets.report.seeds import share
from robustnets.report.table import Table
from robustnets.report.text import p_text, points_text
from robustnets.stats.intervals import Interval, rate
from robustnets.stats.paired import paired_rates


def temperatures(r: Results):
    """Zero gradients and robust accuracy against the temperature."""
    d = r.main
    ts = r.temperatures(d)
    n = min(len(groups["logits"][0].label) for _, _, groups in r.swept(d))
    rows: list[tuple[Cell, ...]] = []
    for network, t, groups in r.swept(d):
        rows.append(
            (
                *(network, f"{t:g}"),
                Percent(share([record.correct[:n] for record in groups["logits"]]), 1),
                *(Percent(untouched(groups[v]), 1) if groups[v] else None for v in VIEWS),
                *(Percent(_first(groups[v], EPS, n), 1) if groups[v] else None for v in VIEWS),
            )
        )
    table = Table(
        (
            *("network", "T", "clean"),
            *(f"zero gradients, {v}" for v in VIEWS),
            *(f"eps {EPS:g}, {v}" for v in VIEWS),
        ),
        tuple(rows),
        f"{name(d)}, fast gradient method: share of the rightly classified images whose gradient "
        f"is exactly zero, and robust accuracy at eps {EPS:g}, for each loss that the attacker may "
        f"differentiate; 95 % intervals. Accuracies are those of the first {n:,} test images, on "
        "which all rows were measured; zero gradients are counted on all that a row has.",
    )
    panels = []
    for title, measure in (
        ("zero gradients", untouched),
        (f"robust accuracy, eps {EPS:g}", functools.partial(_first, eps=EPS, n=n)),
    ):
        series = []
        for network, style in (("distilled", "-"), ("teacher", "--")):
            for i, view in enumerate(VIEWS):
                if network == "teacher" and view == "logits":
                    continue
                points = [(1.0, r.undefended(d, "logits" if view == "logits / T" else view))]
                points += [
                    (t, g[view])
                    for own, t, g in r.swept(d)
                    if own == network and t != 1 and g[view]
                ]
                intervals = [measure(group) for _, group in points]
                series.append(
                    Series(
                        f"{network}, {view}",
                        np.array([t for t, _ in points]),
                        np.array([v.estimate for v in intervals]),
                        np.array([v.low for v in intervals]),
                        np.array([v.high for v in intervals]),
                        style=style,
                        color=_COLOURS[i],
                    )
                )
        panels.append(
            Panel(title, series, "temperature T", "share of images", percent=True, x_log=True)
        )
    figure = Figure(
        "temperatures",
        f"{name(d)}: what the attacker differentiates decides what a temperature seems to be "
        "worth. At T = 1 stands the undefended network. Dashed: the teacher, which learned hard "
        "labels at T and from no other network.",
        "Two panels against temperature: share of zero gradients and robust accuracy, one curve "
        "per network and loss.",
        panels_figure(panels, columns=2, share_y=True),
    )
    return (Text(_masking(r, d, ts)), FigureBlock(figure), TableBlock(table, "temperatures"))


_COLOURS = ("#0072B2", "#D55E00", "#009E73")


def _masking(r: Results, d: str, ts: Sequence[float]) -> str:
    top = ts[-1]
    student = {v: r.student(d, v) for v in VIEWS}
    teacher = r.teacher(d, "softmax", top)
    said = (
        f"At T = {top:g} the gradient of the softmax's cross entropy is exactly zero for "
        f"{percent(untouched(student['softmax']))} of the images, that of the logits' for "
        f"{percent(untouched(student['logits']))}, that of the logits divided by {top:g} for "
        f"{percent(untouched(student['logits / T']))}. Nothing in the network changes between "
        "these three: only the last function before the loss does. The robust accuracies "
        f"are {percent(robust(student['softmax'], EPS))}, "
        f"{percent(robust(student['logits'], EPS))} and "
        f"{percent(robust(student['logits / T'], EPS))} at eps {EPS:g}."
    )
    if teacher:
        adaptive = r.teacher(d, "logits / T", top)
        (gap,) = common.family({"": paired(adaptive, teacher, EPS)}).values()
        said += " " + of_teacher(
            gap,
            top,
            percent(untouched(teacher)),
            percent(robust(teacher, EPS)),
            percent(robust(adaptive, EPS)),
        )
    return said


def of_teacher(gap: Contrast, top: float, hidden: str, softmax: str, scaled: str) -> str:
    """Whether the teacher, from which nothing was distilled, hides its gradients as well.

    Args:
        gap: robust accuracy through the logits divided by T minus that through the softmax.
        top: T.
        hidden: share of the images with a gradient of zero through the softmax, in words.
        softmax, scaled: robust accuracy through either, in words.
    """
    measured = (
        f"{softmax} through the softmax, {scaled} through the logits at temperature, paired "
        f"{points_text(gap.difference, 1)} points, {p_text(gap.p)}"
    )
    head = (
        "The teacher, which learned the hard labels and from no other network, has gradients of "
        f"zero on {hidden} of the images"
    )
    if gap.less:
        return (
            f"It takes no second network either. {head} and looks as robust as it does only until "
            f"it is divided by {top:g}: {measured}. What makes the softmax saturate is the "
            "temperature in training and its absence afterwards."
        )
    return f"{head}; dividing its logits by {top:g} is not shown to leave fewer right: {measured}."


# counter-attacks


@dataclass(frozen=True, slots=True)
class Row:
    """One attack on both networks at one radius."""

    attack: str
    view: str
    knowledge: str
    radius: str
    bare: Sequence[Record]
    student: Sequence[Record]
    eps: float


def attacks_of(r: Results, d: str) -> list[Row]:
    rows = []
    top = r.top(d)
    shared = {"network": "distilled", "temperature": top, "treatment": "soft"}
    for eps in EPSILONS:
        gray = r.find(d, **shared, knowledge="gray-box")
        if gray:
            bare = r.undefended(d, "logits")
            rows.append(Row("FGSM", "logits", "gray-box", f"linf {eps:g}", bare, gray, eps))
        for attack in ("FGSM", "PGD"):
            for view in VIEWS:
                bare = r.undefended(d, "softmax" if view == "softmax" else "logits", attack)
                knowledge = "adaptive" if view == "logits / T" else "white-box"
                own = r.find(d, **shared, attack=attack, view=view, knowledge=knowledge)
                if bare and own:
                    rows.append(Row(attack, view, knowledge, f"linf {eps:g}", bare, own, eps))
        black = r.find(d, **shared, attack="Square")
        if black:
            bare = r.find(d, network="undefended", attack="Square")
            rows.append(Row("Square", "logits", "black-box", f"linf {eps:g}", bare, black, eps))
    near = r.find(d, **shared, attack="CarliniWagner")
    if near:
        bare = r.undefended(d, "logits", "CarliniWagner")
        for eps in (1.0, 2.0):
            radius = f"l2 {eps:g}"
            rows.append(Row("Carlini-Wagner", "logits / T", "adaptive", radius, bare, near, eps))
    return rows


CLEAN, TOGETHER = "no attack", "all linf attacks together"
Asked = tuple[str, str, str, str, str]  # data set, attack, view, knowledge, radius


def worth(r: Results) -> dict[Asked, Contrast]:
    """The distilled network minus the undefended one under every attack: one family.

    Without an attack, of clean accuracy; under all linf attacks together, the worst of them for
    each image, on the images that all were made on.
    """
    pairs: dict[Asked, Paired] = {}
    for d in r.datasets:
        soft, bare = r.student(d, "softmax"), r.undefended(d, "logits")
        pairs[d, CLEAN, "", "", ""] = paired(soft, bare)
        for row in attacks_of(r, d):
            key = d, row.attack, row.view, row.knowledge, row.radius
            pairs[key] = paired(row.student, row.bare, row.eps)
        for eps in EPSILONS:
            found = together(r, d, eps)
            if found is not None:
                pairs[d, TOGETHER, "", "", f"linf {eps:g}"] = found[0]
    return common.family(pairs)


def of_fgsm(r: Results, d: str, view: str, eps: float = EPS) -> Contrast:
    """What distillation is worth under FGSM through a view, of `worth`."""
    knowledge = "adaptive" if view == "logits / T" else "white-box"
    return worth(r)[d, "FGSM", view, knowledge, f"linf {eps:g}"]


def counter_attacks(r: Results):
    """Every attack on the undefended and on the distilled network, on the same examples."""
    blocks: list[Any] = []
    tests = worth(r)
    rows: list[tuple[Cell, ...]] = []

    def add(key: Asked, bare: Interval, student: Interval, n: int) -> None:
        d, *named = key
        found = tests[key]
        rows.append(
            (
                *(name(d), *(word or "–" for word in named)),
                *(Percent(bare, 1), Percent(student, 1), Points(found.difference, 1)),
                *(PValue(found.adjusted), found.word(), n),
            )
        )

    for d in r.datasets:
        soft, plain = r.student(d, "softmax"), r.undefended(d, "logits")
        n = min(len(group[0].label) for group in (soft, plain))
        clean = [share([x.correct[:n] for x in group]) for group in (plain, soft)]
        add((d, CLEAN, "", "", ""), clean[0], clean[1], n)
        for row in attacks_of(r, d):
            n = min(len(row.bare[0].label), len(row.student[0].label))
            bare, student = (_first(group, row.eps, n) for group in (row.bare, row.student))
            add((d, row.attack, row.view, row.knowledge, row.radius), bare, student, n)
        for eps in EPSILONS:
            found = together(r, d, eps)
            if found is not None:
                _, student, bare = found
                add((d, TOGETHER, "", "", f"linf {eps:g}"), bare, student, student.n)
    table = Table(
        (
            *("data", "attack", "through", "knowledge", "radius"),
            *("undefended", "distilled", "distilled minus undefended", "p, Holm", "verdict", "n"),
        ),
        tuple(rows),
        "Robust accuracy of the undefended and of the distilled network (all soft labels, the "
        "report's temperature) under each attack, with 95 % intervals; without an attack, clean "
        "accuracy. The difference is paired, "
        f"p-values are Holm-adjusted over the {len(rows)} rows. {claims(r)} The undefended "
        "network has temperature 1, so its logits / T are its logits. In the gray-box row the "
        "examples are those crafted on the undefended network.",
    )
    blocks += [Text(_worst(r)), TableBlock(table, "counter-attacks")]
    d = r.main
    near = [row for row in attacks_of(r, d) if row.attack == "Carlini-Wagner"]
    if near:
        blocks.append(FigureBlock(_curves(d, near[0])))
    return tuple(blocks)


def _first(group: Sequence[Record], eps: float, n: int) -> Interval:
    return share([record.robust[record.at(eps)][:n] for record in group])


def _curves(d: str, row: Row) -> Figure:
    series = []
    for label, group in (("undefended", row.bare), ("distilled", row.student)):
        intervals = [robust(group, eps) for eps in L2_RADII]
        series.append(
            Series(
                label,
                np.array(L2_RADII),
                np.array([v.estimate for v in intervals]),
                np.array([v.low for v in intervals]),
                np.array([v.high for v in intervals]),
            )
        )
    return Figure(
        "carlini-wagner",
        f"{name(d)}: robust accuracy against the smallest l2 perturbation that Carlini and "
        f"Wagner's attack finds, on {len(row.bare[0].label)} test images, with 95 % intervals. "
        "Its loss is a margin of logits, which does not saturate at any temperature.",
        "Two falling curves of robust accuracy against the l2 radius.",
        line_figure(series, "l2 radius", "robust accuracy", percent=True),
    )


def together(r: Results, d: str, eps: float) -> tuple[Paired, Interval, Interval] | None:
    """Worst case over all linf attacks per example: distilled minus undefended."""
    rows = [row for row in attacks_of(r, d) if row.eps == eps and row.radius.startswith("linf")]
    if not rows:
        return None
    student, n = all_attacks([row.student for row in rows], eps)
    bare, m = all_attacks([row.bare for row in rows if row.knowledge != "gray-box"], eps)
    n = min(n, m)
    rates = paired_rates(student[:n], bare[:n])
    intervals = [rate(int(x[:n].sum()), n) for x in (student, bare)]
    return Paired(rates.difference, rates.p), intervals[0], intervals[1]


def _worst(r: Results) -> str:
    tests = worth(r)
    text = "One attack that fails says little: what counts is the worst of them for each image. "
    for d in r.datasets:
        said = []
        for eps in EPSILONS:
            found = together(r, d, eps)
            if found is None:
                continue
            _, student, bare = found
            pair = tests[d, TOGETHER, "", "", f"linf {eps:g}"]
            said.append(
                f"at eps {eps:g} the distilled network withstands all of them on "
                f"{percent(student)} of the images and the undefended one on {percent(bare)} "
                f"({points_text(pair.difference, 1)} points, adjusted "
                f"{p_text(pair.adjusted)}, n = {student.n}"
                f"{'' if pair.shown else f': {common.NOT_SHOWN}'})"
            )
        if said:
            text += (
                f"On {name(d)}, over all linf attacks of the table and on the images that all "
                f"were made on, {'; '.join(said)}. "
            )
    return text.strip()
