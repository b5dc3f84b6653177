"""What attacks climb: losses per example, from logits, and their gradients."""

from collections.abc import Callable
from typing import Any

from keras import ops

from robustnets import backend
from robustnets.attacks import balls

IMPOSSIBLE = -1e30  # a logit whose probability is zero, finite so that its gradient is too


def cross_entropy(logits: Any, y: Any) -> Any:
    """Cross entropy of each example, -log softmax(z)[y].

    Computed as softplus(logsumexp of the other logits - z[y]), which is the same number
    without cancellation: the usual gradient, softmax - one-hot, rounds to zero for the true
    class once its probability is within 6e-8 of 1, and an attack then loses its best clue.

    Args:
        logits: float32 (N, K), K >= 2.
        y: int (N,), in 0..K-1.

    Returns:
        float32 (N,), >= 0. NaN logits give NaN.
    """
    is_label = ops.one_hot(y, logits.shape[-1], dtype="bool")
    own = ops.sum(ops.where(is_label, logits, 0.0), axis=-1)
    others = ops.logsumexp(ops.where(is_label, IMPOSSIBLE, logits), axis=-1)
    return ops.softplus(others - own)


def ascent_gradient(logits: Callable[[Any], Any], x: Any, y: Any, targeted: bool) -> Any:
    """Gradient of what the attacker wants more of: -cross entropy if targeted, else it.

    Args:
        logits: float32 (N, H, W, C) -> float32 (N, K), traceable.
        x: float32 (N, ...).
        y: int (N,), true labels, or the classes to reach.
        targeted: which of the two y is.

    Returns:
        float32 (N, ...). Rows whose loss is not a finite number are NaN.
    """
    sign = -1.0 if targeted else 1.0
    value, gradient = backend.value_and_grad(lambda z: sign * cross_entropy(logits(z), y))(x)
    # a dead unit can hide NaN logits from the gradient
    return ops.where(balls.per_example(ops.isfinite(value), x), gradient, float("nan"))
