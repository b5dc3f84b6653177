"""The page of the smoothing chapter, section by section."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from robustnets.chapters import cnns, common
from robustnets.chapters.smoothing_results import (
    ATTACKS,
    FOUR,
    SMOOTHINGS,
    TABLE_EPS,
    TABLE_KINDS,
    WINDOWS,
    Results,
    accuracy,
    budget,
    clean,
    confidence,
    gain,
    radius,
    right,
    through,
    title,
    worst,
)
from robustnets.report import reported
from robustnets.report.cells import Cell, Fixed, Percent, Points, PValue
from robustnets.report.compare import Comparison, comparison_table
from robustnets.report.dots import Dots, Point, bar_or_dot_figure, scatter_figure
from robustnets.report.figure import Figure
from robustnets.report.images import image_grid
from robustnets.report.page import FigureBlock, TableBlock, Text
from robustnets.report.table import Table
from robustnets.stats.multiplicity import holm
from robustnets.stats.paired import paired_means, paired_rates

MEAN, MEDIAN = (spec[:2] for spec in SMOOTHINGS)
ROWS = {**ATTACKS, "PGD": "PGD"}
EIGHT = TABLE_EPS[-1]


def _said(smoothing) -> str:
    return "no smoothing" if smoothing is None else f"{smoothing[0]} {smoothing[1]}"


def _eps(dataset: str) -> str:
    value = radius(dataset)
    return f"{value:g}" if value == 0.1 else "8/255"


def answer(r: Results) -> str:
    """The chapter's findings in a paragraph."""
    parts = []
    for name in r.names:
        found = common.points_text(gain(r, name, MEAN), 1)
        eps = radius(name)
        bare = accuracy(r.bare(name, "PGD"))
        gray, white = (accuracy(r.of(name, "PGD", MEAN, k)) for k in ("gray-box", "white-box"))
        before, n = worst(r, name, None, eps)
        lasts = {s: worst(r, name, s, eps)[0] for s in (MEAN, MEDIAN)}
        left = " and ".join(f"{100 * i.estimate:.1f} % behind the {s[0]}" for s, i in lasts.items())
        parts.append(
            f"On **{title(name)}** a 3 x 3 mean adds **{found} points** of accuracy, averaged "
            "over four attacks that do not know of it. PGD at "
            f"{_eps(name)} leaves {100 * bare.estimate:.1f} % right without smoothing, "
            f"{100 * gray.estimate:.1f} % when its examples are smoothed afterwards and "
            f"**{100 * white.estimate:.1f} %** when it goes through the mean; the worst of all "
            f"attackers within that radius leaves {100 * before.estimate:.1f} % without "
            f"smoothing and {left} (the first {n} images)."
        )
    return " ".join(parts)


def findings(r: Results, name: str) -> list[dict[str, Cell]]:
    """A data set's lines of the front page's table."""
    eps, behind = radius(name), "3 x 3 mean"
    bare = r.bare(name, "PGD")
    gray, white = (r.of(name, "PGD", MEAN, k) for k in ("gray-box", "white-box"))
    attack = f"PGD {_eps(name)}"
    return [
        common.finding(bare, name, "no smoothing"),
        common.finding(bare, name, "no smoothing", attack, "white-box", eps),
        common.finding(gray, name, behind),
        common.finding(gray, name, behind, attack, "gray-box", eps),
        common.finding(white, name, behind, attack, "white-box", eps),
    ]


def setup(r: Results, run: Mapping[str, Any]) -> str:
    """What was done, and what the report leaves open."""
    full = run["scale"] == "full"
    trained = []
    for name in r.data:
        attack = "FGSM" if name in r.names else "targeted"
        group = r.of(name, attack, None, "white-box")
        trained.append(
            f"- {cnns.setup(group[0].cell)}; it classifies "
            f"{common.percent_text(clean(group))} of the first {len(group[0].label)} test images."
        )
    name = r.names[0]
    counts = {ROWS[a]: len(r.bare(name, a)[0].label) for a in ("FGSM", "DeepFool", "HopSkipJump")}
    said = ", ".join(f"{n} for {a}" for a, n in counts.items())
    seeds = len(r.bare(name, "FGSM"))
    return (
        common.caution(full, "the report", "MNIST, CIFAR-10 and Tiny ImageNet")
        + "Smoothing puts a summary of its neighbourhood in the place of each pixel. The mean, "
        "the report's **0.5mean** (the mean of the square roots, squared: what its equation 1 "
        "says in words; its listing prints a factor 0.5 instead of the root, which would darken "
        "every image to a quarter) take pixels outside the image for 0, as listing 3 does; the "
        "**median** mirrors them, as ART's NumPy smoothing does. All "
        "are layers in front of the trained network, through which gradients flow; listing 3's "
        "sharpening filter is one of them, but no number of the report is about it. "
        "**Before** is the accuracy under attack without smoothing; **gray-box**, as in the "
        "report, the very same adversarial images are smoothed and classified again; "
        "**white-box**, the attack follows the gradient through the smoothing; **black-box**, "
        "HopSkipJump asks the smoothed network for classes alone.\n\n"
        "Attacks are those of section 3.3: FGSM at 0.3 (section 3.2 prints 3, which no image in "
        "[0, 1] has room for), I-FGSM in steps of 0.05 up to 0.3 until the prediction changes, "
        "HopSkipJump with 8, 100 and 10 in linf, DeepFool and Dynamic DeepFool to the boundary in "
        "l2. PGD in a usual radius (0.1 for digits, 8/255 for photographs) is added, because 0.3 "
        f"is no threat to be taken seriously on photographs. Images: {said}; the report has 500 "
        f"per data set. Networks, each trained with {seeds} seed{'s' if seeds > 1 else ''}"
        + (", so that every claim is about these networks alone" if seeds == 1 else "")
        + ":\n\n"
        + "\n".join(trained)
        + "\n\nAn ImageNet ResNet-50, on whose one picture the report's table 3 rests, was left "
        "out: neither its weights nor ImageNet's pictures come with the data sets used here."
    )


def reproduced(r: Results):
    """The report's numbers beside ours."""
    rows = reported.load("csds440", "smoothing")
    out: list[Any] = []
    compared = []
    for row in rows:
        if row.metric != "accuracy_gain":
            continue
        name = {"MNIST": "mnist", "CIFAR-10": "cifar10"}[row.condition.split(" / ")[0]]
        if name not in r.names and r.names != ["digits"]:
            continue
        name = name if name in r.names else "digits"
        found = gain(r, name, MEAN)
        note = "" if name != "digits" else "ours: digits"
        seeds = len(r.bare(name, "FGSM"))
        compared.append(Comparison.of(row, found, None, n=found.n, seeds=seeds, note=note))
    if compared:
        inside = sum(c.verdict == "inside" for c in compared)
        out += [
            Text(
                f"{inside} of the {len(compared)} reported gains lie inside our interval. The "
                "report does not say which window it smoothed with (3 here), how its networks "
                "were trained, or in which norm HopSkipJump went; each moves the gain. The gain "
                "is averaged over FGSM, I-FGSM, HopSkipJump and DeepFool, image by image, on the "
                "images that all four attacked."
            ),
            TableBlock(
                comparison_table(
                    compared, "Accuracy gained by the 3 x 3 mean, gray-box, mean over four attacks."
                ),
                "gains-reported",
            ),
        ]
    if r.photographs:
        name = r.photographs[-1]
        table = []
        for row in rows:
            if row.metric != "confidence":
                continue
            window, kind, which = row.condition.split(" / ")
            key = (kind.replace("ART ", ""), int(window.split()[1]))
            group = r.of(name, "targeted", key, "gray-box")
            found = confidence(group, None if which == "original" else EIGHT)
            note = f"ours: {title(name)}, {len(group[0].label)} images"
            table.append(Comparison.of(row, found, None, len(group[0].label), len(group), note))
        inside = sum(c.verdict == "inside" for c in table)
        bare = r.of(name, "targeted", None, "white-box")
        out += [
            Text(
                "Table 3 states the probability that a ResNet-50 gives the right class of **one** "
                "ImageNet picture, 0.78 before anything was done to it, after smoothing the "
                "picture and after smoothing its adversarial version. Here it is the mean over "
                f"{len(bare[0].label)} images of {title(name)}, of {_size(bare)} pixels, whose "
                "network gives the right class a probability of "
                f"{common.percent_text(confidence(bare, None))} without smoothing and "
                f"{common.percent_text(confidence(bare, EIGHT))} under targeted PGD at 8/255 "
                "towards a class drawn at random. The networks are too different for the two "
                f"columns to agree ({inside} of {len(table)} lie inside): read the rows against "
                "each other. One picture chosen because it works says nothing about others."
            ),
            TableBlock(
                comparison_table(
                    table,
                    "Mean probability of the true class after smoothing, gray-box, targeted PGD "
                    "at 8/255; Student's interval over images.",
                ),
                "table-3-reported",
            ),
        ]
    return tuple(out)


def _size(group) -> str:
    pictures = group[0].pictures.get("adversarial")
    return "few" if pictures is None else f"{pictures.shape[2]} x {pictures.shape[3]}"


def before_and_after(r: Results):
    """Figures 23 to 26."""
    rows = []
    marks = []
    for name in r.names:
        for attack, label in ATTACKS.items():
            bare = r.bare(name, attack)
            gray = {s: r.of(name, attack, s, "gray-box") for s in (MEAN, MEDIAN)}
            rows.append(
                (
                    title(name),
                    label,
                    len(bare[0].label),
                    Percent(clean(bare), 1),
                    Percent(accuracy(bare), 1),
                    Percent(accuracy(gray[MEAN]), 1),
                    Percent(accuracy(gray[MEDIAN]), 1),
                    Fixed(budget(bare, "l2").estimate),
                    Fixed(budget(bare, "linf").estimate),
                )
            )
            gained = accuracy(gray[MEAN]).estimate - accuracy(bare).estimate
            marks.append(Point(label, budget(bare, "linf").estimate, gained, title(name)))
    table = Table(
        (
            "data", "attack", "n", "clean", "before", "mean 3", "median 3",
            "mean l2", "mean linf",
        ),
        tuple(rows),
        "Figures 23 to 26 as a table: accuracy without an attack, under it, and after the same "
        "images were smoothed, with Wilson's 95 % interval; the mean perturbation budget, its "
        "channels added up as section 3.1.3 defines it.",
    )  # fmt: skip
    figures = [FigureBlock(_effectiveness(r, name)) for name in r.names]
    budgets = Figure(
        "budget",
        "The mean linf budget of each attack (figures 24 and 26) and the accuracy that the 3 x 3 "
        "mean gains against it, gray-box.",
        "Scatter plot of budget and accuracy gained, one mark per attack and data set.",
        scatter_figure(marks, "mean linf budget, channels added up", "accuracy gained, fraction"),
    )
    return (
        Text(_claims(r)),
        *figures,
        TableBlock(table, "effectiveness"),
        FigureBlock(budgets),
    )


def _effectiveness(r: Results, name: str) -> Figure:
    """Figure 23 or 25: accuracy under each attack, before and after smoothing."""
    rows = []
    for attack, label in ATTACKS.items():
        found = {"no smoothing": r.bare(name, attack)}
        found |= {_said(s): r.of(name, attack, s, "gray-box") for s in (MEAN, MEDIAN)}
        rows += [
            Dots(f"{label}, {state}", accuracy(group), group=state)
            for state, group in found.items()
        ]
    return Figure(
        f"effectiveness-{name.replace('_', '-')}",
        f"{title(name)}: accuracy under each attack, and after the same adversarial images were "
        "smoothed (figures 23 and 25 of the report), with 95 % intervals.",
        f"Accuracy on {title(name)} for five attacks, each without smoothing, after a mean and "
        "after a median.",
        bar_or_dot_figure(rows, "accuracy", percent=True),
    )


def _claims(r: Results) -> str:
    lines = []
    for name in r.names:
        pairs = [
            (
                budget(r.bare(name, a), "linf").estimate,
                accuracy(r.of(name, a, MEAN, "gray-box")).estimate
                - accuracy(r.bare(name, a)).estimate,
            )
            for a in FOUR
        ]
        order = np.argsort([p[0] for p in pairs])
        labels = [ATTACKS[FOUR[i]] for i in order]
        gained = [f"{100 * pairs[i][1]:+.1f}" for i in order]
        bare = r.bare(name, "FGSM")
        smoothed = clean(r.of(name, "FGSM", MEAN, "gray-box")).estimate
        costs = 100 * (clean(bare).estimate - smoothed)
        lines.append(
            f"- {title(name)}: in the order of their linf budgets ({', '.join(labels)}) the mean "
            f"gains {', '.join(gained)} points. Without any attack it costs {costs:.1f} points."
        )
    return (
        "The report concludes that the higher an attack's budget, the better smoothing works, "
        "and then that HopSkipJump's low budget on CIFAR-10 leaves it easy to smooth away. "
        "Attacks that stop at the boundary leave little to undo: any change of the image, "
        "smoothing among them, may carry it back over. That is a property of the attack's "
        "stopping rule and no robustness.\n\n" + "\n".join(lines)
    )


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
                pair = _paired(known, bare, eps)
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
                label + (f" at {_eps(name)}" if eps else ""),
                _said(smoothing),
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
            last.append(
                (title(name), _said(front), _eps(name), n, Percent(rest, 1), Fixed(moved, 3))
            )
    worst_table = Table(
        ("data", "smoothing", "linf radius", "n", "worst of all attackers", "HSJ, median linf"),
        tuple(last),
        "Share of images that stay right under every linf attacker at once, the worst for each "
        "image: PGD and HopSkipJump, gray-box and through the smoothing; and how far HopSkipJump "
        "has to go (median over all images, larger is better). Still an upper bound.",
    )
    return (
        Text(_verdict(r)),
        TableBlock(worst_table, "worst"),
        TableBlock(table, "attacked"),
    )


def _paired(first, second, eps):
    if len(first) == 1:
        return paired_rates(right(first[0], eps), right(second[0], eps))
    ours, theirs = (np.array([right(x, eps).mean() for x in g]) for g in (first, second))
    return paired_means(ours, theirs)


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
            sure = (
                "the intervals of the two do not overlap"
                if rest.low > before.high or rest.high < before.low
                else "within what chance explains"
            )
            lines.append(
                f"- {title(name)}, {_said(smoothing)}: PGD at {_eps(name)} leaves "
                f"{common.percent_text(gray)} right gray-box and {common.percent_text(white)} "
                f"through it. Against the worst of all attackers smoothing {word} "
                f"{abs(change):.1f} points ({100 * before.estimate:.1f} % without, "
                f"{100 * rest.estimate:.1f} % with; n = {n}; {sure}).{masked}"
            )
    return (
        "A gray-box number measures how badly examples made for one network fit another. Whoever "
        "knows of the smoothing differentiates through it: the mean is linear, the median hands "
        "its gradient to the pixel that it picks. HopSkipJump needs not even that.\n\n"
        + "\n".join(lines)
    )


def table_3(r: Results):
    """Table 3's layout over many images."""
    out: list[Any] = [
        Text(
            "The layout of table 3 for every window, over many images instead of one: the share "
            "of images classified rightly and the mean probability of the right class, without "
            "an attack and under targeted PGD at 2/255 and 8/255. Gray-box, as in the report; "
            "for the window of 3 also through the smoothing."
        )
    ]
    for name in r.photographs:
        rows: list[Any] = []
        settings: list[Any] = [(None, "white-box")]
        for window in WINDOWS:
            settings += [((kind, window), "gray-box") for kind in TABLE_KINDS]
        settings += [((kind, WINDOWS[0]), "white-box") for kind in TABLE_KINDS]
        for smoothing, knowledge in settings:
            group = r.of(name, "targeted", smoothing, knowledge)
            row: list[Any] = [_said(smoothing), knowledge if smoothing else "–"]
            row += [Percent(clean(group), 1), Fixed(confidence(group, None).estimate)]
            for eps in TABLE_EPS:
                row += [Percent(accuracy(group, eps), 1), Fixed(confidence(group, eps).estimate)]
            rows.append(tuple(row))
        n = len(r.of(name, "targeted", None, "white-box")[0].label)
        table = Table(
            (
                "smoothing", "attack", "original, right", "confidence",
                "2/255, right", "2/255, confidence", "8/255, right", "8/255, confidence",
            ),
            tuple(rows),
            f"{title(name)}, {n} test images: share right with its 95 % interval, and mean "
            "probability of the true class.",
        )  # fmt: skip
        out += [Text(_windows(r, name)), TableBlock(table, f"table-3-{name.replace('_', '-')}")]
    return tuple(out)


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
    said = ", ".join(f"{k} {v:.1f} %" for k, v in known.items())
    return (
        f"**{title(name)}**: {bare:.1f} % right without attack and smoothing, {under:.1f} % under "
        f"targeted PGD at 8/255. The best gray-box smoothing there is {_said(best)} with "
        f"{share(best, EIGHT):.1f} %. At a window of 7 the {worst_kind} leaves only "
        f"{large[worst_kind]:.1f} % of the originals right. Through the smoothing (window 3) the "
        f"same attack leaves {said}."
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
            ["original", "PGD 8/255", *(_said(s) for s in kinds)],
        ),
        raster=True,
    )
    return (FigureBlock(figure),)
