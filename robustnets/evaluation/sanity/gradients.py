"""Checks of the gradients at the clean examples.

Source: Carlini & Wagner 2017, arXiv:1608.04644, sec. IV (saturated losses); Athalye et al. 2018,
arXiv:1802.00420, sec. 3.1; Pintor et al. 2022, arXiv:2106.09947 (indicators of failure).
Differences in place of gradients: Chen et al. 2017, arXiv:1708.03999, eq. 6.
"""

import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks.losses import LOSSES, margin
from robustnets.engines import memory
from robustnets.evaluation.sanity.check import (
    Finding,
    Unchecked,
    allowed,
    graded,
    level_of_count,
)
from robustnets.evaluation.sanity.evidence import Evidence
from robustnets.models.classifier import Classifier, batches
from robustnets.models.precision import float64_copy

MOSTLY = 0.1  # share of saturated examples at which the cross entropy is of no use
WAYS = (0.001, 0.01, 0.1)  # l2 lengths of steps, in widths of the box
ALIKE = 2.0  # factor by which a change may differ from what the gradient says
SEEN = 1e-5  # of the logits' size: a change that float32 shows beyond its rounding
FOREIGN = 0.25  # share of the examples at which gradients are those of something else


def vanishing(e: Evidence) -> Finding:
    """The share of right examples where the margin has no gradient, or one that is not finite.

    FAIL for one that is not finite, or for more zeros than 2 examples and 2 %; WARN for any.
    """
    x, y = e.x[e.right], e.y[e.right]
    zero, broken = flat(e.classifier, "margin", x, y)
    level = "FAIL" if broken.any() else level_of_count(int(zero.sum()), len(x))
    number = f"{zero.sum()} zero and {broken.sum()} not finite of {len(x)}"
    remedy = (
        "Gradients are missing: give the layer that loses them a substitute gradient "
        "(layers.with_gradient_of), or attack with many queries (Square, HopSkipJump)."
    )
    return graded(level, number, remedy, int((zero | broken).sum()), len(x))


def own(e: Evidence) -> Finding:
    """Whether gradients are those of what the model computes, by small steps along them.

    The margin changes along its own gradient by its length times the step. That of another
    function, which a layer may give instead, says something else, and attacks that follow it
    climb that function. Any of three lengths may agree, up to a factor of 2: short steps drown in
    rounding, long ones meet curvature. They start near the examples, off the kinks that lie at
    the ends of the box and inside flat areas of an image.

    FAIL where more than a quarter of the right examples with a gradient disagree, WARN for more
    than 2 examples and 2 %.
    """
    if _random(e):
        raise Unchecked("the model draws at random", "Check it without its draws.")
    low, wide = e.threat.low, e.threat.high - e.threat.low
    x, y = e.x[e.right], e.y[e.right]
    nudge = np.random.default_rng(0).uniform(-0.005, 0.005, x.shape)
    inside = (low + wide * (0.01 + 0.98 * (x - low) / wide + nudge)).astype(np.float32)
    gradient = margin_gradients(e.classifier, inside, y).astype(np.float64)
    length = np.sqrt((gradient**2).sum(axis=(1, 2, 3)))
    way = gradient / np.where(length > 0, length, 1.0)[:, None, None, None]
    told, agrees = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for step in WAYS:
        ahead, behind = (
            e.classifier.predict((inside + sign * step * wide * way).astype(np.float32))
            for sign in (1, -1)
        )
        change = ops.convert_to_numpy(margin(ahead, y)) - ops.convert_to_numpy(margin(behind, y))
        said = 2 * step * wide * length
        visible = np.isfinite(said) & (said > SEEN * np.abs(ahead).max(axis=1))
        told |= visible
        agrees |= visible & (change > said / ALIKE) & (change < said * ALIKE)
    n, count = int(told.sum()), int((told & ~agrees).sum())
    if n == 0:
        raise Unchecked("no gradient is large enough to be seen in the logits", "")
    level = "FAIL" if count > max(FOREIGN * n, allowed(n)) else (
        "WARN" if count > allowed(n) else "PASS"
    )  # fmt: skip
    number = f"along {n - count} of {n} gradients the margin changes as they say"
    remedy = (
        "Gradients are not those of this model: if a layer puts a substitute in their place, "
        "declare it, so that attacks use it knowingly (evaluate(..., defense=...)); attack "
        "with many queries (Square, HopSkipJump)."
    )
    return graded(level, number, remedy, count, n)


def _random(e: Evidence) -> bool:
    return e.evaluations > 1 or not np.array_equal(
        e.classifier.predict(e.x[:2]), e.classifier.predict(e.x[:2])
    )


def margin_gradients(classifier: Classifier, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of the margin at each example, float32 (N, H, W, C)."""

    def gradient(x, y):
        return backend.value_and_grad(lambda inputs: margin(classifier.logits(inputs), y))(x)[1]

    find = classifier.compiled("gradients of the margin", gradient)
    size = min(memory.batch_size(None, classifier), len(x))
    parts = [
        ops.convert_to_numpy(find(*map(ops.convert_to_tensor, (part, labels))))[:n]
        for (part, n), (labels, _) in zip(batches(x, size), batches(y.astype(np.int32), size))
    ]
    return np.concatenate(parts)


def saturated(e: Evidence) -> Finding:
    """The share of right examples where the cross entropy has no gradient but the margin has.

    That is a matter of scale: the softmax rounds to 0 and 1. FAIL above 10 % of the examples,
    WARN above 2 examples and 2 %.
    """
    x, y = e.x[e.right], e.y[e.right]
    zero = flat(e.classifier, "cross_entropy", x, y)[0] & ~flat(e.classifier, "margin", x, y)[0]
    count = int(zero.sum())
    level = "WARN" if count > allowed(len(x)) else "PASS"
    if count > max(MOSTLY * len(x), allowed(len(x))):
        level = "FAIL"
    top = np.sort(e.logits[e.right], axis=1)
    lead = float(np.median(top[:, -1] - top[:, -2]))
    number = f"{count} of {len(x)} saturated; the highest logit leads by {lead:.3g} (median)"
    remedy = (
        f"Divide the logits by about {max(lead / 5, 1):.2g} and evaluate again, or attack with "
        "loss='margin' or 'dlr'."
    )
    return graded(level, number, remedy, count, len(x))


def in_float64(e: Evidence) -> Finding:
    """Whether gradients that are zero in float32 are there in float64.

    Both losses are looked at. FAIL where so more than 2 examples and 2 % come back, WARN for
    any, or if the model cannot be copied to float64.
    """
    x, y = e.x[e.right], e.y[e.right]
    losses = ("cross_entropy", "margin")
    zero = {loss: flat(e.classifier, loss, x, y)[0] for loss in losses}
    lost = zero["cross_entropy"] | zero["margin"]
    if not lost.any():
        return graded("PASS", f"no zero gradient in float32, of {len(x)}", "")
    back = np.zeros(len(x), bool)
    with backend.double_precision():
        try:
            copy = float64_copy(e.classifier, x[:2])
        except ValueError as problem:
            raise Unchecked(str(problem), "Repeat the attack in float64 by hand.") from problem
        for loss in losses:
            still, broken = flat(copy, loss, x.astype(np.float64), y)
            back |= zero[loss] & ~still & ~broken
    count = int(back.sum())
    number = f"{count} of {lost.sum()} zero gradients are not zero in float64"
    remedy = "Gradients underflow in float32: attack a float64 copy, or logits scaled down."
    return graded(level_of_count(count, len(x)), number, remedy, count, len(x))


def flat(
    classifier: Classifier, loss: str, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whose gradient is zero in every value, and whose is not finite in one: bool (n,) each."""

    def signs(x, y):
        gradient = backend.value_and_grad(
            lambda inputs: LOSSES[loss](classifier.logits(inputs), y)
        )(x)[1]
        rows = ops.reshape(gradient, (gradient.shape[0], -1))
        finite = ops.all(ops.isfinite(rows), axis=1)
        return ops.all(rows == 0, axis=1), ops.logical_not(finite)

    find = classifier.compiled(("gradient signs", loss), signs)
    size = min(memory.batch_size(None, classifier), len(x))
    parts = [
        [ops.convert_to_numpy(row)[:n] for row in find(*map(ops.convert_to_tensor, (part, labels)))]
        for (part, n), (labels, _) in zip(batches(x, size), batches(y.astype(np.int32), size))
    ]
    zero, broken = (np.concatenate(rows) for rows in zip(*parts))
    return zero, broken
