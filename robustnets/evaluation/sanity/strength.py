"""Checks that what should be the stronger attack is the stronger one.

Source: Athalye et al. 2018, arXiv:1802.00420, sec. 3.1; Carlini et al. 2019, arXiv:1902.06705,
sec. 5; label leaking: Kurakin et al. 2017, arXiv:1611.01236, sec. 3.4.
"""

import numpy as np
from keras import ops

from robustnets.attacks.losses import margin
from robustnets.evaluation.sanity.check import (
    Finding,
    allowed,
    graded,
    level_of_pair,
)
from robustnets.evaluation.sanity.evidence import Evidence
from robustnets.evaluation.sanity.probes import by_gradient, iterates, named

HELPED = 0.1  # share of the examples that a lucky attack may make easier
GROWN = 0.1  # by how much a lead grows that is called larger


def iterative(e: Evidence) -> Finding:
    """Attacks with steps break at least what one step breaks; see `level_of_pair`."""
    attack = e.under_test if iterates(e.under_test) else e.probe("iterated")
    many = e.broken_by(iterates) | e.broken(attack)
    remedy = "One step beats many: mend the step size, or the gradients that mislead."
    return _against(e, many, named(attack), "single step", remedy)


def white_box(e: Evidence) -> Finding:
    """Gradients break at least what 200 queries do; see `level_of_pair`."""
    remedy = "Gradients are masked: give a substitute gradient, or attack with more queries."
    return _against(e, _by_gradients(e), "gradients", "black box", remedy)


def better_than_noise(e: Evidence) -> Finding:
    """Gradients break at least what the worst of 20 random draws does; see `level_of_pair`."""
    remedy = "Random noise beats gradients: the attack or the gradients are broken."
    return _against(e, _by_gradients(e), "gradients", "noise", remedy)


def label_leaking(e: Evidence) -> Finding:
    """Whether the attack under test shows the model the label instead of hiding it.

    An attack knows the label, and so may give it away: the model is then more often right, or
    surer, than without it. FAIL if more than 2 examples and 2 % of all go from wrong to right,
    or the label's lead grows by a tenth on more than half of those that are right; WARN if it
    does on more than 10 % of them.
    """
    made = e.run(e.under_test)
    after = e.classifier.predict(made.x)
    mended = int((~e.right & (after.argmax(axis=1) == e.y)).sum())
    before, behind = (ops.convert_to_numpy(margin(z, e.y)) for z in (e.logits, after))
    # other losses than the margin let it fall a little
    surer = int(((behind < (1 + GROWN) * before) & e.right).sum())
    right = int(e.right.sum())
    level = "WARN" if surer > max(HELPED * right, allowed(right)) else "PASS"
    if mended > allowed(len(e.x)) or surer > right / 2:
        level = "FAIL"
    number = (
        f"{named(e.under_test)} mends {mended} of {len(e.x)} and makes the model surer of "
        f"{surer} of {right}"
    )
    remedy = (
        "The attack gives the label away or climbs the wrong way: check the sign of its loss, "
        "start from the clean example, take more and smaller steps, keep the worst iterate."
    )
    return graded(level, number, remedy, max(mended, surer), len(e.x))


def _by_gradients(e: Evidence) -> np.ndarray:
    return e.broken_by(by_gradient) | e.broken(e.under_test)


def _against(e: Evidence, strong: np.ndarray, name: str, weak: str, remedy: str) -> Finding:
    """Compare with a probe on the examples that are right."""
    attack = e.probe(weak)
    strong, broken = strong[e.right], e.broken(attack)[e.right]
    number = (
        f"{name} {strong.sum()}, {named(attack)} {broken.sum()} of {len(strong)} "
        f"({(broken & ~strong).sum()} by the latter alone)"
    )
    count = int((broken & ~strong).sum())
    return graded(level_of_pair(strong, broken), number, remedy, count, len(strong))
