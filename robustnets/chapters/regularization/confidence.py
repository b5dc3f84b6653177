"""The page on penalties: how sure the networks are, and what refusing is worth."""

from typing import Any

import numpy as np

from robustnets.chapters.regularization.results import (
    CHOSEN,
    FREE,
    FREE_NOISE,
    ITERATED,
    NAMES,
    NONE,
    STRONG,
    WEAK,
    Pair,
    Results,
    risk_at,
    threshold_keeping,
)
from robustnets.report.cells import Percent
from robustnets.report.figure import Figure
from robustnets.report.lines import Panel, Series, panels_figure
from robustnets.report.page import Block, FigureBlock, TableBlock, Text
from robustnets.report.seeds import banded, share
from robustnets.report.table import Table
from robustnets.stats.intervals import Interval

KEPT = 0.95  # share of unattacked images that a threshold of confidence is set to keep

SETS: tuple[tuple[str, str, float | None], ...] = (
    ("original", FREE, None),
    (f"noise {STRONG:g}", FREE_NOISE, STRONG),
    (f"FGSM {WEAK:.2f}", FREE, WEAK),
    (f"FGSM {STRONG:g}", FREE, STRONG),
    (f"PGD {WEAK:.2f}, box", ITERATED, WEAK),
    (f"PGD {STRONG:g}, box", ITERATED, STRONG),
)


def _binned(confidence: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Share of the examples in each bin; NaN, a gap on a logarithmic axis, for none."""
    count = np.histogram(np.clip(confidence, edges[0], edges[-1]), edges)[0]
    return np.where(count, count / len(confidence), np.nan)


def confidence(r: Results) -> tuple[Block, ...]:
    edges = np.linspace(0.1, 1.0, 19)
    middles = (edges[1:] + edges[:-1]) / 2
    histograms = Figure(
        "confidence",
        "How confident the networks are: share of the images in bins of 0.05, for each set, on a "
        f"logarithmic scale{'' if r.seeds == 1 else '; all training seeds together'}.",
        "Six panels, one per set of images: share of images against confidence, without and with "
        "the penalty.",
        panels_figure(
            [
                Panel(
                    name,
                    [
                        Series(
                            NAMES[pair],
                            middles,
                            _binned(np.concatenate(r.confidences(pair, kind, eps)), edges),
                            marker="",
                        )
                        for pair in (NONE, CHOSEN)
                    ],
                    "confidence",
                    "share of images",
                    percent=True,
                    y_log=True,
                )
                for name, kind, eps in SETS
            ],
            share_y=False,
        ),
    )
    coverage = np.linspace(0.02, 1.0, 50)
    curves = Figure(
        "risk-coverage",
        "Error among the images that are answered when only the most confident share of each "
        "set is.",
        "Two panels, without and with the penalty: error against coverage, one curve per set.",
        panels_figure(
            [
                Panel(
                    NAMES[pair],
                    [
                        banded(
                            name,
                            coverage,
                            np.array(
                                [
                                    risk_at(c, e, coverage)
                                    for c, e in zip(
                                        r.confidences(pair, kind, eps), r.errors(pair, kind, eps)
                                    )
                                ]
                            ),
                        )
                        for name, kind, eps in SETS
                    ],
                    "coverage",
                    "error",
                    percent=True,
                )
                for pair in (NONE, CHOSEN)
            ],
            share_y=True,
        ),
    )
    table, text = _refusals(r)
    return (Text(text), TableBlock(table, "refusals"), FigureBlock(histograms), FigureBlock(curves))


_REFUSING_SUFFERS = (
    "In these trainings both are larger with the penalty, whose threshold is the lower one: "
    "refusing protects the penalised network less. "
)


def _refusals(r: Results) -> tuple[Table, str]:
    cut = {
        pair: [threshold_keeping(c, KEPT) for c in r.confidences(pair, FREE)]
        for pair in (NONE, CHOSEN)
    }
    rows = []
    passed: dict[tuple[Pair, str], Interval] = {}
    for name, kind, eps in SETS:
        row: list[Any] = [name]
        for pair in (NONE, CHOSEN):
            answered = [c >= t for c, t in zip(r.confidences(pair, kind, eps), cut[pair])]
            fooled = [a & e for a, e in zip(answered, r.errors(pair, kind, eps))]
            passed[pair, name] = share(fooled)
            row += [Percent(share(answered).estimate, 1), Percent(passed[pair, name], 1)]
        rows.append(tuple(row))
    levels = {pair: float(np.mean(cut[pair])) for pair in (NONE, CHOSEN)}
    table = Table(
        ("set", "answered, none", "wrong, none", "answered, penalty", "wrong, penalty"),
        tuple(rows),
        f"What gets past a threshold of confidence that keeps {100 * KEPT:.0f} % of the "
        f"unattacked images ({levels[NONE]:.3f} without, {levels[CHOSEN]:.3f} with the penalty): "
        "share of all images answered, and share of all images answered wrongly, in percent. "
        f"FGSM and noise free as in the report. Intervals of 95 % over {r.unit}.",
    )

    def said(pair: Pair, name: str) -> str:
        return f"{100 * passed[pair, name].estimate:.1f} %"

    one, many = SETS[2][0], SETS[5][0]
    worse = levels[CHOSEN] < levels[NONE] and all(
        passed[CHOSEN, name].estimate > passed[NONE, name].estimate for name in (one, many)
    )
    text = (
        "The report takes the lower confidence on adversarial examples for a good sign, because "
        "unsure answers can be refused. A threshold that refuses "
        f"{100 * (1 - KEPT):.0f} % of the unattacked images lets through, as wrong answers, "
        f"{said(NONE, one)} of the images under {one} without and {said(CHOSEN, one)} with the "
        f"penalty. Attacks that go on climbing become confident: under {many} it is "
        f"{said(NONE, many)} without and {said(CHOSEN, many)} with the penalty. "
        f"{_REFUSING_SUFFERS if worse else ''}None of these "
        "attacks knows of the threshold or tries to pass it."
    )
    return table, text
