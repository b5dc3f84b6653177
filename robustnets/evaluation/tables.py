"""The tables of an evaluation's page."""

from typing import Any

import numpy as np

from robustnets.evaluation.evaluation import Evaluation, radius_text
from robustnets.report.table import Cell, Fixed, Percent, Points, Seconds, Table, Word
from robustnets.stats.distances import median_distance
from robustnets.stats.intervals import rate

LEVELS = {"PASS": "good", "WARN": "warn", "FAIL": "bad"}
SOURCE = "accuracy of the model crafted on, percent"


def named(attack: Any) -> str:
    """An attack in a few words: "APGD, dlr, 9 targets"."""
    parts = [type(attack).__name__]
    loss = getattr(attack, "loss", None)
    if loss is not None:
        parts.append(loss.replace("_", " ") if isinstance(loss, str) else type(loss).__name__)
    for field, least, what in (
        ("targets", 0, "targets"), ("restarts", 1, "restarts"), ("steps", 0, "steps"),
        ("budget", 0, "queries"), ("expectation", 1, "draws"),
    ):  # fmt: skip
        value = getattr(attack, field, None)
        if value is not None and value > least:
            parts.append(f"{value} {what}")
    return ", ".join(parts)


def attackers(found: Evaluation) -> Table:
    """One row for each attacker, and the worst of all."""
    rows: list[tuple[Cell, ...]] = []
    whole = found.robust
    elsewhere = any(a.source_class is not None for a in found.attackers)
    for a in found.attackers:
        source = (Percent(a.source_accuracy, 1),) if elsewhere else ()
        if not a.took_part:
            how = f"{a.row.how}; left out for want of time"
            rows.append((a.row.label, how, None, None, *source))
            continue
        more = Points(float(a.case.robust.mean() - whole.mean()), 1) if a.row.counts else None
        rows.append((a.row.label, a.row.how, Percent(a.accuracy, 1), more, *source))
    rows.append(("worst of all", "each example by whoever breaks it",
                 Percent(found.robust_accuracy, 1), None, *([None] if elsewhere else []))
    )  # fmt: skip
    caption = (
        f"Each attacker alone on the same {len(found.y)} examples, {found.threat.norm}, eps "
        f"{radius_text(found.threat.eps)}. Robust: right, and still right after the attack. "
        "Intervals: 95 %."
    )
    if elsewhere:
        caption += (
            " Where examples are crafted on another model, its own accuracy on them without an "
            "attack stands beside: what is crafted on a poor model says little."
        )
    return Table(
        (
            "attacker", "how", "robust accuracy, percent", "above the worst of all, points",
            *([SOURCE] if elsewhere else []),
        ),
        tuple(rows),
        caption,
    )  # fmt: skip


def traits(found: Evaluation) -> Table:
    """What the defense declares, and what was found."""
    rows = tuple(
        (
            t.name,
            t.declared or None,
            t.found or None,
            Word(t.used, "bad") if t.contradicted else t.used,
        )
        for t in found.subject.traits
    )
    return Table(
        ("property", "declared", "found", "taken to be"),
        rows,
        "What is declared and what is found by looking; where they disagree, the worse is taken.",
        align=("left",) * 4,
    )


def attacks(found: Evaluation) -> Table:
    """Every attack of every attacker: what it broke, at what price."""
    rows = []
    for a in found.attackers:
        n, standing = len(a.case.y), int(a.case.right.sum())
        for part in a.case.parts:
            standing -= part.broke
            per = max(part.attacked, 1)
            state = ("yes", "good") if part.finished else (
                ("cut short", "bad") if part.attacked else ("left out", "bad")
            )  # fmt: skip
            rows.append(
                (
                    a.row.label, named(part.attack), part.attacked, part.broke,
                    Percent(rate(standing, n), 1), round(part.forward / per),
                    round(part.backward / per), Seconds(part.seconds), Word(*state),
                )
            )  # fmt: skip
    return Table(
        ("attacker", "attack", "attacked", "broke", "still robust, percent",
         "forward passes", "backward passes", "time", "finished"),
        tuple(rows),
        "Each attacker's attacks in order, each on what the ones before it left; passes are means "
        "per attacked example, time is wall clock with compilation.",
        align=("left", "left", *("right",) * 6, "left"),
    )  # fmt: skip


def classes(found: Evaluation) -> Table:
    """Accuracy and robust accuracy by class."""
    rows = []
    for k, name in enumerate(found.class_names):
        own = found.y == k
        n = int(own.sum())
        if n == 0:
            continue
        broken = found.predicted[own & found.right & ~found.robust]
        into = np.bincount(broken, minlength=len(found.class_names))
        most = None if not len(broken) else (
            f"{found.class_names[int(into.argmax())]} ({int(into.max())} of {len(broken)})"
        )  # fmt: skip
        rows.append(
            (
                name, n, Percent(rate(int(found.right[own].sum()), n), 1),
                Percent(rate(int(found.robust[own].sum()), n), 1),
                Fixed(median_distance(found.nearest.distance[own]), 3), most,
            )
        )  # fmt: skip
    return Table(
        ("class", "n", "accuracy, percent", "robust accuracy, percent", "median distance",
         "most often broken into"),
        tuple(rows),
        "By true class, with 95 % intervals. The median distance to the nearest adversarial "
        "example counts examples that are wrong as they stand as 0 and those never broken as "
        "infinite.",
    )  # fmt: skip


def curve(found: Evaluation) -> Table:
    """Robust accuracy at each radius."""
    rows = tuple(
        (radius_text(eps) if eps else "0", Percent(r, 1))
        for eps, r in zip(found.curve.epsilons, found.curve.rates)
    )
    return Table(
        ("eps", "robust accuracy, percent"),
        rows,
        f"{named(found.curve.attack)} at each radius but the one of the evaluation, on what no "
        "nearer example is known for.",
        align=("right", "right"),
    )


def checks(found: Evaluation) -> Table:
    """The sanity block."""
    return Table(
        ("check", "result", "found", "what to do"),
        tuple(
            (c.name, Word(c.level, LEVELS[c.level]), c.number, c.remedy or None)
            for c in found.checks
        ),
        "What would make this number too high.",
        align=("left",) * 4,
    )
