"""What attacks climb: losses per example, from logits, and their gradients."""

import dataclasses
from collections.abc import Callable
from typing import Any

from keras import ops

from robustnets import backend
from robustnets.attacks import balls

IMPOSSIBLE = -1e30  # a logit whose probability is zero, finite so that its gradient is too
FLAT = 1e-12  # least gap between logits, so that equal logits give zero instead of NaN


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


def margin(logits: Any, y: Any) -> Any:
    """The highest other logit minus the one of class y: above 0 where y is not predicted.

    Its gradient does not fade where a prediction is confident, as that of a cross entropy
    does. Source: Carlini & Wagner 2017, arXiv:1608.04644, sec. V-A, f6 without its floor.

    Args:
        logits: float32 (N, K), K >= 2.
        y: int (N,), in 0..K-1.

    Returns:
        float32 (N,). NaN logits give NaN.
    """
    is_label = ops.one_hot(y, logits.shape[-1], dtype="bool")
    own = ops.sum(ops.where(is_label, logits, 0.0), axis=-1)
    others = ops.max(ops.where(is_label, IMPOSSIBLE, logits), axis=-1)
    # a maximum may swallow NaN
    return others - own + 0.0 * ops.sum(logits, axis=-1)


def dlr(logits: Any, y: Any) -> Any:
    """The difference of logits ratio: the margin over the gap from the first to the third logit.

    Neither a shift nor a scale of the logits changes it. With two classes there is no third
    logit, and the plain margin takes its place. Source: Croce & Hein 2020, arXiv:2003.01690,
    eq. 6.

    Args:
        logits: float32 (N, K), K >= 2.
        y: int (N,), in 0..K-1.

    Returns:
        float32 (N,), at least -1 and above 0 where y is not predicted. NaN logits give NaN.
    """
    if logits.shape[-1] < 3:
        return margin(logits, y)
    top = ops.top_k(logits, 3)[0]
    return margin(logits, y) / _gap(top[:, 0] - top[:, 2])


def targeted_dlr(logits: Any, y: Any, target: Any) -> Any:
    """The logit of a target minus that of y, over the gap from the first to the third and fourth.

    With fewer than four classes the difference alone takes its place. Source: Croce & Hein
    2020, arXiv:2003.01690, eq. 7.

    Args:
        logits: float32 (N, K), K >= 2.
        y: int (N,), in 0..K-1, the true labels.
        target: int (N,), in 0..K-1, the classes to make more likely than y.

    Returns:
        float32 (N,), above 0 where the target is more likely than y. NaN logits give NaN.
    """
    count = logits.shape[-1]
    way = ops.one_hot(target, count) - ops.one_hot(y, count)
    difference = ops.sum(way * logits, axis=-1)
    if count < 4:
        return difference
    top = ops.top_k(logits, 4)[0]
    return difference / _gap(top[:, 0] - 0.5 * (top[:, 2] + top[:, 3]))


def _gap(gap):
    # not gap + FLAT: TensorFlow adds the constant to the first logit, where it is lost
    return ops.where(gap < FLAT, FLAT, gap)


@dataclasses.dataclass(frozen=True, slots=True)
class PlainCrossEntropy:
    """The cross entropy as most libraries compute it, to be climbed as a loss of one's own.

    Its gradient at the logits is softmax - one-hot, whose entry of the true class rounds to zero
    in float32 once its probability is within 6e-8 of 1; see `cross_entropy`, which does better.
    """

    def __call__(self, logits: Any, y: Any) -> Any:
        """Logits float32 (N, K), labels int (N,) -> float32 (N,)."""
        own = ops.one_hot(y, logits.shape[-1], dtype=logits.dtype)
        return -ops.sum(own * ops.log_softmax(logits, axis=-1), axis=-1)


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "cross_entropy": cross_entropy,
    "margin": margin,
    "dlr": dlr,
}
Loss = str | Callable[[Any, Any], Any]


def check_loss(loss: Any) -> None:
    """Check a `loss` setting: a name in `LOSSES`, or a loss of one's own.

    A loss of one's own is a frozen dataclass that is called with (logits (N, K), labels (N,))
    and gives float (N,), more where the attacker is better off. Being data, it has a place in
    the digest of what it led to.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
        return
    spec = dataclasses.is_dataclass(loss) and not isinstance(loss, type)
    if not (spec and callable(loss) and loss.__dataclass_params__.frozen):
        raise ValueError(
            f"loss must be one of {', '.join(LOSSES)}, or a frozen dataclass that is called with "
            f"(logits, y), got {loss!r}"
        )


def of(loss: Loss) -> Callable[[Any, Any], Any]:
    """The function (logits, y) -> (N,) of a `loss` setting."""
    return LOSSES[loss] if isinstance(loss, str) else loss


def objective(
    logits: Any, y: Any, targeted: bool, loss: Loss = "cross_entropy", target: Any = None
) -> Any:
    """What the attacker wants more of.

    Args:
        logits: float32 (N, K).
        y: int (N,), true labels, or the classes to reach if targeted.
        targeted: which of the two y is.
        loss: see `check_loss`.
        target: int (N,), the class on whose side to leave y, or None for any.

    Returns:
        float32 (N,): the loss; its opposite if targeted; with a target, `targeted_dlr` for
        "dlr" and else the opposite of the target's loss.
    """
    if target is None:
        return (-1.0 if targeted else 1.0) * of(loss)(logits, y)
    return targeted_dlr(logits, y, target) if loss == "dlr" else -of(loss)(logits, target)


def is_hit(logits: Any, y: Any, targeted: bool) -> Any:
    """Whether the attacker has what it wants.

    Args:
        logits: float32 (N, K).
        y: int (N,), true labels, or the classes to reach.
        targeted: which of the two y is.

    Returns:
        bool (N,): the predicted class is another than y, or y if targeted. False for logits
        that are not finite.
    """
    predicted = ops.cast(ops.argmax(logits, axis=-1), y.dtype)
    wanted = predicted == y if targeted else predicted != y
    return ops.logical_and(wanted, ops.all(ops.isfinite(logits), axis=-1))


def standing(
    logits: Callable[[Any], Any],
    x: Any,
    y: Any,
    targeted: bool,
    loss: Loss = "cross_entropy",
    expectation: int = 1,
    target: Any = None,
) -> tuple[Any, Any]:
    """`ascent` without the gradient: the value and whether it is a hit."""
    if expectation == 1:
        z = logits(x)
        return objective(z, y, targeted, loss, target), is_hit(z, y, targeted)
    z = logits(ops.repeat(x, expectation, axis=0))
    target = None if target is None else ops.repeat(target, expectation)
    each = objective(z, ops.repeat(y, expectation), targeted, loss, target)
    z = ops.reshape(ops.softmax(z, axis=-1), (-1, expectation, z.shape[-1]))
    value = ops.mean(ops.reshape(each, (-1, expectation)), axis=1)
    return value, is_hit(ops.mean(z, axis=1), y, targeted)


def ascent(
    logits: Callable[[Any], Any],
    x: Any,
    y: Any,
    targeted: bool,
    loss: Loss = "cross_entropy",
    expectation: int = 1,
    target: Any = None,
) -> tuple[Any, Any, Any]:
    """What the attacker wants more of, and the way to it; see `objective`.

    Args:
        logits: float32 (M, H, W, C) -> float32 (M, K), traceable, for any M.
        x: float32 (N, ...).
        y: int (N,), true labels, or the classes to reach.
        targeted: which of the two y is.
        loss: see `check_loss`.
        expectation: how many times each example is asked, side by side in one batch. Losses
            and gradients are averaged, and so are the probabilities that decide on a hit:
            for a model that draws at random (Athalye et al. 2018, arXiv:1802.00420, sec. 4.2).
        target: int (N,), the class on whose side to leave y, or None for any.

    Returns:
        float32 (N,), the value; bool (N,), see `is_hit`; float32 (N, ...), the gradient,
        whose rows are NaN where the value is not a finite number.
    """
    (value, hit), gradient = backend.value_and_grad(
        lambda inputs: standing(logits, inputs, y, targeted, loss, expectation, target), aux=True
    )(x)
    # a dead unit can hide NaN logits from the gradient; what is multiplied by one stays as it is
    sound = ops.where(ops.isfinite(value), 1.0, float("nan"))
    return value, hit, gradient * balls.per_example(sound, x)


def ascent_gradient(logits: Callable[[Any], Any], x: Any, y: Any, targeted: bool) -> Any:
    """Gradient of what the attacker wants more of, the cross entropy; see `ascent`."""
    return ascent(logits, x, y, targeted)[2]
