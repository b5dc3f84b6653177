"""Ascent steps in l1 that share their length among the largest entries of a gradient."""

from typing import Any

from keras import ops

from robustnets.attacks import balls


def sparse(gradient: Any, kept: Any) -> Any:
    """Equal steps in the largest entries of a gradient, of l1 length 1 together.

    Args:
        gradient: float32 (N, ...).
        kept: float32 (N,), how many entries, rounded down; at least 1, and ties.

    Returns:
        float32 (N, ...). A zero gradient gives zeros.

    Source: Croce & Hein 2021, arXiv:2103.01208, sec. 3.
    """
    size = balls.lay_flat(ops.abs(gradient))
    place = ops.clip(ops.cast(kept, "int32"), 1, size.shape[1]) - 1
    falling = ops.flip(ops.sort(size, axis=1), axis=1)
    return even(gradient, ops.take_along_axis(falling, place[:, None], axis=1)[:, 0])


def nth_largest(gradient: Any, n: int) -> Any:
    """The n-th largest absolute value of each row of (N, ...), for n up to their number; (N,)."""
    return ops.top_k(balls.lay_flat(ops.abs(gradient)), n)[0][:, -1]


def even(gradient: Any, least: Any) -> Any:
    """Equal steps, of l1 length 1 together, in entries of at least this size (N,); see `sparse`."""
    small = ops.abs(gradient) < balls.per_example(least, gradient)
    step = ops.where(small, 0.0, balls.signs(gradient))
    count = ops.sum(ops.abs(step), axis=tuple(range(1, len(step.shape))), keepdims=True)
    return step / ops.where(count == 0, 1.0, count)
