"""Checks of the forward pass: what the model gives, and whether it gives it again.

Source: the flags of AutoAttack (Croce & Hein 2020, arXiv:2003.01690, and the notes in the
authors' code); Carlini et al. 2019, arXiv:1902.06705, sec. 5.
"""

import numpy as np
from keras import ops

from robustnets.evaluation.sanity.check import Finding, Unchecked, graded
from robustnets.evaluation.sanity.evidence import Evidence
from robustnets.evaluation.sanity.probes import by_gradient

STOCHASTIC = 1e-4  # largest difference of logits at length 1 between two evaluations
ROUNDING = 1e-4  # the same between batches, which other kernels may compute
DEPENDENT = 1e-2  # beyond what any kernel does
SUM = 1e-4  # relative difference of sums that are the same
ALONE = 8  # examples asked about one at a time


def probabilities(e: Evidence) -> Finding:
    """FAIL if no output is negative and all rows have the same sum: a softmax, scaled or not.

    FAIL too if an output is not finite.
    """
    z = e.outputs
    broken = np.count_nonzero(~np.isfinite(z).all(axis=1))
    if broken:
        remedy = "Outputs are not finite: mend what makes them, a logarithm or a division by 0."
        return graded("FAIL", f"{broken} of {len(z)} outputs are not finite", remedy)
    sums = z.sum(axis=1)
    one_sum = np.ptp(sums) < SUM * sums.max() and (len(z) > 1 or abs(sums[0] - 1) < SUM)
    remedy = "Outputs are probabilities, whose gradients fade: give the model without its softmax."
    number = f"outputs {z.min():.3g} to {z.max():.3g}, rows sum to {sums.min():.3g} to "
    level = "FAIL" if z.min() >= 0 and one_sum else "PASS"
    return graded(level, f"{number}{sums.max():.3g}", remedy)


def deterministic(e: Evidence) -> Finding:
    """FAIL if two passes differ by more than 1e-4 of the logits' length.

    Two compiled passes, and two that hand the model's state on, random seeds included, which
    some backends freeze when they compile. WARN if the evaluation took chance into account:
    several fresh evaluations of each success, and gradients averaged over passes.
    """
    compiled = _apart(e.logits, e.classifier.predict(e.x))
    one, two = (_stateful(e, passes)[0] for passes in (1, 2))
    far = max(compiled, _apart(one, two))
    averaged = any(getattr(a, "expectation", 1) > 1 for a in e.attacks if by_gradient(a))
    level = "PASS" if far <= STOCHASTIC else "WARN" if averaged and e.evaluations > 1 else "FAIL"
    remedy = (
        "The model draws at random: average gradients over passes (expectation=20, version "
        "'rand') and count success over several fresh evaluations."
    )
    if level == "WARN":
        remedy = "The result is that of several draws; say so beside it."
    if compiled <= STOCHASTIC < far:
        level, remedy = "FAIL", "This backend freezes the draws: evaluate on TensorFlow."
    return graded(level, f"two passes differ by {far:.1e} of the logits' length", remedy)


def batch_invariant(e: Evidence) -> Finding:
    """Logits alone, in a batch, and in a batch of another order.

    PASS up to a difference of 1e-4 of the logits' length, which is rounding; FAIL beyond 1e-2;
    WARN between.
    """
    if _apart(e.logits, e.classifier.predict(e.x)) > STOCHASTIC:
        raise Unchecked("the model draws at random", "Check it without its draws.")
    some = slice(0, ALONE)
    alone = _apart(e.logits[some], e.classifier.predict(e.x[some], 1))
    turned = _apart(e.logits, e.classifier.predict(e.x[::-1].copy())[::-1])
    far = max(alone, turned)
    level = "FAIL" if far > DEPENDENT else "WARN" if far > ROUNDING else "PASS"
    number = f"alone {alone:.1e}, in reverse order {turned:.1e} of the logits' length"
    updated = _stateful(e, 1)[1]
    if updated:
        number += f"; a pass updates {updated[0]}"
    remedy = (
        "The answer for one example depends on the others: call batch normalisation with "
        "training=False and normalise by fixed statistics."
    )
    return graded(level, number, remedy)


def classes(e: Evidence) -> Finding:
    """WARN below 4 classes, where the losses of AutoAttack do not exist."""
    count = e.classifier.classes
    remedy = "Targeted DLR needs 4 classes, DLR 3: see that the margin loss took their place."
    return graded("WARN" if count < 4 else "PASS", f"{count} classes", remedy)


def _stateful(e: Evidence, passes: int) -> tuple[np.ndarray, list[str]]:
    """Logits of a few examples in the last of some passes in a row, and what these updated."""
    model, x = e.classifier.model, ops.convert_to_tensor(e.x[:ALONE])
    variables = model.non_trainable_variables
    fixed = [v.value for v in model.trainable_variables]
    before = state = [v.value for v in variables]
    for _ in range(passes):
        logits, state = model.stateless_call(fixed, state, x, training=False)
    pairs = ([ops.convert_to_numpy(value) for value in values] for values in (before, state))
    moved = [v.path for v, old, new in zip(variables, *pairs) if not np.array_equal(old, new)]
    return ops.convert_to_numpy(ops.cast(logits, "float32")), moved


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    """The largest difference between two evaluations, with logits at length 1."""
    size = np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12)
    return float(np.abs((one - two) / size).max())
