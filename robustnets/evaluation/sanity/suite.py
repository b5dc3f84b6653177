"""Checks of the evaluation as a whole: what it missed, and what it left out.

Source: the flags of AutoAttack (Croce & Hein 2020, arXiv:2003.01690, and the authors' code).
"""

import contextlib

import numpy as np

from robustnets.evaluation.sanity.check import (
    Finding,
    Unchecked,
    allowed,
    graded,
    level_of_count,
)
from robustnets.evaluation.sanity.evidence import Evidence
from robustnets.evaluation.sanity.probes import by_gradient, named
from robustnets.evaluation.sanity.stored import inside


def only_black_box(e: Evidence) -> Finding:
    """How many of all examples of the evaluation only attacks without gradients broke.

    FAIL above 2 examples and 2 %; WARN above 2 examples and 0.2 %, AutoAttack's flag.
    """
    if e.found is None:
        raise Unchecked("there is no evaluation", "Run one.")
    without = [i for i, attack in enumerate(e.attacks) if not by_gradient(attack)]
    # those before the first gradient attack had the first choice
    first = next((i for i, a in enumerate(e.attacks) if by_gradient(a)), len(e.attacks))
    late = [i for i in without if i > first]
    n = len(e.found.y)
    if not late:
        raise Unchecked(
            "no black-box attack came after one with gradients", "Put Square into the suite."
        )
    count = int(np.isin(e.found.broken_by, late).sum())
    level = level_of_count(count, n)
    if level == "WARN" and count <= max(2, 0.002 * n):
        level = "PASS"
    remedy = "A black-box attack beats those with gradients, which are therefore in doubt."
    return graded(level, f"{count} of {n} broken by queries only", remedy, count, n)


def unbeaten(e: Evidence) -> Finding:
    """No probe breaks what the evaluation left standing.

    The probes: the attack under test with other draws, FGSM, PGD on the margin, queries, noise,
    and what others made of the same examples. FAIL if more than 2 examples and 2 % of the right
    ones fall.
    """
    fallen: dict[str, np.ndarray] = {}
    for name in ("under test", "single step", "another loss", "black box", "noise"):
        with contextlib.suppress(Unchecked):
            attack = e.under_test if name == "under test" else e.probe(name)
            fair = inside(e.x, e.run(attack).x, e.threat)
            fallen[named(attack)] = e.broken(attack) & e.standing & fair
    for name, x in e.others.items():
        fallen[name] = e.wrong(x) & e.standing & inside(e.x, x, e.threat)
    if not fallen:
        raise Unchecked("no probe could be run", "Mend what the other checks say first.")
    count = int(np.any(list(fallen.values()), axis=0).sum())
    by = ", ".join(f"{name} {rows.sum()}" for name, rows in fallen.items() if rows.any())
    number = f"{count} of {e.standing.sum()} that stand fall" + (f" ({by})" if by else "")
    remedy = "A probe beats the evaluation: add that attack to the suite."
    level = "FAIL" if count > allowed(int(e.right.sum())) else "PASS"
    return graded(level, number, remedy, count, int(e.right.sum()))


def whole(e: Evidence) -> Finding:
    """FAIL if a budget kept an attack from all that stood."""
    if e.found is None:
        raise Unchecked("there is no evaluation", "Run one.")
    left_out = [named(part.attack) for part in e.found.parts if not part.finished]
    number = f"{len(e.found.parts) - len(left_out)} of {len(e.found.parts)} attacks finished"
    remedy = f"Not finished on all that stood: {', '.join(left_out)}. Give a larger budget."
    return graded("FAIL" if left_out else "PASS", number, remedy)
