"""The page on penalties: does the boundary move, or only the gradient?"""

import numpy as np

from robustnets.chapters import common
from robustnets.chapters.regularization_results import (
    ALPHA,
    ASKED,
    BOX,
    CARLINI,
    CHOSEN,
    DEEPFOOL,
    FREE,
    FREE_NOISE,
    ITERATED,
    LENT,
    NAMES,
    NONE,
    ROUNDED,
    STRONG,
    WEAK,
    Pair,
    Results,
    median,
    paired_median,
    paired_share,
    percent_of,
    share,
)
from robustnets.report.cells import Fixed, Percent, Points, PValue, Word, points
from robustnets.report.figure import Figure
from robustnets.report.lines import Panel, Series, panels_figure
from robustnets.report.page import Block, FigureBlock, TableBlock, Text
from robustnets.report.table import Table
from robustnets.stats.distances import distance_curve
from robustnets.stats.intervals import Interval
from robustnets.stats.multiplicity import holm


def boundary(r: Results) -> tuple[Block, ...]:
    radii = r.of(NONE, BOX)[0].epsilons
    panels = [
        Panel(
            NAMES[pair],
            [
                common.banded(
                    name,
                    np.append(0.0, radii),
                    np.array(
                        [
                            [e.mean() for e in steps]
                            for steps in zip(
                                r.errors(pair, kind), *(r.errors(pair, kind, e) for e in radii)
                            )
                        ]
                    ),
                )
                for name, kind in (("FGSM", BOX), ("PGD", ITERATED))
            ],
            "eps (linf, in the box)",
            "error",
            percent=True,
        )
        for pair in (NONE, CHOSEN)
    ]
    by_radius = Figure(
        "radius",
        "Error against the radius, pixels kept in their range: one step and many.",
        "Two panels, without and with the penalty: error of FGSM and PGD against eps.",
        panels_figure(panels, share_y=True),
    )
    by_distance = Figure(
        "distance",
        "Share of the images with an adversarial example within an L2 distance: DeepFool, and "
        f"Carlini and Wagner's search on the first {len(r.of(NONE, CARLINI)[0].label):,}. Wrong "
        "from the start counts as distance zero.",
        "Two panels, one per attack: share of images broken against L2 distance, without and "
        "with the penalty.",
        panels_figure(
            [
                Panel(
                    title,
                    [_distances(r, pair, kind) for pair in (NONE, CHOSEN)],
                    "L2 distance",
                    "share broken",
                    percent=True,
                )
                for title, kind in (("DeepFool", DEEPFOOL), ("Carlini-Wagner", CARLINI))
            ],
            share_y=True,
        ),
    )
    paired, medians = _paired(r)
    return (
        Text(_boundary_text(r)),
        FigureBlock(by_radius),
        TableBlock(paired, "paired"),
        FigureBlock(by_distance),
        TableBlock(medians, "distances"),
        Text(_gradient_text(r)),
    )


def _distances(r: Results, pair: Pair, kind: str) -> Series:
    """The curve of the first seed, or of all seeds taken together, on a common grid."""
    found = np.concatenate(r.distances(pair, kind))
    curve = distance_curve(found)
    most = float(np.quantile(found[np.isfinite(found)], 0.99))
    x = np.linspace(0.0, most, 60)
    at = np.searchsorted(curve.distance, x, side="right") - 1
    inside = at >= 0
    y = np.where(inside, curve.share[np.maximum(at, 0)], 0.0)
    return Series(NAMES[pair], x, y)


# what was measured, what the attacker knows of the penalised network, and what is compared: with
# the penalty, without, at a radius
FAMILY: tuple[tuple[str, str, str, str, float | None], ...] = (
    ("original", "–", FREE, FREE, None),
    (f"noise {STRONG:g}, free", "–", FREE_NOISE, FREE_NOISE, STRONG),
    (f"FGSM {WEAK:.2f}, free", "gray-box", LENT, FREE, WEAK),
    (f"FGSM {STRONG:g}, free", "gray-box", LENT, FREE, STRONG),
    (f"FGSM {WEAK:.2f}, free", "white-box", FREE, FREE, WEAK),
    (f"FGSM {STRONG:g}, free", "white-box", FREE, FREE, STRONG),
    (f"FGSM {WEAK:.2f}, box", "white-box", BOX, BOX, WEAK),
    (f"FGSM {STRONG:g}, box", "white-box", BOX, BOX, STRONG),
    (f"PGD {WEAK:.2f}, box", "white-box", ITERATED, ITERATED, WEAK),
    (f"PGD {STRONG:g}, box", "white-box", ITERATED, ITERATED, STRONG),
    (f"Square {WEAK:.2f}, box", "black-box", ASKED, ASKED, WEAK),
    (f"Square {STRONG:g}, box", "black-box", ASKED, ASKED, STRONG),
)


def _paired(r: Results) -> tuple[Table, Table]:
    """Differences of error and of distance; one family for Holm's adjustment."""
    rates: list[tuple[Interval, float]] = [
        paired_share(r.errors(CHOSEN, own, eps), r.errors(NONE, other, eps))
        for _, _, own, other, eps in FAMILY
    ]
    searches = (("DeepFool", DEEPFOOL), ("Carlini-Wagner", CARLINI))
    apart = [
        paired_median(r.distances(CHOSEN, kind), r.distances(NONE, kind)) for _, kind in searches
    ]
    adjusted = holm([p for _, p in (*rates, *apart)])
    count = len(adjusted)

    def word(estimate: float, p: float, good: bool) -> Word:
        if p >= ALPHA or estimate == 0:
            return Word("no difference shown")
        return Word("better", "good") if good else Word("worse", "bad")

    how = (
        "exact McNemar test and Bonett and Price's interval over the same n examples of one "
        "training seed"
        if r.seeds == 1
        else f"paired t test and interval over {r.seeds} training seeds"
    )
    ranks = (
        "median over examples of the difference, Wilcoxon's signed ranks"
        if r.seeds == 1
        else "difference of medians, paired t over seeds"
    )
    return (
        Table(
            (
                *("measured", "knowledge", "n", "no penalty", "penalty"),
                *("difference", "p", "p, Holm", "verdict"),
            ),
            tuple(
                (
                    *(name, knowledge, len(r.of(CHOSEN, own)[0].label)),
                    Percent(share(r.errors(NONE, other, eps)), 1),
                    Percent(share(r.errors(CHOSEN, own, eps)), 1),
                    Points(difference, 1),
                    PValue(p),
                    PValue(adjusted[i]),
                    word(difference.estimate, adjusted[i], difference.estimate < 0),
                )
                for i, ((name, knowledge, own, other, eps), (difference, p)) in enumerate(
                    zip(FAMILY, rates)
                )
            ),
            "Error with L1 = L2 = 0.0001 minus error without, in percentage points; negative is "
            f"better. {how[0].upper()}{how[1:]}; p adjusted over the {count} comparisons of this "
            "table and the next. Gray-box: examples crafted on the network without a penalty, as "
            "in the section on examples made for another network. Square asks for the outputs "
            f"{r.of(CHOSEN, ASKED)[0].cell['attack']['budget']:,} times and needs no gradient. An "
            "adaptive attack has no row of its own: there is no layer to see through, and that no "
            "gradient is hidden is shown below.",
        ),
        Table(
            ("search", "images", "no penalty", "penalty", "difference", "p, Holm", "verdict"),
            tuple(
                (
                    name,
                    len(r.of(NONE, kind)[0].label),
                    Fixed(median(r.distances(NONE, kind))),
                    Fixed(median(r.distances(CHOSEN, kind))),
                    Fixed(difference),
                    PValue(adjusted[len(FAMILY) + i]),
                    word(
                        difference.estimate,
                        adjusted[len(FAMILY) + i],
                        difference.estimate > 0,
                    ),
                )
                for i, ((name, kind), (difference, _)) in enumerate(zip(searches, apart))
            ),
            "Median L2 distance to the nearest adversarial example, and the paired difference, "
            f"penalty minus none: {ranks}. The shorter distance is the truer one.",
        ),
    )


def _boundary_text(r: Results) -> str:
    one, _ = paired_share(*(r.errors(pair, BOX, WEAK) for pair in (CHOSEN, NONE)))
    many, p = paired_share(*(r.errors(pair, ITERATED, WEAK) for pair in (CHOSEN, NONE)))
    strong, _ = paired_share(*(r.errors(pair, ITERATED, STRONG) for pair in (CHOSEN, NONE)))
    steps = r.of(NONE, ITERATED)[0].cell["attack"]["steps"]
    if p >= ALPHA:
        meaning = "That is no difference that these runs can show."
    elif many.estimate >= 0:
        meaning = "So nothing is gained in fact."
    elif many.estimate <= one.estimate:
        meaning = (
            "The better attack credits the penalty with no less than one step does, so the "
            "boundary itself lies farther away in this norm; the gain is not a gradient that "
            "leads astray."
        )
    else:
        meaning = "That is less than one step shows: a part of the gain is the gradient's alone."
    return (
        "An attack of one step fails where the boundary is far, and also where the gradient "
        "points elsewhere. Attacks that go on looking tell the two apart. In the box at eps "
        f"{WEAK:g} the penalty changes the error under one step by "
        f"{common.points_text(one, 1)} points, and under {steps} steps of PGD by "
        f"{common.points_text(many, 1)}. {meaning} At eps {STRONG:g} the change under PGD is "
        f"{common.points_text(strong, 1)} points, and "
        f"{percent_of(r.errors(CHOSEN, ITERATED, STRONG))} of the images are lost.\n\n"
        f"In L2, {nearest(r)}. "
        + (
            "One reading: what a change of every pixel by eps can use is the sum of the absolute "
            "entries of the gradient, which a penalty on many small weights brings down; an L2 "
            "attack uses the root of the sum of their squares, which a few large entries keep up."
            if p < ALPHA and many.estimate < 0 and not _farther(r)
            else ""
        )
    ).rstrip()


def _farther(r: Results) -> bool:
    """Whether Carlini and Wagner's search shows the boundary farther away in L2."""
    difference, p = paired_median(*(r.distances(pair, CARLINI) for pair in (CHOSEN, NONE)))
    return p < ALPHA and difference.estimate > 0


def nearest(r: Results) -> str:
    """What the truest distances say, as a part of a sentence."""
    near = {
        pair: f"{found:.2f}" if np.isfinite(found) else "unknown (the search fails on half)"
        for pair in (NONE, CHOSEN)
        for found in [median(r.distances(pair, CARLINI)).estimate]
    }
    difference, p = paired_median(*(r.distances(pair, CARLINI) for pair in (CHOSEN, NONE)))
    if p >= ALPHA:
        verdict = "paired, no difference is shown"
    else:
        side = "farther away" if difference.estimate > 0 else "nearer"
        verdict = f"paired, it is {side}"
    return (
        "the median distance to the nearest adversarial example (Carlini-Wagner) is "
        f"{near[NONE]} without and {near[CHOSEN]} with the penalty; {verdict}"
    )


def _gradient_text(r: Results) -> str:
    lines = []
    gains = {}
    for name, kind in (("the exact gradient", FREE), ("plain cross entropy", ROUNDED)):
        low, high = (share(r.errors(pair, kind, WEAK)).estimate for pair in (NONE, CHOSEN))
        gains[kind] = high - low
        lines.append(f"{100 * low:.1f} % without and {100 * high:.1f} % with the penalty by {name}")
    zero = {
        pair: np.mean([(x.arrays["linf"][x.at(WEAK)] == 0).mean() for x in r.of(pair, ROUNDED)])
        for pair in (NONE, CHOSEN)
    }
    lost = (
        share(r.errors(NONE, FREE, WEAK)).estimate - share(r.errors(NONE, ROUNDED, WEAK)).estimate
    )
    kept_back = (
        "Plain cross entropy makes the network without a penalty look harder to fool than it "
        "is, because that network is so sure of its answers, and so makes the penalty look "
        "worse than it is"
        if lost > 0.005
        else "The two agree"
    )
    return (
        "**Is any gradient hidden?** Cross entropy as most libraries compute it loses the share "
        "of the true class in float32 once the network is sure to seven digits. A "
        f"step by it leaves {100 * zero[NONE]:.2f} % of the images where they are without and "
        f"{100 * zero[CHOSEN]:.2f} % with the penalty, be it that the gradient is exactly zero "
        "at every pixel or that the step lowers the loss, so no more gradients than that are "
        "zero. The error under FGSM at eps "
        f"{WEAK:g} is {'; '.join(lines)}: a difference of {points(gains[FREE], 1)} points "
        f"or of {points(gains[ROUNDED], 1)}, by how the gradient is computed. {kept_back}."
    )
