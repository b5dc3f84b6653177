"""The page of the smoothing chapter: table 3 of the report over many images, and pictures."""

from typing import Any

import numpy as np

from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.chapters.smoothing.results import (
    EIGHT,
    EVEN,
    IMAGENET,
    SWAPPED,
    TABLE_EPS,
    TABLE_KINDS,
    WINDOWS,
    Results,
    accuracy,
    clean,
    confidence,
    paired,
    said,
    size,
    title,
)
from robustnets.report import reported
from robustnets.report.cells import Fixed, Percent
from robustnets.report.compare import Comparison, comparison_table
from robustnets.report.figure import Figure
from robustnets.report.images import image_grid
from robustnets.report.page import FigureBlock, TableBlock, Text
from robustnets.report.table import Table
from robustnets.report.text import p_text, percent_text


def reproduced(r: Results):
    """The numbers of table 3 beside ours."""
    if not r.photographs:
        return ()
    name = r.photographs[-1]
    table = []
    for row in reported.load("csds440", "smoothing"):
        if row.metric != "confidence":
            continue
        window, kind, which = row.condition.split(" / ")
        key = (kind.replace("ART ", ""), int(window.split()[1]))
        group = r.of(name, "targeted", key, "gray-box")
        found = confidence(group, None if which == "original" else EIGHT)
        note = f"ours: {title(name)}, {len(group[0].label)} images"
        table.append(Comparison.of(row, found, None, len(group[0].label), len(group), note))
    bare = r.of(name, "targeted", None, "white-box")
    return (
        Text(
            "Table 3 states the probability that a ResNet-50 gives the right class of **one** "
            "ImageNet picture, 0.78 before anything was done to it, after smoothing the "
            "picture and after smoothing its adversarial version. Here it is the mean over "
            f"{len(bare[0].label)} images of {title(name)}, of {size(bare)} pixels, whose "
            "network gives the right class a probability of "
            f"{percent_text(confidence(bare, None))} without smoothing and "
            f"{percent_text(confidence(bare, EIGHT))} under targeted PGD at 8/255 "
            f"towards a class drawn at random. {_compares(name)}: read the rows against each "
            "other. One picture chosen because it works says nothing about others, and a mean over "
            "many says nothing about it, so that there is no verdict on these rows at any scale."
        ),
        TableBlock(
            comparison_table(
                table,
                "Mean probability of the true class after smoothing, gray-box, targeted PGD "
                "at 8/255; Student's interval over images.",
                judged=False,
            ),
            "table-3-reported",
        ),
    )


def _compares(name: str) -> str:
    """What the two columns have in common."""
    if name == IMAGENET:
        return "The network is the report's, but the pictures are others"
    return "The networks are too different for the two columns to agree"


def table_3(r: Results):
    """Table 3's layout over many images."""
    out: list[Any] = [
        Text(
            "The layout of table 3 for every window, over many images instead of one: the share "
            "of images classified rightly and the mean probability of the right class, without "
            "an attack and under targeted PGD at 2/255 and 8/255. Gray-box, as in the report; "
            "for the window of 3 also through the smoothing."
        ),
        TableBlock(_networks(r), "table-3-networks"),
    ]
    for name in r.photographs:
        rows: list[Any] = []
        settings: list[Any] = [(None, "white-box")]
        for window in WINDOWS:
            settings += [((kind, window), "gray-box") for kind in TABLE_KINDS]
        settings += [((kind, WINDOWS[0]), "white-box") for kind in TABLE_KINDS]
        for smoothing, knowledge in settings:
            group = r.of(name, "targeted", smoothing, knowledge)
            rows.append((said(smoothing), knowledge if smoothing else "–", *_measures(group)))
        n = len(r.of(name, "targeted", None, "white-box")[0].label)
        table = Table(
            ("smoothing", "attack", *MEASURES),
            tuple(rows),
            f"{title(name)}, {n} test images: share right with its 95 % interval, and mean "
            "probability of the true class.",
        )  # fmt: skip
        slug = name.replace("_", "-")
        out += [Text(_windows(r, name)), TableBlock(table, f"table-3-{slug}")]
        if (name, "targeted", ("mean", EVEN[0]), "gray-box") in r.groups:
            out.append(Text(_borders(r, name)))
            out.append(TableBlock(_more(r, name), f"borders-{slug}"))
    return tuple(out)


def _measures(group) -> tuple[Any, ...]:
    """Share right and confidence, without an attack and at both radii."""
    row: list[Any] = [Percent(clean(group), 1), Fixed(confidence(group, None).estimate)]
    for eps in TABLE_EPS:
        row += [Percent(accuracy(group, eps), 1), Fixed(confidence(group, eps).estimate)]
    return tuple(row)


MEASURES = (
    "original, right", "confidence",
    "2/255, right", "2/255, confidence", "8/255, right", "8/255, confidence",
)  # fmt: skip


def _more(r: Results, name: str) -> Table:
    """Even windows, and the other border."""
    rows: list[Any] = []
    for kind, border in TABLE_KINDS.items():
        other = "constant" if border == "reflect" else "reflect"
        settings: list[Any] = [(kind, window) for window in EVEN]
        for window in SWAPPED:
            settings += [(kind, window), (kind, window, other)]
        for smoothing in settings:
            group = r.of(name, "targeted", smoothing, "gray-box")
            where = smoothing[2] if len(smoothing) == 3 else border
            rows.append((said(smoothing), OUTSIDE[where], *_measures(group)))
    return Table(
        ("smoothing", "outside the image", *MEASURES),
        tuple(rows),
        f"{title(name)}: even windows, which reach one pixel further up and left than down and "
        f"right, and windows of {SWAPPED[0]} and {SWAPPED[1]} with either border; gray-box, the "
        "same images and the same attack.",
    )


def bordered(r: Results) -> dict[tuple[str, int], Contrast]:
    """Clean accuracy behind a mean that mirrors the image minus one that takes 0 outside: a family.

    By data set and window.
    """
    return common.family(
        {
            (name, window): paired(
                *(
                    [x.correct for x in r.of(name, "targeted", smoothing, "gray-box")]
                    for smoothing in (("mean", window, "reflect"), ("mean", window))
                )
            )
            for name in r.photographs
            for window in SWAPPED
            if (name, "targeted", ("mean", window, "reflect"), "gray-box") in r.groups
        }
    )


OUTSIDE = {"constant": "0", "reflect": "mirrored"}


def _borders(r: Results, name: str) -> str:
    def group(smoothing):
        return r.of(name, "targeted", smoothing, "gray-box")

    def share(smoothing) -> str:
        return f"{100 * clean(group(smoothing)).estimate:.1f} %"

    tests = bordered(r)
    said = []
    for window in SWAPPED:
        said.append(
            f"a mean of {window} leaves {share(('mean', window))} of the originals right where it "
            f"takes 0 there, as listing 3 does, and {share(('mean', window, 'reflect'))} where it "
            f"mirrors the image ({tests[name, window].said()}, paired, adjusted "
            f"{p_text(tests[name, window].adjusted)})"
        )
    sizes = ", ".join(f"{share(('mean', w))} with {w}" for w in sorted((*EVEN, *SWAPPED)))
    return (
        f"What lies outside the image: {'; '.join(said)}. By the size of its window the mean, "
        f"taking 0, leaves {sizes} right."
    )


def _networks(r: Results) -> Table:
    """Whose images table 3 is repeated on, and what is left out."""
    rows: list[tuple[Any, ...]] = []
    for name in r.photographs:
        group = r.of(name, "targeted", None, "white-box")
        model = group[0].cell["network"]["model"]
        rows.append((title(name), model, len(group[0].label), Percent(clean(group), 1)))
    if IMAGENET not in r.photographs:
        rows.append((title(IMAGENET), "imagenet_resnet50", "left out: no weights were named", None))
    return Table(
        ("data", "network", "images", "right without attack or smoothing"),
        tuple(rows),
        "What table 3 is repeated with; the report has ResNet-50 and one picture.",
    )


def _windows(r: Results, name: str) -> str:
    def share(smoothing, eps=None, knowledge="gray-box"):
        group = r.of(name, "targeted", smoothing, knowledge)
        return 100 * (clean(group) if eps is None else accuracy(group, eps)).estimate

    bare = share(None, None, "white-box")
    under = share(None, EIGHT, "white-box")
    best = max(
        ((kind, window) for kind in TABLE_KINDS for window in WINDOWS),
        key=lambda s: share(s, EIGHT),
    )
    large = {kind: share((kind, WINDOWS[-1])) for kind in TABLE_KINDS}
    worst_kind = min(large, key=lambda k: large[k])
    known = {kind: share((kind, WINDOWS[0]), EIGHT, "white-box") for kind in TABLE_KINDS}
    through_it = ", ".join(f"{k} {v:.1f} %" for k, v in known.items())
    return (
        f"**{title(name)}**: {bare:.1f} % right without attack and smoothing, {under:.1f} % under "
        f"targeted PGD at 8/255. Of the smoothings tried, {said(best)} has the highest share right "
        f"under it gray-box on these images, {share(best, EIGHT):.1f} %, and {share(best):.1f} % "
        f"of the originals. At a window of 7 the {worst_kind} leaves only "
        f"{large[worst_kind]:.1f} % of the originals right. Through the smoothing (window 3) the "
        f"same attack leaves {through_it}."
    )


def pictures(r: Results):
    """What smoothing makes of images."""
    name = (r.photographs or r.names)[-1]
    bare = r.of(name, "targeted", None, "white-box")[0]
    shown = bare.pictures["adversarial"]
    kinds = [("mean", 3), ("mean", 7), ("0.5mean", 3), ("median", 3), ("median", 7)]
    rows = range(min(4, shown.shape[1]))
    filtered = {s: r.of(name, "targeted", s, "gray-box")[0].pictures["filtered"] for s in kinds}
    grid = np.array([[shown[0, m], shown[-1, m], *(filtered[s][m] for s in kinds)] for m in rows])
    figure = Figure(
        "pictures",
        f"{title(name)}: test images, targeted PGD at 8/255 on the bare network, and what each "
        "smoothing makes of the originals.",
        "Rows of one test image each: original, adversarial, and five smoothed versions.",
        image_grid(
            grid,
            [f"label {bare.label[m]}" for m in rows],
            ["original", "PGD 8/255", *(said(s) for s in kinds)],
        ),
        raster=True,
    )
    return (FigureBlock(figure),)
