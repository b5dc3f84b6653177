"""The page on penalties: does the boundary move, or only the gradient?"""

import numpy as np

from robustnets.chapters.regularization.paired import (
    change,
    changed,
    of_pgd,
    paired_tables,
    penalty,
)
from robustnets.chapters.regularization.results import (
    BOX,
    CARLINI,
    CHOSEN,
    DEEPFOOL,
    FREE,
    ITERATED,
    NAMES,
    NONE,
    ROUNDED,
    STRONG,
    WEAK,
    Pair,
    Results,
    percent_of,
)
from robustnets.chapters.shared.common import Contrast
from robustnets.report.cells import points
from robustnets.report.figure import Figure
from robustnets.report.lines import Panel, Series, panels_figure
from robustnets.report.page import Block, FigureBlock, TableBlock, Text
from robustnets.report.seeds import banded, median, share
from robustnets.stats.distances import distance_curve


def boundary(r: Results) -> tuple[Block, ...]:
    radii = r.of(NONE, BOX)[0].epsilons
    panels = [
        Panel(
            NAMES[pair],
            [
                banded(
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
    paired, medians = paired_tables(r)
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


def _boundary_text(r: Results) -> str:
    one, many = changed(r, BOX, WEAK), changed(r, ITERATED, WEAK)
    steps = r.of(NONE, ITERATED)[0].cell["attack"]["steps"]
    moved = of_pgd(r)
    return (
        "An attack of one step fails where the boundary is far, and also where the gradient "
        "points elsewhere. Attacks that go on looking tell the two apart. In the box at eps "
        f"{WEAK:g} the penalty changes the error under one step by "
        f"{change(r, BOX, WEAK)}, and under {steps} steps of PGD by "
        f"{change(r, ITERATED, WEAK)}. {meaning(moved, one, many, r.seeds)} At eps "
        f"{STRONG:g} the change under PGD is {change(r, ITERATED, STRONG)}, and "
        f"{percent_of(r.errors(CHOSEN, ITERATED, STRONG))} of the images are lost. On images that "
        f"nobody attacked the error changes by {change(r, FREE, None)}.\n\n"
        f"In L2, {nearest(r)}. "
        + (
            "One reading: what a change of every pixel by eps can use is the sum of the absolute "
            "entries of the gradient, which a penalty on many small weights brings down; an L2 "
            "attack uses the root of the sum of their squares, which a few large entries keep up."
            if moved in ("shown", "these") and not penalty(r)[1]["Carlini-Wagner"].more
            else ""
        )
    ).rstrip()


def meaning(moved: str, one: Contrast, many: Contrast, seeds: int) -> str:
    """What the changes of the error under one step and under many say about the boundary.

    Args:
        moved: `regularization_paired.verdict` on the change under many steps.
        one, many: the changes.
        seeds: training seeds.
    """
    if moved == "no":
        return "Adjusted, the runs show no difference under the better attack."
    if moved == "more":
        return "Under the better attack the penalty costs accuracy."
    whose = (
        f"for each of these {seeds} networks, though that is not shown over trainings, "
        if moved == "these"
        else ""
    )
    if many.difference.estimate <= one.difference.estimate:
        return (
            "The better attack credits the penalty with no less than one step does: "
            f"{whose}the boundary lies farther away in this norm, and the gain is not a gradient "
            "that leads astray."
        )
    return (
        "That is less than one step shows in these trainings, so that a part of what one step "
        f"shows may be the gradient's alone; {whose}something is left."
    )


def nearest(r: Results) -> str:
    """What the truest distances say, as a part of a sentence."""
    near = {
        pair: f"{found:.2f}" if np.isfinite(found) else "unknown (the search fails on half)"
        for pair in (NONE, CHOSEN)
        for found in [median(r.distances(pair, CARLINI)).estimate]
    }
    found = penalty(r)[1]["Carlini-Wagner"]
    if not found.shown:
        verdict = "paired, no difference is shown"
    else:
        verdict = f"paired, it is {'farther away' if found.more else 'nearer'}"
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
        "In these trainings plain cross entropy makes the network without a penalty look harder "
        "to fool than the exact gradient does, and so makes the penalty look worse"
        if lost > 0.005
        else "The two are within 0.5 points of each other for the network without a penalty"
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
