"""Checks over the radius and the effort: what more of either must do.

Source: Athalye et al. 2018, arXiv:1802.00420, sec. 3.1; Carlini et al. 2019, arXiv:1902.06705,
sec. 5.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from robustnets.attacks import BIM, PGD
from robustnets.evaluation.sanity.check import (
    Finding,
    allowed,
    graded,
    level_of_count,
    level_of_pair,
)
from robustnets.evaluation.sanity.evidence import Evidence, wrong
from robustnets.evaluation.sanity.probes import doubled, named


def unbounded(e: Evidence) -> Finding:
    """In a ball that holds the whole box, nothing is left.

    FAIL if more than 2 examples and 2 % of the right ones stand, WARN for any.
    """
    attack = e.under_test
    if isinstance(attack, (PGD, BIM)):  # a step of fixed length would not get there
        attack = replace(attack, step=None)
    left = int((e.right & ~e.broken(attack, e.reach)).sum())
    right = int(e.right.sum())
    remedy = (
        "An attack without a limit must always win: gradients are masked or the attack is broken."
    )
    number = f"{left} of {right} stand at any distance"
    return graded(level_of_count(left, right), number, remedy, left, right)


def monotone(e: Evidence) -> Finding:
    """A larger radius breaks at least what a smaller one breaks; see `level_of_pair`.

    Radii: half of the declared one, that one, twice that one.
    """
    rows = [e.broken(e.under_test, eps)[e.right] for eps in e.radii]
    levels = [level_of_pair(strong=more, weak=less) for less, more in pairwise(rows)]
    level = next(level for level in ("FAIL", "WARN", "PASS") if level in levels)
    steps = ", ".join(f"{row.sum()} at {eps:.4g}" for row, eps in zip(rows, e.radii))
    remedy = "More room made the attack weaker: mend its step size, or keep its best iterate."
    lost = max(int((less & ~more).sum()) for less, more in pairwise(rows))
    return graded(level, f"broken of {e.right.sum()}: {steps}", remedy, lost, int(e.right.sum()))


def converged(e: Evidence) -> Finding:
    """Twice the steps, from other starting points, break little of what stands.

    FAIL if more than 2 examples and 2 % of the right ones fall.
    """
    attack = doubled(e.under_test)
    standing = np.flatnonzero(e.standing & e.right)
    right = int(e.right.sum())
    fell = 0
    if len(standing):
        made = e.carry_out(attack, e.x[standing], e.y[standing], "again")
        fell = int(wrong(e.classifier, made.x, e.y[standing], e.found).sum())
    number = f"{named(attack)} in twice the steps breaks {fell} of {len(standing)} that stand"
    remedy = "The attack has not converged: evaluate with more steps and restarts."
    return graded("FAIL" if fell > allowed(right) else "PASS", number, remedy, fell, right)
