"""The page of the smoothing chapter: what is left when the attacker knows of the smoothing."""

from typing import Any

import numpy as np

from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.chapters.smoothing.results import (
    CLEAN,
    MEAN,
    MEDIAN,
    ROWS,
    WORST,
    Results,
    Smoothing,
    accuracy,
    eps_of,
    paired,
    radius,
    right,
    said,
    through,
    title,
    worst,
    worth,
)
from robustnets.report.cells import Fixed, Percent, Points, PValue
from robustnets.report.page import TableBlock, Text
from robustnets.report.table import Table
from robustnets.report.text import p_text, percent_text
from robustnets.stats.paired import PairedMeans, PairedRates


def attacked(r: Results):
    """The same attacks through the smoothing, with paired differences."""
    tests, worths = knowing(r), worth(r)
    table = Table(
        (
            "data", "attack", "smoothing", "n", "before", "gray-box", "through it",
            "through it minus before", "p, Holm", "through it minus gray-box", "p, Holm, gray-box",
        ),
        tuple(
            (
                title(name),
                label + (f" at {eps_of(name)}" if eps else ""),
                said(smoothing),
                len(bare[0].label),
                Percent(accuracy(bare, eps), 1),
                Percent(accuracy(gray, eps), 1),
                Percent(accuracy(known, eps), 1),
                *(
                    cell
                    for t in (tests[name, attack, smoothing, what] for what in (BEFORE, GRAY))
                    for cell in (Points(t.difference, 1), PValue(t.adjusted))
                ),
            )
            for name in r.names
            for attack, label in ROWS.items()
            for smoothing in (MEAN, MEDIAN)
            for eps, bare, gray, known in [attackers(r, name, attack, smoothing)]
        ),
        "Accuracy under attack. Through it: white-box, and for HSJ black-box queries to the "
        "smoothed network. Differences are paired by image (exact McNemar, Bonett and Price's "
        "interval) or, with several seeds, by seed; p adjusted by Holm over the "
        f"{len(tests)} differences of this table.",
    )  # fmt: skip
    last = []
    for name in r.names:
        for front in (None, MEAN, MEDIAN):
            rest, n = worst(r, name, front, radius(name))
            hsj = r.of(name, "HopSkipJump", front, "black-box")
            moved = float(np.median(hsj[0].arrays["linf"][-1]))
            gained: tuple[Any, ...] = (None, None, None)
            if front is not None:
                t = worths[name, front, WORST]
                gained = (Points(t.difference, 1), PValue(t.adjusted), t.word())
            last.append(
                (
                    title(name),
                    said(front),
                    eps_of(name),
                    n,
                    Percent(rest, 1),
                    *gained,
                    Fixed(moved, 3),
                )
            )
    worst_table = Table(
        (
            "data", "smoothing", "linf radius", "n", "worst of all attackers",
            "minus no smoothing", "p, Holm", "verdict", "HSJ, median linf",
        ),
        tuple(last),
        "Share of images that stay right under every linf attacker at once, the worst for each "
        "image: PGD and HopSkipJump, gray-box and through the smoothing; and how far HopSkipJump "
        "has to go (median over all images, larger is better). The difference is paired by image, "
        "with its 95 % interval; its p-value is adjusted over the table of gains and costs, which "
        "has it as well. Still an upper bound.",
    )  # fmt: skip
    return (
        Text(_verdict(r)),
        TableBlock(worst_table, "worst"),
        TableBlock(table, "attacked"),
    )


BEFORE, GRAY = "minus before", "minus gray-box"


def attackers(r: Results, name: str, attack: str, smoothing: Smoothing):
    """(radius or None for the largest; Records before, gray-box and through the smoothing)."""
    return (
        radius(name) if attack in ("PGD", "HopSkipJump") else None,
        r.bare(name, attack),
        r.of(name, attack, smoothing, "gray-box"),
        r.of(name, attack, smoothing, through(attack)),
    )


def knowing(r: Results) -> dict[tuple[str, str, Smoothing, str], Contrast]:
    """Accuracy under the attack through a smoothing minus that before it, and minus gray-box."""
    pairs: dict[tuple[str, str, Smoothing, str], PairedRates | PairedMeans] = {}
    for name in r.names:
        for attack in ROWS:
            for smoothing in (MEAN, MEDIAN):
                eps, *groups = attackers(r, name, attack, smoothing)
                bare, gray, known = ([right(x, eps) for x in group] for group in groups)
                pairs[name, attack, smoothing, BEFORE] = paired(known, bare)
                pairs[name, attack, smoothing, GRAY] = paired(known, gray)
    return common.family(pairs)


def masked(one_step: Contrast, many: Contrast) -> str:
    """What it means where knowing of the smoothing does not help the attacker.

    Args:
        one_step: accuracy under FGSM through it minus accuracy under FGSM gray-box.
        many: the same under PGD.
    """
    said = ""
    if one_step.more:
        said += (
            f" One FGSM step through it leaves more right than the same step without knowing of it "
            f"({one_step.said()}, adjusted {p_text(one_step.adjusted)}): the gradient of "
            "a smoothing is no good guide for one large step, so that a single-step white-box "
            "row alone would flatter it."
        )
    if many.more:
        said += (
            f" PGD through it leaves more right than PGD that ignores it ({many.said()}, adjusted "
            f"{p_text(many.adjusted)}), so that the white-box row alone is no measure of "
            "its worth."
        )
    return said


def _verdict(r: Results) -> str:
    tests, worths = knowing(r), worth(r)
    lines = []
    for name in r.names:
        eps = radius(name)
        before, n = worst(r, name, None, eps)
        for smoothing in (MEAN, MEDIAN):
            group = r.of(name, "PGD", smoothing, "gray-box")
            gray = accuracy(group)
            white = accuracy(r.of(name, "PGD", smoothing, "white-box"))
            rest, _ = worst(r, name, smoothing, eps)
            change = worths[name, smoothing, WORST]
            words = masked(*(tests[name, a, smoothing, GRAY] for a in ("FGSM", "PGD")))
            lines.append(
                f"- {title(name)}, {said(smoothing)}: of {len(group[0].label):,} images PGD at "
                f"{eps_of(name)} leaves "
                f"{percent_text(gray)} right gray-box and {percent_text(white)} "
                f"through it. Against the worst of all attackers smoothing changes accuracy by "
                f"{change.said()} ({100 * before.estimate:.1f} % without, "
                f"{100 * rest.estimate:.1f} % with, of the first {n} images alone; adjusted "
                f"{p_text(change.adjusted)}), and without an attack by "
                f"{worths[name, smoothing, CLEAN].said()}.{words}"
            )
    return (
        "A gray-box number measures how badly examples made for one network fit another. Whoever "
        "knows of the smoothing differentiates through it: the mean is linear, the median hands "
        "its gradient to the pixel that it picks. Nothing is drawn at random and no gradient is "
        "missing, so that the attack through the smoothing is the adaptive one as well. "
        "HopSkipJump needs not even a gradient.\n\n" + "\n".join(lines)
    )
