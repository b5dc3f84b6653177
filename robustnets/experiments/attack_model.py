"""`robustnets attack`: a model file, some examples, and the worst that attacks make of them."""

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from robustnets import backend
from robustnets.attacks import AutoAttack
from robustnets.attacks.auto_attack import VERSIONS
from robustnets.core.store import Store, store_of, write_atomically
from robustnets.core.threat import ThreatModel, refuse_whole_box
from robustnets.engines.checks import check_examples
from robustnets.evaluation.input_scale import COMMAND, PYTHON_ATTACK, Entry, check_scale
from robustnets.evaluation.sanity import QUICK, headline_holds, sanity_block
from robustnets.evaluation.worst_case import Standing, WorstCase, worst_case
from robustnets.experiments.arguments import ANY_EPS, limits, radius
from robustnets.experiments.compare_engines import spec_of
from robustnets.models import Classifier
from robustnets.models.accept import classifier_of
from robustnets.report.page import Page, Section, TableBlock, Text
from robustnets.report.table import Percent, Seconds, Table, Word
from robustnets.stats.intervals import rate

__all__ = ["attack_model", "attacks_of", "limits", "line", "page", "radius", "save"]

TONES = {"PASS": "good", "WARN": "warn", "FAIL": "bad"}


def line(moment: Standing) -> str:
    """A moment of a run in one line."""
    left = "" if moment.left is None else f", about {moment.left:.0f} s left in this attack"
    return (
        f"{moment.attack} ({moment.number + 1} of {moment.of}): {moment.done} of "
        f"{moment.examples} examples done, {moment.robust} still robust{left}"
    )


def attacks_of(
    name: str, threat: ThreatModel, classes: int, version: str = "standard"
) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """The attacks of a suite, or one by name, and what is to be said about them.

    Raises:
        ValueError: for an unknown name or version.
    """
    if name.lower().replace("-", "").replace("_", "") == "autoattack":
        if version not in VERSIONS:
            raise ValueError(f"version must be one of {', '.join(VERSIONS)}, got {version!r}")
        suite = AutoAttack(threat, version)
        return suite.attacks(classes), suite.notes(classes)
    spec = spec_of(name, threat.norm, threat.eps, quick=False)
    return (replace(spec, threat=threat),), ()


def attack_model(
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    attacks: Sequence[Any],
    *,
    title: str,
    any_eps: bool = False,
    range_given: bool = False,
    entry: Entry = PYTHON_ATTACK,
    notes: Sequence[str] = (),
    seed: int = 0,
    batch_size: int | None = None,
    evaluations: int = 1,
    needed: int = 1,
    time_budget: float | None = None,
    query_budget: int | None = None,
    store: Store | str | os.PathLike | None = None,
    progress: Callable[[Standing], None] | None = None,
    command: Sequence[str] = (),
) -> tuple[Page, WorstCase]:
    """Run the attacks and describe what is left; arguments as for `worst_case`.

    Args:
        title: of the page.
        any_eps: a linf radius as wide as the box or wider is meant.
        range_given: whether somebody named the box of the attacks, see `check_scale`.
        entry: how remedies are given where images have another scale.
        notes: what is to be said about the attacks.
        command: as it was typed, for the page.
    """
    threat = attacks[0].threat
    refuse_whole_box(threat, any_eps, ANY_EPS if entry is COMMAND else "pass any_eps=True")
    classifier = classifier_of(classifier)
    x, y = check_examples(classifier, x, y, threat.low, threat.high)
    note = check_scale(
        classifier, x, y, low=threat.low, high=threat.high, given=range_given, entry=entry
    )
    notes = (*notes, note) if note else notes
    found = worst_case(
        attacks,
        classifier,
        x,
        y,
        seed=seed,
        batch_size=batch_size,
        evaluations=evaluations,
        needed=needed,
        time_budget=time_budget,
        query_budget=query_budget,
        folder=(store_of(store) or Store()).root / "attacks",
        progress=progress,
    )
    return page(found, classifier, title, notes, seed, command), found


def page(
    found: WorstCase,
    classifier: Classifier,
    title: str,
    notes: Sequence[str],
    seed: int,
    command: Sequence[str] = (),
) -> Page:
    """The result as a page: headline, the attacks in order, the checks that run no attack."""
    n = len(found.y)
    right, stand = (round(share * n) for share in (found.accuracy, found.robust_accuracy))
    robust = rate(stand, n)
    threat = found.parts[0].attack.threat
    checks = sanity_block(
        classifier, found.clean, found.y, found, threat=threat, seed=seed, only=QUICK
    )
    sure = headline_holds(checks)
    kind = "Robust accuracy" if sure else "Upper bound of the robust accuracy"
    rows, standing = [], right
    for part in found.parts:
        standing -= part.broke
        rows.append(
            (
                _named(part.attack),
                part.attacked,
                part.broke,
                Percent(rate(standing, n)),
                part.forward,
                part.backward,
                Seconds(part.seconds),
                Word("yes", "good") if part.finished else Word("cut short", "bad"),
            )
        )
    columns = ("attack", "attacked", "broke", "still robust, percent", "forward passes",
               "backward passes", "time", "finished")  # fmt: skip
    steps = Table(columns, tuple(rows), "Each attack runs on what the ones before it left.")
    checked = Table(
        ("check", "result", "found", "what to do"),
        tuple((c.name, Word(c.level, TONES.get(c.level, "")), c.number, c.remedy) for c in checks),
        "What would make this number too high.",
    )
    lead = (
        f"{kind} in {threat.norm} at eps {threat.eps:.4g}{threat.units}: "
        f"**{robust.estimate:.1%}** of {n} examples (95 % interval {robust.low:.1%} to "
        f"{robust.high:.1%}); accuracy without an attack {right / n:.1%}."
    )
    blocks: tuple = (TableBlock(steps, "attacks"),)
    if found.evaluations > 1:
        said = f"Success means wrong in {found.needed} of {found.evaluations} fresh evaluations."
        notes = (*notes, said)
    if notes:
        blocks += (Text("\n".join(f"- {note}" for note in notes)),)
    facts = {"seed": seed, "model": classifier.digest, **backend.describe()}
    sections: tuple[Section, ...]
    sections = (Section("Attacks", blocks), Section("Sanity", (TableBlock(checked, "sanity"),)))
    if command:
        sections += (Section("How it was made", (Text(f"```\n{shlex.join(command)}\n```"),)),)
    return Page("attack", title, lead, sections, facts)


def _named(attack: Any) -> str:
    parts = [type(attack).__name__]
    if hasattr(attack, "loss"):
        named = attack.loss if isinstance(attack.loss, str) else type(attack.loss).__name__
        parts.append(named.replace("_", " "))
    if getattr(attack, "targets", None):
        parts.append(f"{attack.targets} targets")
    return ", ".join(parts)


def save(found: WorstCase, folder: Path) -> Path:
    """Write every example's outcome to `folder/outcomes.npz`."""
    return write_atomically(
        folder / "outcomes.npz",
        lambda path: np.savez_compressed(
            path,
            x=found.x,
            y=found.y,
            broken_by=found.broken_by,
            forward=found.forward,
            backward=found.backward,
        ),
    )
