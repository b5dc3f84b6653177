"""Checks over the radius and the effort: what more of either must do.

Source: Athalye et al. 2018, arXiv:1802.00420, sec. 3.1; Carlini et al. 2019, arXiv:1902.06705,
sec. 5.
"""

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from robustnets import engines
from robustnets.core.seeds import derive
from robustnets.evaluation.sanity.check import (
    Finding,
    Unchecked,
    graded,
    level_of_count,
    level_of_pair,
)
from robustnets.evaluation.sanity.evidence import Evidence, named, wrong

FACTORS = (0.5, 1.0, 2.0)  # of the radius


def unbounded(e: Evidence) -> Finding:
    """In a ball that holds the whole box, nothing is left.

    FAIL if more than 2 examples and 2 % of the right ones stand, WARN for any.
    """
    attack = _rescaled(e.under_test)
    left = int((e.right & ~e.broken(attack, e.reach)).sum())
    right = int(e.right.sum())
    remedy = (
        "An attack without a limit must always win: gradients are masked or the attack is broken."
    )
    return graded(level_of_count(left, right), f"{left} of {right} stand at any distance", remedy)


def monotone(e: Evidence) -> Finding:
    """A larger radius breaks at least what a smaller one breaks; see `level_of_pair`.

    Radii: half of the declared one, that one, twice that one.
    """
    radii = [min(f * e.threat.eps, e.reach) for f in FACTORS]
    rows = [e.broken(e.under_test, eps)[e.right] for eps in radii]
    levels = [level_of_pair(strong=more, weak=less) for less, more in pairwise(rows)]
    level = next(level for level in ("FAIL", "WARN", "PASS") if level in levels)
    steps = ", ".join(f"{row.sum()} at {eps:.4g}" for row, eps in zip(rows, radii))
    remedy = "More room made the attack weaker: mend its step size, or keep its best iterate."
    return graded(level, f"broken of {e.right.sum()}: {steps}", remedy)


def converged(e: Evidence) -> Finding:
    """Twice the steps and twice the starting points break little of what stands.

    FAIL if more than 2 examples and 2 % of the right ones fall, WARN for any.
    """
    attack = doubled(e.under_test)
    standing = np.flatnonzero(e.standing & e.right)
    right = int(e.right.sum())
    fell = 0
    if len(standing):
        e.run(e.under_test)  # has looked at what forbids an attack
        made = engines.run(
            attack, e.classifier, e.x[standing], e.y[standing],
            seed=derive(e.seed, "sanity", "again"), attack_wrong=True,
        )  # fmt: skip
        fell = int(wrong(e.classifier, made.x, e.y[standing], e.found).sum())
    number = f"{named(attack)} at twice the effort breaks {fell} of {len(standing)} that stand"
    remedy = "The attack has not converged: evaluate with more steps and restarts."
    return graded(level_of_count(fell, right), number, remedy)


def doubled(attack: Any) -> Any:
    """The same attack with twice its steps and restarts.

    Raises:
        Unchecked: if it has no steps.

    Example:
        >>> from robustnets.attacks import APGD
        >>> from robustnets.core.threat import ThreatModel
        >>> more = doubled(APGD(ThreatModel("linf", 0.1)))
        >>> more.steps, more.restarts
        (200, 2)
    """
    names = {f.name for f in fields(attack)}
    if "steps" not in names:
        raise Unchecked(f"{named(attack)} has no steps to double")
    changes = {name: 2 * getattr(attack, name) for name in ("steps", "restarts") if name in names}
    if "random_start" in names:
        changes["random_start"] = True
    return replace(attack, **changes)


def _rescaled(attack: Any) -> Any:
    """The attack with a step length that follows from its radius, where it had a fixed one."""
    return replace(attack, step=None) if getattr(attack, "step", None) is not None else attack
