"""Checks of the forward pass: what the model gives, and whether it gives it again.

Source: the flags of AutoAttack (Croce & Hein 2020, arXiv:2003.01690, and the notes in the
authors' code); Carlini et al. 2019, arXiv:1902.06705, sec. 5.
"""

import keras
import numpy as np
from keras import ops

from robustnets.evaluation.sanity.check import Finding, Unchecked, graded
from robustnets.evaluation.sanity.evidence import (
    Evidence,
    by_gradient,
    looks_like_probabilities,
)

STOCHASTIC = 1e-4  # largest difference of logits at length 1 between two evaluations
ROUNDING = 1e-4  # the same between batches, which other kernels may compute
DEPENDENT = 1e-2  # beyond what any kernel does
ALONE = 8  # examples asked about one at a time


def probabilities(e: Evidence) -> Finding:
    """FAIL if no output is negative and all rows have the same sum: a softmax, scaled or not."""
    sums = e.logits.sum(axis=1)
    level = "FAIL" if looks_like_probabilities(e.logits) else "PASS"
    remedy = "Outputs are probabilities, whose gradients fade: give the model without its softmax."
    number = f"outputs {e.logits.min():.3g} to {e.logits.max():.3g}, rows sum to "
    return graded(level, f"{number}{sums.min():.3g} to {sums.max():.3g}", remedy)


def deterministic(e: Evidence) -> Finding:
    """FAIL if two passes differ by 1e-4, or one advances a random seed in the model.

    WARN if the evaluation took that into account: several fresh evaluations of each success,
    and gradients averaged over passes.
    """
    far = _apart(e.logits, e.classifier.predict(e.x))
    drawn = [name for name in updated(e) if "seed" in name]
    number = f"two passes differ by {far:.1e} of the logits' length"
    if drawn:
        number += ", a random seed advances in each"
    if far <= STOCHASTIC and not drawn:
        return graded("PASS", number, "")
    averaged = any(getattr(a, "expectation", 1) > 1 for a in e.attacks if by_gradient(a))
    if far <= STOCHASTIC:
        remedy = "This backend freezes the draws in a compiled model: evaluate on TensorFlow."
        return graded("FAIL", number, remedy)
    if averaged and e.evaluations > 1:
        return graded("WARN", number, "The result is that of several draws; say so beside it.")
    remedy = (
        "The model draws at random: average gradients over passes (expectation=20, version "
        "'rand') and count success over several fresh evaluations."
    )
    return graded("FAIL", number, remedy)


def batch_invariant(e: Evidence) -> Finding:
    """Logits alone, in a batch, and in a batch of another order.

    PASS up to a difference of 1e-4 of the logits' length, which is rounding; FAIL beyond 1e-2;
    WARN between.
    """
    if not np.isfinite(e.logits).all():
        raise Unchecked("logits are not finite")
    if _apart(e.logits, e.classifier.predict(e.x)) > STOCHASTIC:
        raise Unchecked("the model draws at random")
    some = slice(0, ALONE)
    alone = _apart(e.logits[some], e.classifier.predict(e.x[some], 1))
    turned = _apart(e.logits, e.classifier.predict(e.x[::-1].copy())[::-1])
    far = max(alone, turned)
    level = "FAIL" if far > DEPENDENT else "WARN" if far > ROUNDING else "PASS"
    number = f"alone {alone:.1e}, in reverse order {turned:.1e} of the logits' length"
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


def updated(e: Evidence) -> list[str]:
    """Names of the model's variables that a pass in inference mode changes."""
    model = e.classifier.model
    before = [ops.convert_to_numpy(v) for v in model.non_trainable_variables]
    if not before:
        return []
    _, after = model.stateless_call(
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
        ops.convert_to_tensor(e.x[:2]),
        training=False,
    )
    changed = [not np.array_equal(b, ops.convert_to_numpy(a)) for b, a in zip(before, after)]
    return [_name(v) for v, moved in zip(model.non_trainable_variables, changed) if moved]


def _name(variable: keras.Variable) -> str:
    return f"{variable.path} {variable.name}"


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    """The largest difference between two evaluations, with logits at length 1."""
    size = np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12)
    return float(np.abs((one - two) / size).max())
