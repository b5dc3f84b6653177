"""The page of the smoothing chapter, section by section."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robustnets.chapters.shared import cnns, common
from robustnets.chapters.smoothing.results import (
    ATTACKS,
    CLEAN,
    FOUR,
    GAIN,
    IMAGENET,
    MEAN,
    MEDIAN,
    ROWS,
    WORST,
    Results,
    accuracy,
    budget,
    clean,
    eps_of,
    first,
    gain,
    gains,
    radius,
    right,
    said,
    size,
    title,
    worst,
    worth,
)
from robustnets.core.record import Record
from robustnets.data.imagenet import HOW_WEIGHTS
from robustnets.report import reported
from robustnets.report.cells import Cell, Fixed, Percent, Points, PValue
from robustnets.report.compare import Comparison, comparison_table
from robustnets.report.dots import Dots, Point, bar_or_dot_figure, scatter_figure
from robustnets.report.figure import Figure
from robustnets.report.page import FigureBlock, TableBlock, Text
from robustnets.report.seeds import share
from robustnets.report.table import Table
from robustnets.report.text import percent_text
from robustnets.stats.intervals import Interval


def answer(r: Results) -> str:
    """The chapter's findings in a paragraph."""
    tests = worth(r)
    parts = []
    for name in r.names:
        gained, paid = tests[name, MEAN, GAIN], tests[name, MEAN, CLEAN]
        eps = radius(name)
        groups = {"": r.bare(name, "PGD")}
        groups |= {k: r.of(name, "PGD", MEAN, k) for k in ("gray-box", "white-box")}
        bare, gray, white = (accuracy(group) for group in groups.values())
        clean_before, clean_after = (
            100 * clean(group).estimate
            for group in (r.bare(name, "FGSM"), r.of(name, "FGSM", MEAN, "gray-box"))
        )
        n = first(r, name)
        parts.append(
            f"On **{title(name)}** a 3 x 3 mean changes accuracy, averaged over four attacks that "
            f"do not know of it, by **{gained.said()}**; without an attack it changes accuracy "
            f"from {clean_before:.1f} % to {clean_after:.1f} %, by {paid.said()}. Of "
            f"{len(groups[''][0].label):,} images, PGD at "
            f"{eps_of(name)} leaves {100 * bare.estimate:.1f} % right without smoothing, "
            f"{100 * gray.estimate:.1f} % when its examples are smoothed afterwards and "
            f"**{100 * white.estimate:.1f} %** when it goes through the mean. Of the first {n} "
            f"alone, on which HopSkipJump was run as well, PGD leaves "
            f"{100 * share([right(x, eps)[:n] for x in groups['']]).estimate:.1f} % right "
            "without smoothing, and the worst of all attackers within that radius "
            f"{100 * worst(r, name, None, eps)[0].estimate:.1f} %; behind the mean that changes by "
            f"{tests[name, MEAN, WORST].said()} and behind the median by "
            f"{tests[name, MEDIAN, WORST].said()}."
        )
    return " ".join(parts)


def worth_table(r: Results) -> Table:
    """Gains beside their cost on clean data, with their tests."""
    tests = worth(r)
    rows: list[tuple[Any, ...]] = []
    for (name, smoothing, what), found in tests.items():
        before: list[Interval] = []
        if what == CLEAN:
            groups = r.bare(name, "FGSM"), r.of(name, "FGSM", smoothing, "gray-box")
            before = [clean(group) for group in groups]
            n = len(groups[0][0].label)
        elif what == WORST:
            before = [worst(r, name, front, radius(name))[0] for front in (None, smoothing)]
            n = first(r, name)
        else:
            n = len(gains(r, name, smoothing))
        words = f"{what} within {eps_of(name)}" if what == WORST else what
        rows.append(
            (
                *(title(name), said(smoothing), words, n),
                *(Percent(i, 1) for i in before),
                *((None, None) if not before else ()),
                Points(found.difference, 1),
                PValue(found.p),
                PValue(found.adjusted),
                found.word(),
            )
        )
    return Table(
        (
            *("data", "smoothing", "accuracy under", "n", "without", "with"),
            *("difference", "p", "p, Holm", "verdict"),
        ),
        tuple(rows),
        "What a smoothing gains and what it costs, in percentage points, on the same n images: "
        "paired by image (exact McNemar, Bonett and Price's interval; for the mean of four attacks "
        "Student's) or, with several seeds, by seed. p-values are Holm-adjusted over the "
        f"{len(tests)} rows. The worst of all attackers: see “When the attacker knows”.",
    )


def like_for_like(r: Results, run: Mapping[str, Any]) -> bool:
    """Whether the gains were measured on the report's data at its own scale."""
    return run["scale"] == "full" and {"mnist", "cifar10"} <= set(r.names)


def findings(r: Results, name: str) -> list[dict[str, Cell]]:
    """A data set's lines of the front page's table."""
    eps, behind = radius(name), "3 x 3 mean"
    bare = r.bare(name, "PGD")
    gray, white = (r.of(name, "PGD", MEAN, k) for k in ("gray-box", "white-box"))
    attack = f"PGD {eps_of(name)}"
    return [
        common.finding(bare, name, "no smoothing"),
        common.finding(bare, name, "no smoothing", attack, "white-box", eps, lucky=True),
        common.finding(gray, name, behind),
        common.finding(gray, name, behind, attack, "gray-box", eps, lucky=True),
        common.finding(white, name, behind, attack, "white-box", eps, lucky=True),
    ]


def setup(r: Results, run: Mapping[str, Any]) -> str:
    """What was done, and what the report leaves open."""
    full = like_for_like(r, run)
    trained = []
    for name in r.data:
        attack = "FGSM" if name in r.names else "targeted"
        group = r.of(name, attack, None, "white-box")
        made = _given(group[0]) if name == IMAGENET else cnns.setup(group[0].cell)
        trained.append(
            f"- {made}; it classifies "
            f"{percent_text(clean(group))} of the first {len(group[0].label):,} test images."
        )
    said = "; ".join(f"of {title(name)} {_counts(r, name)}" for name in r.names)
    seeds = len(r.bare(r.names[0], "FGSM"))
    return (
        common.caution(full, "the report", "MNIST and CIFAR-10")
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
        f"l2. PGD in a usual radius (0.1 for digits, 8/255 for photographs) is added, "
        "because 0.3 is no threat to be taken seriously on photographs. "
        f"Images: {said}; the report has 500 per data set. "
        f"Networks, each trained with {seeds} seed{'s' if seeds > 1 else ''}"
        + (", so that every claim is about these networks alone" if seeds == 1 else "")
        + ":\n\n"
        + "\n".join(trained)
        + ("" if IMAGENET in r.data else f"\n\n{LEFT_OUT}")
    )


LEFT_OUT = (
    "An ImageNet ResNet-50, on whose one picture the report's table 3 rests, is **left out** of "
    f"this run, because its weights were not at hand. To have it: {HOW_WEIGHTS}, and run the "
    "chapter again, which computes what is missing alone. Its pictures are then taken from the "
    "data folder: `imagenet.npz` with x and y, or a folder `imagenet` with one folder per class "
    "named by its WordNet number, or else the validation images of Tiny ImageNet enlarged to "
    "224 x 224."
)


def _given(record: Record) -> str:
    """The network that came trained."""
    weights = record.cell["network"]["training"]["weights"]
    return (
        "`keras.applications.ResNet50` with the weights that were named (digest of the file "
        f"{weights}), on {size([record])} photographs"
    )


def _counts(r: Results, name: str) -> str:
    """How many images each attack was made on."""
    groups: dict[int, list[str]] = {}
    for attack, label in ROWS.items():
        groups.setdefault(len(r.bare(name, attack)[0].label), []).append(label)
    return ", ".join(f"{n:,} for {_listed(labels)}" for n, labels in groups.items())


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def facts(r: Results, records: Sequence[Record], run: Mapping[str, Any]) -> dict[str, object]:
    """Where the numbers come from, over all data sets."""
    groups = {name: [r.groups[key] for key in r.groups if key[0] == name] for name in r.data}
    first = {name: found[0][0].about["data"] for name, found in groups.items()}
    most = {name: max(len(g[0].label) for g in found) for name, found in groups.items()}
    return {
        **common.facts(records, dict(run)),
        "data": "; ".join(f"{title(name)}, fingerprint {first[name]}" for name in r.data),
        "test examples": "; ".join(f"{title(name)} {most[name]:,}" for name in r.data),
    }


def reproduced(r: Results, judged: bool):
    """The report's numbers beside ours.

    Args:
        r: the Records.
        judged: whether they are at the report's scale.
    """
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
        held = f"{inside} of the {len(compared)} reported gains lie inside our interval. "
        out += [
            Text(
                f"{held if judged else ''}The "
                "report does not say which window it smoothed with (3 here), how its networks "
                "were trained, or in which norm HopSkipJump went; each moves the gain. The gain "
                "is averaged over FGSM, I-FGSM, HopSkipJump and DeepFool, image by image, on the "
                "images that all four attacked."
            ),
            TableBlock(
                comparison_table(
                    compared,
                    "Accuracy gained by the 3 x 3 mean, gray-box, mean over four attacks.",
                    judged,
                ),
                "gains-reported",
            ),
        ]
    return tuple(out)


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
        TableBlock(worth_table(r), "worth"),
        *figures,
        TableBlock(table, "effectiveness"),
        FigureBlock(budgets),
    )


def _effectiveness(r: Results, name: str) -> Figure:
    """Figure 23 or 25: accuracy under each attack, before and after smoothing."""
    rows = []
    for attack, label in ATTACKS.items():
        found = {"no smoothing": r.bare(name, attack)}
        found |= {said(s): r.of(name, attack, s, "gray-box") for s in (MEAN, MEDIAN)}
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
    tests = worth(r)
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
        lines.append(
            f"- {title(name)}: in the order of their linf budgets ({', '.join(labels)}), each on "
            f"as many images as the table of figures 23 to 26 says, the mean changes accuracy by "
            f"{', '.join(gained)} points; over the images that all four attacked, by "
            f"{tests[name, MEAN, GAIN].said()}. Without any attack it changes accuracy by "
            f"{tests[name, MEAN, CLEAN].said()}."
        )
    return (
        "The report concludes that the higher an attack's budget, the better smoothing works, "
        "and then that HopSkipJump's low budget on CIFAR-10 leaves it easy to smooth away. "
        "Attacks that stop at the boundary leave little to undo: any change of the image, "
        "smoothing among them, may carry it back over. That is a property of the attack's "
        "stopping rule and no robustness.\n\n" + "\n".join(lines)
    )
