"""Asking a model, counting what was asked, and stopping at a budget."""

from typing import Any

from keras import ops

from robustnets.attacks.base import Logits, State

# a count that nobody reaches, so that "no budget" needs no branch
UNLIMITED = 2**30


def left(state: State, budget: int | None) -> Any:
    """How many queries each example has left, int32 (N,) >= 0."""
    return (UNLIMITED if budget is None else budget) - state["forward"]


def ask(
    logits: Logits, state: State, points: Any, counts: Any
) -> tuple[Any, State]:
    """Ask about the same number of points of each example, and count those that matter.

    Args:
        logits: (M, ...) -> (M, K).
        state: with "forward" int32 (N,) and "broken" bool (N,).
        points: float32 (N, P, ...).
        counts: int32 (N,) in 0..P: how many of its points each example really asks about,
            the first ones. The others fill the batch; their answers must not be used.

    Returns:
        float32 (N, P, K), the logits; and the state with the count of queries raised and the
        examples marked whose answers are not finite.
    """
    many, shape = points.shape[1], tuple(points.shape[2:])
    z = logits(ops.reshape(points, (-1, *shape)))
    z = ops.reshape(z, (-1, many, z.shape[-1]))
    asked = ops.arange(many)[None] < counts[:, None]
    bad = ops.logical_and(asked, ops.logical_not(ops.all(ops.isfinite(z), axis=-1)))
    return z, {
        **state,
        "forward": state["forward"] + counts,
        "broken": ops.logical_or(state["broken"], ops.any(bad, axis=1)),
    }


def hits(z: Any, y: Any, targeted: bool) -> Any:
    """Which of several answers are what the attacker wants; see `losses.is_hit`.

    Args:
        z: float32 (N, P, K).
        y: int (N,).

    Returns:
        bool (N, P). False for logits that are not finite.
    """
    predicted = ops.cast(ops.argmax(z, axis=-1), y.dtype)
    wanted = predicted == y[:, None] if targeted else predicted != y[:, None]
    return ops.logical_and(wanted, ops.all(ops.isfinite(z), axis=-1))


def check_counts(attack: Any, *names: str, least: int = 1) -> None:
    """That these settings of a spec are ints of at least so much.

    Raises:
        ValueError: naming the first that is not.
    """
    for name in names:
        value = getattr(attack, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be an int >= {least}, got {value!r}")


def check_budget(attack: Any) -> None:
    """That `budget` is None or an int >= 1.

    Raises:
        ValueError: if it is not.
    """
    if attack.budget is not None:
        check_counts(attack, "budget")
