"""What the distillation chapter says of its Records: words, tables, figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from robustnets.chapters.distillation.attacks import of_fgsm
from robustnets.chapters.distillation.results import (
    EPS,
    EPSILONS,
    NAMES,
    VIEWS,
    Paired,
    Results,
    claims,
    clean,
    count,
    gap,
    name,
    paired,
    percent,
    robust,
    untouched,
    word,
)
from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.core.record import Record
from robustnets.report import reported
from robustnets.report.cells import Cell, Percent, PValue, Word, points
from robustnets.report.compare import EXPLANATION, Comparison, comparison_table
from robustnets.report.dots import Dots, bar_or_dot_figure
from robustnets.report.figure import Figure
from robustnets.report.page import FigureBlock, TableBlock, Text
from robustnets.report.seeds import as_rate
from robustnets.report.table import Table
from robustnets.report.text import listed, points_text
from robustnets.stats.intervals import Interval, next_value
from robustnets.stats.multiplicity import holm

LABELS = {"all soft labels": "soft", "misclassified removed": "removed"}
TREATMENTS = {"soft": "all soft labels", "removed": "removed", "hard": "kept as hard labels"}


def answer(r: Results) -> str:
    """The chapter in a paragraph: its first data set, and a sentence on each other one."""
    return " ".join([_answer(r, r.main), *(_in_short(r, d) for d in r.datasets[1:])])


def _in_short(r: Results, d: str) -> str:
    shown, left = of_fgsm(r, d, "softmax"), of_fgsm(r, d, "logits / T")
    return (
        f"On {name(d)}, whose networks are right on {percent(clean(r.student(d, 'softmax')))} with "
        f"distillation and {percent(clean(r.undefended(d, 'logits')))} without, accuracy with "
        f"distillation minus accuracy without is {shown.said()} through the softmax at the same "
        f"eps; against the logits divided by {r.top(d):g} it is {left.said()}."
    )


def _answer(r: Results, d: str) -> str:
    top, bare = r.top(d), r.undefended(d, "logits")
    softmax, scaled = (r.student(d, view) for view in ("softmax", "logits / T"))
    shown, left = of_fgsm(r, d, "softmax"), of_fgsm(r, d, "logits / T")
    return (
        f"On {name(d)}, a network distilled at temperature {top:g} is right on "
        f"**{percent(clean(softmax))}** of the clean images, an undefended one on "
        f"{percent(clean(bare))}. Attacked with the fast gradient method at eps {EPS:g} through "
        f"its softmax, it stays right on **{percent(robust(softmax, EPS))}**, the undefended one "
        f"on {percent(robust(r.undefended(d, 'softmax'), EPS))}: "
        f"{gain(shown)}. {_begun(untouched(softmax))} Once the attacker divides the "
        f"logits by {top:g}, which changes no prediction, the distilled network stays right on "
        f"**{percent(robust(scaled, EPS))}**, the undefended one on "
        f"{percent(robust(bare, EPS))}: {gain(left)}."
    )


def _begun(zero: Interval) -> str:
    """On how many images the attack through the softmax has a gradient to follow."""
    if zero.estimate == 0:
        return "None of the images has a gradient there that is exactly zero."
    return (
        f"But {percent(zero)} of the images have a gradient there that is exactly zero, so that on "
        "them the attack has not begun."
    )


def gain(found: Contrast) -> str:
    """A difference in points, in words that its adjusted p-value allows."""
    if not found.shown:
        size = points_text(found.difference, 1)
        return f"no difference that these examples show ({size} points)"
    return f"{abs(100 * found.difference.estimate):.1f} points {'more' if found.more else 'less'}"


def setup(r: Results, like_for_like: bool) -> str:
    """What was done, and how it differs from the report."""
    return "\n\n".join(
        [
            common.caution(like_for_like, "CSDS440", "MNIST and CIFAR-10").strip(),
            "Defensive distillation (Papernot et al. 2016, "
            "[arXiv:1511.04508](https://arxiv.org/abs/1511.04508); CSDS440, section 2.4) trains "
            "two networks of one architecture. The **teacher** learns the labels with its logits "
            "divided by a temperature T before the softmax. Its probabilities at T are the soft "
            "labels that the **student**, the distilled network, learns at the same T. The "
            "student is then used at temperature 1. To fit probabilities at temperature T a "
            "network makes logits that are about T times as far apart; used at temperature 1, "
            "its softmax rounds to 0 and 1.",
            "\n".join(_made(r, d) for d in r.datasets),
            "An attack by gradients needs a loss to differentiate. The same network is attacked "
            "through three:\n\n"
            "- **softmax**: the cross entropy of the probabilities at temperature 1, which Keras "
            "clips to [1e-7, 1 − 1e-7]. Where the largest is clipped the gradient is exactly "
            "zero. The report says that it attacked the output of the softmax layer. White-box, "
            "as the words go, but the attacker has not looked.\n"
            "- **logits**: the cross entropy computed from the logits, without rounding of "
            "probabilities near 1. It underflows in float32 only where all other logits are 87 "
            "to 104 below. White-box. (Keras takes this road by itself where the model "
            "ends in its own softmax, whose logits it remembers; so the report's gradients may "
            "have been these. It does not say how its last layer was written.)\n"
            "- **logits / T**: the same after dividing the logits by T. Adaptive: it is made for "
            "the defense (Carlini & Wagner 2016, "
            "[arXiv:1607.04311](https://arxiv.org/abs/1607.04311)).\n\n"
            "What is measured is always the network itself. Robust accuracy is the share of all "
            "test images that are right before and after the attack, as in the report.",
        ]
    ).strip()


def _made(r: Results, dataset: str) -> str:
    records = r.undefended(dataset, "logits")
    network = records[0].cell["network"]
    training, ref = network["training"], network["dataset"]
    optimizer = training["optimizer"]
    steps = f"{optimizer['type']}, learning rate {optimizer['learning_rate']:g}"
    if "momentum" in optimizer:
        steps += f", momentum {optimizer['momentum']:g}"
    ts = r.temperatures(dataset)
    used = "all" if ref["n_train"] is None else f"the first {ref['n_train']:,}"
    return (
        f"- **{name(dataset)}**: `{network['model']}`, {used} training images of which the last "
        f"{training['validation']:.1%} are held out, {training['rules'][0]['epochs']} epochs in "
        f"batches of {training['batch_size']} with {steps}; "
        f"{len(records[0].label):,} test images, {count(len(records), 'training seed')}; "
        f"{'temperature' if len(ts) == 1 else 'temperatures'} {listed([f'{t:g}' for t in ts])}."
    )


# reported and reproduced


def _ours(r: Results, row: reported.Reported) -> tuple[str, str, str, str]:
    """(our data set, labels, "clean" or "eps=0.1", network) of a reported number."""
    data, labels, attack, network = row.condition.split(" / ")
    known = {name(d): d for d in r.datasets}
    # other data stands in for MNIST, so that a small run shows the layout
    stand_in = "" if set(known) & set(NAMES.values()) else r.main
    return known.get(data, stand_in if data == "MNIST" else ""), labels, attack, network


def _group(r: Results, dataset: str, network: str, labels: str, view: str) -> list[Record]:
    if network == "non-distilled":
        return [] if view == "logits / T" else r.undefended(dataset, view)
    return r.student(dataset, view, LABELS[labels])


def _against(row: reported.Reported, group: Sequence[Record], eps: float | None, note: str = ""):
    """A reported number and ours."""
    interval = clean(group) if eps is None else robust(group, eps)
    values = [(x.correct if eps is None else x.robust[x.at(eps)]).mean() for x in group]
    one = as_rate(next_value(values)) if len(group) > 1 else None
    return Comparison.of(row, interval, one, len(group[0].label), len(group), note)


def reproduced(r: Results, like_for_like: bool):
    """Figures 1 and 2 of the report beside ours; verdicts at the report's own scale alone."""
    rows: list[tuple[Cell, ...]] = []
    cleans: list[Comparison] = []
    verdicts: dict[str, list[str]] = {view: [] for view in VIEWS}
    for row in sorted(reported.load("csds440", "distillation"), key=_order):
        dataset, labels, attack, network = _ours(r, row)
        if not dataset:
            continue
        groups = {view: _group(r, dataset, network, labels, view) for view in VIEWS}
        if attack == "clean":
            note = "" if dataset in NAMES else f"ours: {name(dataset)}"
            cleans.append(_against(row, groups["logits"], None, note))
            continue
        eps = float(attack.removeprefix("eps="))
        found = {view: _against(row, group, eps) for view, group in groups.items() if group}
        for view, compared in found.items():
            verdicts[view].append(compared.verdict)
        cells: list[Cell] = []
        for view in VIEWS:
            c = found.get(view)
            cells.append(None if c is None else Percent(c.reproduced, 1))
            if like_for_like:
                cells.append(None if c is None else Word(c.verdict, _KINDS[c.verdict]))
        condition = f"{name(dataset)}, {labels}, eps {eps:g}, {network}"
        rows.append((condition, Percent(row.natural, None), *cells, len(groups["logits"][0].label)))
    table = Table(
        (
            *("condition", "reported"),
            *(
                f"{what}{view}"
                for view in VIEWS
                for what in ("through the ", "verdict, ")[: 1 + like_for_like]
            ),
            "n",
        ),
        tuple(rows),
        "Figures 1 and 2 of CSDS440, section 2.4: accuracy in percent under the fast gradient "
        f"method, distilled at temperature {r.top(r.main):g}. Ours with its 95 % interval "
        f"({_unit(r)}), once for each loss that the attack may differentiate, because the report "
        f"does not say which its attack did. {f'{EXPLANATION} ' if like_for_like else ''}"
        "The report trained a new undefended "
        "network beside each treatment; ours is one. It has temperature 1, so that its logits / T "
        "are its logits.",
    )
    return (
        Text(_compared(r, verdicts, like_for_like)),
        FigureBlock(_dots(r)),
        TableBlock(_gains(r), "gains"),
        TableBlock(table, "reported"),
        TableBlock(
            comparison_table(cleans, "Figure 1, clean images.", like_for_like), "reported-clean"
        ),
    )


def _order(row: reported.Reported) -> tuple[int, str, str]:
    """As the report has them, with both networks of one attack side by side."""
    data, labels, attack, _ = row.condition.split(" / ")
    return (data != "MNIST", labels, attack)


def _printed_gains(r: Results) -> dict[tuple[str, str, float], float]:
    """(data set, labels, eps) -> accuracy of the distilled minus that of the undefended network."""
    printed: dict[tuple[str, str, float], dict[str, float]] = {}
    for row in sorted(reported.load("csds440", "distillation"), key=_order):
        dataset, labels, attack, network = _ours(r, row)
        if dataset and attack != "clean":
            key = dataset, labels, float(attack.removeprefix("eps="))
            printed.setdefault(key, {})[network] = row.natural
    return {key: two["distilled"] - two["non-distilled"] for key, two in printed.items()}


def _our_gains(r: Results, dataset: str, labels: str, eps: float) -> dict[str, Paired]:
    """View -> the same difference of ours."""
    return {
        view: paired(
            r.student(dataset, view, LABELS[labels]),
            r.undefended(dataset, "softmax" if view == "softmax" else "logits"),
            eps,
        )
        for view in VIEWS
    }


def _gains(r: Results) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            f"{name(dataset)}, {labels}, eps {eps:g}",
            points(printed, 1),
            *(pair.cell for pair in _our_gains(r, dataset, labels, eps).values()),
        )
        for (dataset, labels, eps), printed in _printed_gains(r).items()
    ]
    return Table(
        ("condition", "reported", *(f"through the {view}" for view in VIEWS)),
        tuple(rows),
        "What distillation seems to be worth under the fast gradient method: accuracy of the "
        "distilled minus that of the undefended network, in percentage points, as reported and as "
        "measured here for each loss that the attack may differentiate, with the paired 95 % "
        "interval of the difference.",
    )


_KINDS = {"inside": "good", "above": "warn", "below": "warn", "no interval": "plain"}


def _unit(r: Results) -> str:
    seeds = len(r.undefended(r.main, "logits"))
    if seeds == 1:
        return "Wilson, over test images: it says nothing of training again"
    return f"Student's t over {seeds} training seeds; the verdict is over one new run"


def _compared(r: Results, verdicts: Mapping[str, Sequence[str]], like_for_like: bool) -> str:
    counts = {view: sum(v == "inside" for v in found) for view, found in verdicts.items()}
    d, eps = r.main, EPSILONS[-1]
    gained = _printed_gains(r)[d, "all soft labels", eps]
    ours = _our_gains(r, d, "all soft labels", eps)
    nearest = min(ours, key=lambda view: abs(ours[view].difference.estimate - gained))
    shown = listed([f"{gap(ours[view])} points through the {view}" for view in VIEWS])
    held = (
        f"Of the {len(verdicts['softmax'])} numbers under attack, {counts['softmax']} lie inside "
        f"our interval when the attack differentiates the softmax and {counts['logits']} when it "
        f"differentiates the logits; of the {len(verdicts['logits / T'])} of distilled networks, "
        f"{counts['logits / T']} when it differentiates the logits divided by T. "
        if like_for_like
        else ""
    )
    text = (
        f"{held}The same distillation is measured here once for each loss that the attack may "
        "differentiate. On "
        f"{name(d)} at eps {eps:g}, the distilled network's accuracy minus the undefended one's is "
        f"{points(gained, 1)} points in the report; ours is {shown}."
    )
    if like_for_like:
        verb = "comes" if nearest == "softmax" else "come"
        text += f" Of the three, the {nearest} {verb} closest to that."
    if gained < 0:
        text += (
            " Where gradients have vanished the fast gradient method moves nothing and costs no "
            "accuracy, but the report's distilled network lost more than its undefended one: "
            "whatever its attack was pointed at, its gradients had not vanished."
        )
        if like_for_like and nearest == "logits / T":
            text += (
                " At this radius our numbers fit a softmax that was left at temperature "
                f"{r.top(d):g} while it was attacked, which has the gradients of the logits "
                "divided by T. The report "
                "says that the temperature is lowered to 1 for testing; nothing in it tells "
                "whether the classifier that its attack was given had that temperature."
            )
    return text


def _dots(r: Results) -> Figure:
    rows = []
    for row in reported.load("csds440", "distillation"):
        dataset, labels, attack, network = _ours(r, row)
        if dataset != r.main or labels != "all soft labels" or attack == "clean":
            continue
        eps = float(attack.removeprefix("eps="))
        for view in VIEWS:
            group = _group(r, dataset, network, labels, view)
            if not group:
                continue
            rows.append(
                Dots(
                    f"{attack.replace('=', ' ')}, {network}, {view}",
                    robust(group, eps),
                    tuple(x.robust[x.at(eps)].mean() for x in group) if len(group) > 1 else (),
                    row.natural,
                    f"through the {view}",
                )
            )
    return Figure(
        "reported",
        f"{name(r.main)}: accuracy under the fast gradient method, all soft labels: ours by what "
        "the attack differentiates, with 95 % intervals, and what CSDS440 reports.",
        "Dot plot of robust accuracy for the distilled and the undefended network at two radii.",
        bar_or_dot_figure(rows, "robust accuracy", percent=True),
    )


# treatments


def treatments(r: Results):
    """The three treatments of what the teacher misclassifies."""
    rows: list[tuple[Cell, ...]] = []
    tests: list[tuple[str, str, str, Paired]] = []
    for d in r.datasets:
        soft = {view: r.student(d, view) for view in ("softmax", "logits / T")}
        for key, words in TREATMENTS.items():
            own = {view: r.student(d, view, key) for view in soft}
            told = own["softmax"][0].about["teacher"]
            learned = told["examples"] - (told["misclassified"] if key == "removed" else 0)
            rows.append(
                (
                    *(name(d), words, learned, told["misclassified"]),
                    Percent(clean(own["softmax"]), 1),
                    Percent(robust(own["softmax"], EPS), 1),
                    Percent(robust(own["logits / T"], EPS), 1),
                )
            )
            if key != "soft":
                for measure, view, eps in (
                    ("clean accuracy", "softmax", None),
                    (f"robust accuracy at eps {EPS:g}, logits / T", "logits / T", EPS),
                ):
                    tests.append((name(d), words, measure, paired(own[view], soft[view], eps)))
    table = Table(
        (
            *("data", "misclassified examples", "learned", "misclassified"),
            *("clean", f"eps {EPS:g}, softmax", f"eps {EPS:g}, logits / T"),
        ),
        tuple(rows),
        "The student's accuracy for each treatment of the training examples that the teacher "
        "misclassifies, with 95 % intervals; how many examples the student learned from, and how "
        "many its teacher (of the first seed) had misclassified.",
    )
    adjusted = holm([test[3].p for test in tests])
    differences = Table(
        ("data", "treatment", "measure", "minus all soft labels", "p", "p, Holm", "verdict"),
        tuple(
            (d, words, measure, pair.cell, PValue(pair.p), PValue(p), word(pair, p))
            for (d, words, measure, pair), p in zip(tests, adjusted)
        ),
        "Each treatment minus all soft labels, in percentage points on the same test images "
        f"with a paired 95 % interval; p-values are Holm-adjusted over these {len(tests)} "
        f"comparisons. {claims(r)}",
    )
    shown = [t for t, p in zip(tests, adjusted) if p < 0.05]
    text = (
        "The report removes the examples that the teacher misclassifies, and names a treatment "
        "that it had no time for: to keep their hard labels. "
    )
    if shown:
        text += "Here " + "; ".join(
            f"on {d}, {words}: {measure} {gap(pair)} points" for d, words, measure, pair in shown
        )
        text += (
            ". Every other comparison shows no difference. One training run each cannot tell a "
            "treatment from the luck of a run: the same network trained again may differ as much."
            if len(r.undefended(r.main, "logits")) == 1
            else ". Every other comparison shows no difference."
        )
    else:
        text += (
            "Here none of the treatments differs from using all soft labels by more than chance, "
            "which agrees with the report's own reading of its numbers."
        )
    weak = [f"{name(d)} on {share:.0%}" for d in r.datasets if (share := _wrong(r, d)) > 0.25]
    if weak:
        text += (
            f" At this scale the teachers are far from trained: wrong on {listed(weak)} of their "
            "training images, where the report speaks of one in five for CIFAR-10. What a "
            "treatment does there is what it does to a poor teacher."
        )
    return (
        Text(text),
        TableBlock(table, "treatments"),
        TableBlock(differences, "treatments-paired"),
    )


def _wrong(r: Results, dataset: str) -> float:
    """Share of the training images that the first teacher of the report's T misclassifies."""
    told = r.student(dataset, "softmax")[0].about["teacher"]
    return told["misclassified"] / told["examples"]


# facts


def facts(r: Results, records: Sequence[Record], run: Mapping[str, Any]) -> dict[str, object]:
    """Where the numbers come from, over all data sets."""
    own = [r.undefended(d, "logits") for d in r.datasets]
    return {
        **common.facts(records, dict(run)),
        "data": "; ".join(
            f"{name(d)}, fingerprint {group[0].about['data']}" for d, group in zip(r.datasets, own)
        ),
        "test examples": "; ".join(
            f"{name(d)} {len(group[0].label)}" for d, group in zip(r.datasets, own)
        ),
    }


def findings(r: Results) -> list[dict[str, Cell]]:
    """The chapter's lines of the front page's table, of its first data set."""
    d = r.main
    bare = r.undefended(d, "logits")
    softmax, scaled = (r.student(d, view) for view in ("softmax", "logits / T"))
    distilled, attack = f"distilled at T = {r.top(d):g}", f"FGSM {EPS:g}"
    return [
        common.finding(bare, d, "undefended"),
        common.finding(bare, d, "undefended", attack, "white-box", EPS),
        common.finding(softmax, d, distilled),
        common.finding(softmax, d, distilled, f"{attack}, at the softmax", "white-box", EPS),
        common.finding(scaled, d, distilled, f"{attack}, at logits / T", "adaptive", EPS),
    ]
