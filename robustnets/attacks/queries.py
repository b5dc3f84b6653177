"""Asking a model, counting what was asked, and stopping at a budget."""

from collections.abc import Callable
from typing import Any

from keras import ops

from robustnets.attacks import losses
from robustnets.attacks.base import Logits, State, check_count

# a count that nobody reaches, so that "no budget" needs no branch
UNLIMITED = 2**30
HIT = 1e30  # the fitness of a success: more than any loss


def left(state: State, budget: int | None) -> Any:
    """How many queries each example has left, int32 (N,) >= 0."""
    return (UNLIMITED if budget is None else budget) - state["forward"]


def ask(logits: Logits, state: State, points: Any, counts: Any) -> tuple[Any, State]:
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


def ask_one(spec: Any, logits: Logits, state: State, points: Any, asking: Any) -> tuple[Any, State]:
    """Ask about one point of each of some examples, as far as their budget goes.

    Args:
        spec: with `targeted` and `budget`.
        logits: (M, ...) -> (M, K).
        state: as for `ask`, with "y" too.
        points: float32 (N, ...).
        asking: bool (N,), which examples want to know.

    Returns:
        bool (N,), which of those asked are successes; and the state.
    """
    asking = ops.logical_and(asking, left(state, spec.budget) > 0)
    z, state = ask(logits, state, points[:, None], ops.cast(asking, "int32"))
    return ops.logical_and(hits(z, state["y"], spec.targeted)[:, 0], asking), state


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


def ask_members(
    logits: Logits,
    state: State,
    points: Callable[[Any], Any],
    many: int,
    block: int,
    counts: Any,
    score: Callable[[Any], Any],
) -> tuple[Any, State]:
    """Ask about a population, a block of its members at a time.

    Args:
        logits: (M, ...) -> (M, K).
        state: as for `ask`.
        points: int32 (B,), numbers of members -> float32 (N, B, ...), what to ask.
        many: members of the population.
        block: most of them asked at once; the largest divisor of `many` up to it is taken.
        counts: int32 (N,) in 0..many: how many of its members each example asks about.
        score: float32 (N, B, K) -> float32 (N, B), what the attacker wants more of.

    Returns:
        float32 (N, many), the scores, -inf where nothing was asked; and the state.
    """
    width = max(d for d in range(1, min(block, many) + 1) if many % d == 0)

    def ask_block(first, values, s):
        members = first + ops.arange(width, dtype="int32")
        z, s = ask(logits, s, points(members), ops.clip(counts - first, 0, width))
        asked = members[None] < counts[:, None]
        # a NaN score is no score; the state tells of it
        found = score(z)
        found = ops.where(ops.logical_and(asked, ops.isfinite(found)), found, -float("inf"))
        return first + width, ops.slice_update(values, (0, first), found), s

    values = ops.zeros_like(ops.repeat(counts[:, None], many, axis=1), "float32") - float("inf")
    zero = ops.convert_to_tensor(0, "int32")
    _, values, state = ops.while_loop(
        lambda first, values, s: ops.any(first < counts), ask_block, (zero, values, state)
    )
    return values, state


def wanted(z: Any, y: Any, targeted: bool, loss: str) -> Any:
    """What the attacker wants more of, for several answers: -loss if targeted, else the loss.

    All losses are functions of the probabilities alone.

    Args:
        z: float32 (N, P, K), logits.
        y: int (N,).
        targeted: whether y are the classes to reach.
        loss: a name in `losses.LOSSES`.

    Returns:
        float32 (N, P).
    """
    many = z.shape[1]
    flat = ops.reshape(z, (-1, z.shape[-1]))
    value = losses.objective(flat, ops.repeat(y, many, axis=0), targeted, loss)
    return ops.reshape(value, (-1, many))


def fitness(z: Any, y: Any, targeted: bool, loss: str) -> Any:
    """What is wanted, and HIT for every success; arguments and result as for `wanted`."""
    return ops.where(hits(z, y, targeted), HIT, wanted(z, y, targeted, loss))


def check_counts(attack: Any, *names: str, least: int = 1) -> None:
    """That these settings of a spec are ints of at least so much.

    Raises:
        ValueError: naming the first that is not.
    """
    for name in names:
        check_count(name, getattr(attack, name), least)


def check_budget(attack: Any) -> None:
    """That `budget` is None or an int >= 1.

    Raises:
        ValueError: if it is not.
    """
    if attack.budget is not None:
        check_counts(attack, "budget")


def check_loss(attack: Any) -> None:
    """That `loss` is a name in `losses.LOSSES`.

    Raises:
        ValueError: if it is not.
    """
    if attack.loss not in losses.LOSSES:
        raise ValueError(f"loss must be one of {', '.join(losses.LOSSES)}, got {attack.loss!r}")
