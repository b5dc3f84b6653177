"""The page of the chapter `stopping`, and its card on the index."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.chapters.stopping import CHAPTER
from robustnets.core.record import Record
from robustnets.report import reported
from robustnets.report.cells import Fixed, Percent, Points, PValue, Seconds
from robustnets.report.compare import Comparison, comparison_table
from robustnets.report.dots import Dots, bar_or_dot_figure
from robustnets.report.figure import Figure
from robustnets.report.index import IndexEntry
from robustnets.report.lines import Panel, Series, Threshold, panels_figure
from robustnets.report.page import FigureBlock, Page, Section, TableBlock, Text
from robustnets.report.seeds import accuracies, as_rate, banded, by_seed, mean_rate
from robustnets.report.table import Table
from robustnets.stats.intervals import mean, next_value
from robustnets.stats.paired import paired_means, paired_rates


def condition(record: Record) -> str:
    """The configuration in the words of the reported numbers."""
    network = record.cell["network"]
    rule, plateau = network["rule"], network["training"]["reduce_lr_patience"]
    name = {
        "FixedEpochs": "{epochs} epochs",
        "EarlyStop": "early_stopping(patience={patience})",
        "StableWeights": "stop_on_stable_weights(patience={patience},max_std={max_std})",
    }[rule["type"]].format(**rule)
    return name + (f" + reduce_lr_on_plateau(patience={plateau})" if plateau else "")


def _grouped(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by condition, in the order in which the thesis lists its own."""
    kinds = ("FixedEpochs", "EarlyStop", "StableWeights")

    def place(group: Sequence[Record]) -> tuple:
        network = group[0].cell["network"]
        rule = network["rule"]
        size = rule.get("max_std", rule.get("epochs", 0))
        plateau = bool(network["training"]["reduce_lr_patience"])
        return kinds.index(rule["type"]), plateau, -size

    groups = by_seed(records, condition)
    return dict(sorted(groups.items(), key=lambda item: place(item[1])))


def _short(name: str) -> str:
    """The same configuration for a figure's label."""
    for long, short in (
        ("early_stopping(patience=", "early stopping ("),
        ("stop_on_stable_weights(patience=", "stable weights ("),
        (",max_std=", ", "),
        (" + reduce_lr_on_plateau(patience=", " + plateau ("),
    ):
        name = name.replace(long, short)
    return name


def _roles(groups: Mapping[str, Sequence[Record]]) -> list[str]:
    """Our conditions in the order of the thesis' seven, whatever the scale."""

    def pick(kind: str, plateau: bool) -> list[tuple[float, str]]:
        found = []
        for name, group in groups.items():
            network = group[0].cell["network"]
            rule = network["rule"]
            if rule["type"] == kind and plateau == bool(network["training"]["reduce_lr_patience"]):
                found.append((-rule.get("max_std", rule.get("epochs", 0)), name))
        return sorted(found)

    return [
        *(name for _, name in pick("FixedEpochs", False)),
        *(name for _, name in pick("FixedEpochs", True)),
        pick("EarlyStop", False)[0][1],
        pick("StableWeights", False)[0][1],
        pick("EarlyStop", True)[0][1],
        pick("StableWeights", True)[0][1],
    ]


def _epochs(group: Sequence[Record]) -> np.ndarray:
    return np.array([record.about["epoch"] for record in group], float)


def _train_seconds(group: Sequence[Record]) -> np.ndarray:
    return np.array([record.about["train_seconds"] for record in group])


def page(records: Sequence[Record], run: Mapping[str, Any]) -> Page:
    """Write the chapter from its Records.

    Args:
        records: of the Cells of one scale.
        run: how they were made: "command", "scale", "jobs".
    """
    groups = _grouped(records)
    seven = _roles(groups)
    thesis = reported.load("thesis", CHAPTER.slug)
    like_for_like = _like_for_like(records[0], seven, thesis)
    return Page(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        lead=f"{CHAPTER.question} {_answer(groups, seven)}",
        sections=(
            Section("The question and the set-up", (Text(_setup(records[0], like_for_like)),)),
            Section("Reported and reproduced", _reproduced(groups, seven, thesis, like_for_like)),
            Section("Heuristics against a fixed number", _paired(groups, seven, thesis)),
            Section("What the rules watch", _curves(groups)),
            Section("What the threshold means", _thresholds(groups, thesis, like_for_like)),
        ),
        facts=common.facts(records, dict(run)),
    )


def entry(records: Sequence[Record], run: Mapping[str, Any]) -> IndexEntry:
    """The chapter's card on the index page."""
    groups = _grouped(records)
    seven = _roles(groups)
    return IndexEntry(
        slug=CHAPTER.slug,
        title=CHAPTER.title,
        question=CHAPTER.question,
        headline=_answer(groups, seven),
        findings=[
            common.finding(
                groups[name], records[0].cell["network"]["dataset"]["name"], _short(name)
            )
            for name in (seven[1], seven[3], seven[4])
        ],
        picture=f"{CHAPTER.slug}/figures/accuracy.png",
    )


def _like_for_like(record: Record, seven: Sequence[str], thesis) -> bool:
    """Whether the thesis' own configurations were run, on all of its data."""
    data = record.cell["network"]["dataset"]
    whole = data["n_train"] is None and data["n_test"] is None
    return data["name"] == "mnist" and whole and {r.condition for r in thesis} <= set(seven)


def against(groups, seven) -> dict[str, Contrast]:
    """Accuracy of every configuration minus that of the thesis' fixed number, one family."""
    base = accuracies(groups[seven[1]])
    return common.family(
        {
            name: paired_means(accuracies(group), base)
            for name, group in groups.items()
            if name != seven[1]
        }
    )


def _answer(groups, seven) -> str:
    found = against(groups, seven)
    verdicts = []
    for name in (seven[3], seven[4]):
        epochs = _epochs(groups[name]).mean()
        verdicts.append(
            f"**{_short(name)}** stops after {epochs:.0f} epochs on average; its accuracy minus "
            f"that of {seven[1]} is {found[name].said(2)}"
        )
    return "; ".join(verdicts) + "."


def _setup(record: Record, like_for_like: bool) -> str:
    training = record.cell["network"]["training"]
    return (
        f"{common.caution(like_for_like)}"
        "The thesis (sections 3.1 to 3.4) trains FC-100-100-10 and asks whether a "
        "heuristic can replace a fixed number of epochs. **Early stopping** ends training when "
        "validation accuracy has not improved for a number of epochs, its patience. **Stop on "
        "stable weights** ends it when, over the same number of epochs, no single weight has a "
        "standard deviation of `max_std` or more. **Plateau** means that the learning rate is "
        "divided by ten when validation accuracy has not improved for half that patience.\n\n"
        f"{common.network_setup(training)}\n\n"
        "Configurations that differ only in when they stop share one training trajectory per "
        "seed: it is trained once and every stop is read off it. So two stops are compared on the "
        "same weights at different epochs, seed by seed, and nothing but the stop differs."
    )


def _reproduced(groups, seven, thesis, like_for_like):
    names = list(dict.fromkeys(row.condition for row in thesis))
    ours = dict(zip(names, seven))
    comparisons = []
    for row in thesis:
        group = groups[ours[row.condition]]
        accuracy = row.metric == "test_accuracy"
        values = accuracies(group) if accuracy else _epochs(group)
        one_run = next_value(values)
        not_fired = sum(not r.about["fired"] for r in group)
        comparisons.append(
            Comparison.of(
                row,
                mean_rate(values) if accuracy else mean(values),
                as_rate(one_run) if accuracy else (max(0.0, one_run[0]), one_run[1]),
                n=len(group[0].label) if accuracy else len(group),
                seeds=len(group),
                note="; ".join(
                    [f"ours: {_short(ours[row.condition])}"] * (not like_for_like)
                    + [f"{not_fired} of {len(group)} ran to the end"] * bool(not_fired)
                ),
            )
        )
    accuracy = [c for c in comparisons if c.metric == "test_accuracy"]
    epochs = [c for c in comparisons if c.metric == "epochs"]
    outside = [c for c in comparisons if c.verdict in ("above", "below")]
    dots = Figure(
        "accuracy",
        "Test accuracy of each configuration: one tick per training seed, the mean over seeds "
        "with its 95 % interval, and the value that the thesis reports.",
        "Dot plot of test accuracy for the seven configurations, ours and the thesis' values.",
        bar_or_dot_figure(
            [
                Dots(
                    _short(ours[name]),
                    mean_rate(accuracies(groups[ours[name]])),
                    tuple(accuracies(groups[ours[name]])),
                    next(c.reported for c in accuracy if c.condition == name),
                )
                for name in names
            ],
            "test accuracy",
            percent=True,
        ),
    )
    text = (
        f"{len(comparisons) - len(outside)} of the {len(comparisons)} reported numbers lie inside "
        "the interval for one new training run."
        if like_for_like
        else "The seven configurations of the thesis, by their place in its table."
    )
    if outside and like_for_like:
        text += (
            " Those outside: "
            + "; ".join(
                f"{_short(ours[c.condition])}, {c.metric.replace('_', ' ')}: reported "
                f"{_shown(c, c.reported)}, ours {_shown(c, c.reproduced.estimate)}"
                for c in outside
            )
            + "."
        )
    return (
        Text(text),
        FigureBlock(dots),
        TableBlock(comparison_table(accuracy, "Test accuracy.", like_for_like), "accuracy"),
        TableBlock(
            comparison_table(epochs, "Epochs after which each heuristic fired.", like_for_like),
            "epochs",
        ),
    )


def _shown(comparison: Comparison, value: float) -> str:
    return f"{100 * value:.2f} %" if comparison.metric == "test_accuracy" else f"{value:.0f}"


def _paired(groups, seven, thesis):
    span = np.ptp([row.value for row in thesis if row.metric == "test_accuracy"])
    base_name = seven[1]
    base = groups[base_name]
    rows = []
    for name, found in against(groups, seven).items():
        group = groups[name]
        apart = sum(paired_rates(a.correct, b.correct).p < 0.05 for a, b in zip(group, base))
        rows.append(
            (
                _short(name),
                Fixed(mean(_epochs(group)), 0),
                Seconds(float(_train_seconds(group).mean())),
                Points(found.difference),
                PValue(found.p),
                PValue(found.adjusted),
                f"{apart}/{len(group)}",
                found.word("better", "worse"),
            )
        )
    table = Table(
        (
            "configuration",
            "epochs",
            "train time",
            f"accuracy minus {base_name}",
            "p",
            "p, Holm",
            "seeds apart",
            "verdict",
        ),
        tuple(rows),
        f"Each configuration minus {base_name}, paired by training seed (n = {len(base)} seeds): "
        "mean difference in percentage points with Student's 95 % interval, paired t test, "
        f"Holm-adjusted over these {len(rows)} comparisons. "
        '"Seeds apart" counts the seeds for which an exact McNemar test on the '
        f"{len(base[0].label)} test examples alone has p < 0.05. Time is that of the training "
        "epochs up to the stop, workers sharing the machine.",
    )
    return (
        Text(
            "One run against another cannot say whether a heuristic costs anything: the "
            f"{len(base)} runs of {base_name} alone span "
            f"{100 * np.ptp(accuracies(base)):.2f} percentage points, and the seven "
            f"values that the thesis compares span {span:.2f}. Paired by seed, the part that two "
            "configurations share drops out."
        ),
        TableBlock(table, "paired"),
    )


def _curves(groups):
    thresholds = sorted(
        {
            group[0].cell["network"]["rule"]["max_std"]
            for group in groups.values()
            if group[0].cell["network"]["rule"]["type"] == "StableWeights"
        }
    )
    columns = []
    for plateau, label in ((False, "constant rate"), (True, "with plateau")):
        chosen = [
            max(stops, key=lambda record: len(record.curves["loss"]))
            for stops in _same_trajectory(groups, plateau).values()
        ]
        length = min(len(record.curves["loss"]) for record in chosen)
        x = np.arange(1, length + 1)
        accuracy, rate, deviation = (
            np.array([record.curves[name][:length] for record in chosen])
            for name in ("val_accuracy", "learning_rate", "weights_max_std")
        )
        columns.append(
            (
                Panel(
                    label,
                    [banded("mean over seeds", x, 1 - accuracy, marker="")],
                    "epoch",
                    "validation error",
                    percent=True,
                    y_log=True,
                ),
                Panel(
                    label,
                    [Series("mean over seeds", x, rate.mean(axis=0), marker="")],
                    "epoch",
                    "learning rate",
                    y_log=True,
                ),
                Panel(
                    label,
                    # far below every threshold there is nothing to see
                    [
                        Series(
                            "mean over seeds",
                            x,
                            np.maximum(deviation.mean(axis=0), thresholds[0] / 10),
                            marker="",
                        )
                    ],
                    "epoch",
                    "largest weight deviation",
                    thresholds=[Threshold(t, f"max_std {t:g}") for t in thresholds],
                    y_log=True,
                ),
            )
        )
    figure = Figure(
        "curves",
        "What the three rules look at, epoch by epoch: mean over the training seeds; for the "
        "error with its 95 % interval. The deviation starts when its window is full.",
        "Six panels: validation error, learning rate and largest weight deviation, without "
        "and with learning-rate reduction.",
        panels_figure([panel for row in zip(*columns) for panel in row], columns=2),
    )
    return (FigureBlock(figure),)


def _same_trajectory(groups, plateau: bool) -> dict[int, list[Record]]:
    by_seed: dict[int, list[Record]] = {}
    for group in groups.values():
        for record in group:
            network = record.cell["network"]
            if plateau == bool(network["training"]["reduce_lr_patience"]):
                by_seed.setdefault(network["seed"], []).append(record)
    return by_seed


def _thresholds(groups, thesis, like_for_like):
    rows = []
    for name, group in groups.items():
        rule = group[0].cell["network"]["rule"]
        if rule["type"] == "StableWeights":
            fired = sum(r.about["fired"] for r in group)
            rows.append(
                (
                    _short(name),
                    rule["max_std"],
                    f"{fired} of {len(group)}",
                    Fixed(mean(_epochs(group)), 0),
                    Percent(mean_rate(accuracies(group))),
                )
            )
    table = Table(
        ("configuration", "max_std", "fired", "epoch", "accuracy"),
        tuple(rows),
        "Stop on stable weights at several thresholds, read off the same trajectories: epoch and "
        "test accuracy, mean over seeds with 95 % interval.",
    )
    literal = [
        group for group in groups.values() if group[0].cell["network"]["rule"].get("max_std") == 0.5
    ]
    patience = literal[0][0].cell["network"]["rule"]["patience"]
    at_once = all((_epochs(group) == patience).all() for group in literal)
    text = "The thesis sets `max_std` to 0.5 and sees the rule fire after several hundred epochs. "
    if at_once:
        text += (
            f"Here it fires as soon as its window of {patience} epochs is full, in every run: no "
            "single weight of this network moves so far that its standard deviation over the "
            "window reaches 0.5. As the text words the rule, then, the threshold of 0.5 cannot "
            "have bound with this optimiser. The thesis prints no curve of its deviation; one "
            "relative to the weight's size, or over a whole layer, would be another quantity. The "
            "smaller thresholds below show the rule at work as it is described."
        )
        if like_for_like:
            text += _nearest_threshold(groups, thesis)
    else:
        epochs = " and ".join(f"{_epochs(group).mean():.0f}" for group in literal)
        text += f"Here it fires after {epochs} epochs on average."
    return (Text(text), TableBlock(table, "thresholds"))


def _nearest_threshold(groups, thesis) -> str:
    """Which of our thresholds does what the thesis reports of its own."""
    reported_epoch, reported_accuracy = (
        next(
            row.value
            for row in thesis
            if row.metric == metric
            and row.condition.startswith("stop_on_stable_weights")
            and "plateau" not in row.condition
        )
        for metric in ("epochs", "test_accuracy")
    )
    stable = [
        group
        for group in groups.values()
        if group[0].cell["network"]["rule"]["type"] == "StableWeights"
        and not group[0].cell["network"]["training"]["reduce_lr_patience"]
    ]
    nearest = min(stable, key=lambda group: abs(_epochs(group).mean() - reported_epoch))
    return (
        f" Of these, {nearest[0].cell['network']['rule']['max_std']:g} comes nearest to what the "
        f"thesis reports: it fires after {_epochs(nearest).mean():.0f} epochs with "
        f"{100 * accuracies(nearest).mean():.2f} % accuracy, where the thesis has "
        f"{reported_epoch:.0f} epochs and {reported_accuracy:.2f} %."
    )
