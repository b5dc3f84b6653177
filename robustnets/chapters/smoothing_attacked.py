"""The page of the smoothing chapter: what is left when the attacker knows of the smoothing."""

from typing import Any

import numpy as np

from robustnets.chapters import common
from robustnets.chapters.smoothing_results import (
    MEAN,
    MEDIAN,
    ROWS,
    Results,
    accuracy,
    eps_of,
    paired,
    radius,
    right,
    said,
    through,
    title,
    worst,
    worst_of,
)
from robustnets.report.cells import Fixed, Percent, Points, PValue
from robustnets.report.page import TableBlock, Text
from robustnets.report.table import Table
from robustnets.stats.multiplicity import holm


def attacked(r: Results):
    """The same attacks through the smoothing, with paired differences."""
    rows: list[Any] = []
    found = []
    for name in r.names:
        for attack, label in ROWS.items():
            eps = radius(name) if attack in ("PGD", "HopSkipJump") else None
            bare = r.bare(name, attack)
            for smoothing in (MEAN, MEDIAN):
                gray = r.of(name, attack, smoothing, "gray-box")
                known = r.of(name, attack, smoothing, through(attack))
                pair = paired(*([right(x, eps) for x in group] for group in (known, bare)))
                found.append(pair.p)
                rows.append((name, label, smoothing, bare, gray, known, eps, pair))
    adjusted = holm(found)
    table = Table(
        (
            "data", "attack", "smoothing", "n", "before", "gray-box", "through it",
            "through it minus before", "p, Holm",
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
                Points(pair.difference, 1),
                PValue(float(p)),
            )
            for (name, label, smoothing, bare, gray, known, eps, pair), p in zip(rows, adjusted)
        ),
        "Accuracy under attack. Through it: white-box, and for HSJ black-box queries to the "
        "smoothed network. The difference is paired by image (exact McNemar, Bonett and Price's "
        "interval) or, with several seeds, by seed; p adjusted by Holm over this table.",
    )  # fmt: skip
    last = []
    for name in r.names:
        for front in (None, MEAN, MEDIAN):
            rest, n = worst(r, name, front, radius(name))
            hsj = r.of(name, "HopSkipJump", front, "black-box")
            moved = float(np.median(hsj[0].arrays["linf"][-1]))
            gained = None
            if front is not None:
                pair = paired(
                    worst_of(r, name, front, radius(name)), worst_of(r, name, None, radius(name))
                )
                gained = Points(pair.difference, 1)
            last.append(
                (
                    title(name),
                    said(front),
                    eps_of(name),
                    n,
                    Percent(rest, 1),
                    gained,
                    Fixed(moved, 3),
                )
            )
    worst_table = Table(
        (
            "data", "smoothing", "linf radius", "n", "worst of all attackers",
            "minus no smoothing", "HSJ, median linf",
        ),
        tuple(last),
        "Share of images that stay right under every linf attacker at once, the worst for each "
        "image: PGD and HopSkipJump, gray-box and through the smoothing; and how far HopSkipJump "
        "has to go (median over all images, larger is better). The difference is paired by image, "
        "with its 95 % interval. Still an upper bound.",
    )  # fmt: skip
    return (
        Text(_verdict(r)),
        TableBlock(worst_table, "worst"),
        TableBlock(table, "attacked"),
    )


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _verdict(r: Results) -> str:
    lines = []
    for name in r.names:
        eps = radius(name)
        before, n = worst(r, name, None, eps)
        for smoothing in (MEAN, MEDIAN):
            gray = accuracy(r.of(name, "PGD", smoothing, "gray-box"))
            white = accuracy(r.of(name, "PGD", smoothing, "white-box"))
            rest, _ = worst(r, name, smoothing, eps)
            weaker = accuracy(r.of(name, "FGSM", smoothing, "white-box")).estimate
            stronger = accuracy(r.of(name, "FGSM", smoothing, "gray-box")).estimate
            masked = (
                " One FGSM step through it is weaker than the same step without knowing of it "
                f"({100 * weaker:.1f} % against {100 * stronger:.1f} % right): the gradient of "
                "a smoothing is no good guide for one large step, so that a single-step white-box "
                "row alone would flatter it."
                if weaker > stronger
                else ""
            )
            if white.estimate > gray.estimate:
                masked += (
                    " PGD through it does worse than PGD that ignores it, so that the white-box "
                    "row alone is no measure of its worth."
                )
            change = 100 * (rest.estimate - before.estimate)
            word = "gains" if change >= 0 else "loses"
            pair = paired(worst_of(r, name, smoothing, eps), worst_of(r, name, None, eps))
            sure = "more than chance explains" if pair.p < 0.05 else "within what chance explains"
            lines.append(
                f"- {title(name)}, {said(smoothing)}: PGD at {eps_of(name)} leaves "
                f"{common.percent_text(gray)} right gray-box and {common.percent_text(white)} "
                f"through it. Against the worst of all attackers smoothing {word} "
                f"{abs(change):.1f} points ({100 * before.estimate:.1f} % without, "
                f"{100 * rest.estimate:.1f} % with; n = {n}, paired p {_p(pair.p)}: {sure})."
                f"{masked}"
            )
    return (
        "A gray-box number measures how badly examples made for one network fit another. Whoever "
        "knows of the smoothing differentiates through it: the mean is linear, the median hands "
        "its gradient to the pixel that it picks. Nothing is drawn at random and no gradient is "
        "missing, so that the attack through the smoothing is the adaptive one as well. "
        "HopSkipJump needs not even a gradient.\n\n" + "\n".join(lines)
    )
