"""Projections that keep to the box: onto an l1 ball around a point in it, and onto a hyperplane.

NaN goes in and comes out.
"""

import math
from typing import Any

from keras import ops

from robustnets import backend
from robustnets.attacks import balls

ITERATIONS = 64  # at most; ten are usual, and halving an interval so often is enough


def level(mass: Any, height: Any, wanted: Any) -> Any:
    """The smallest t >= 0 at which the sum of mass * min(t, height) reaches what is wanted.

    Newton's method from below on a concave, piecewise linear function, which ends at its root: once
    the same heights stay above t, the next t is the same.

    Args:
        mass: float32 (N, D), >= 0.
        height: float32 (N, D), >= 0 and finite.
        wanted: float32 (N,); 0 or less gives 0.

    Returns:
        float32 (N,); the greatest height of the row where the sum stays below what is wanted.

    Example:
        >>> mass, height = ops.ones((3, 3)), ops.convert_to_tensor([[1.0, 2.0, 9.0]] * 3)
        >>> [float(t) for t in level(mass, height, ops.convert_to_tensor([1.5, 5.0, 99.0]))]
        [0.5, 2.0, 9.0]
    """

    @backend.fused
    def solve(mass, height, wanted):
        wanted = ops.reshape(wanted, (-1, 1))
        top = ops.max(height, axis=1, keepdims=True)

        def better(t):
            above = height > t
            full = ops.sum(ops.where(above, 0.0, mass * height), axis=1, keepdims=True)
            rising = ops.sum(ops.where(above, mass, 0.0), axis=1, keepdims=True)
            root = (wanted - full) / ops.where(rising == 0, 1.0, rising)
            return ops.where(ops.logical_and(rising > 0, root > t), _lower(root, top), t)

        zero = ops.zeros_like(top)
        _, found = ops.while_loop(
            lambda last, t: ops.any(t > last), lambda last, t: (t, better(t)), (zero, better(zero))
        )
        # what is not a number is neither more nor less than what is wanted
        return (found + 0.0 * ops.sum(mass, axis=1, keepdims=True) + 0.0 * wanted)[:, 0]

    return solve(mass, height, wanted)


def l1_ball_in_box(x: Any, delta: Any, eps: Any, low: float, high: float) -> Any:
    """Project perturbations onto the l1 ball cut with the box.

    Args:
        x: float32 (N, ...), in the box.
        delta: float32 (N, ...), perturbations in input units.
        eps: float32 (N,), radii >= 0.
        low: smallest valid input value.
        high: largest valid input value.

    Returns:
        float32 (N, ...): the Euclidean-nearest perturbations of length up to eps with which
        x stays in the box, up to rounding.

    Source: Croce & Hein 2021, arXiv:2103.01208, sec. 2.2 and proposition 2.1.
    """
    size = _flat(ops.abs(delta))
    room = _flat(ops.where(delta > 0, high - x, x - low))
    kept = ops.where(size > room, room, size)
    eps = ops.reshape(eps, (-1, 1))
    taken = size - _excess(size, room, eps)
    shrunk = ops.where(taken < 0, 0.0, ops.where(taken > room, room, taken))
    shrunk = ops.where(ops.sum(kept, axis=1, keepdims=True) > eps, shrunk, kept)
    rest = ops.sum(shrunk, axis=1, keepdims=True)
    # what float32 leaves above the radius; a radius of 0 leaves nothing
    shrunk = shrunk * ops.where(rest > eps, eps / ops.where(rest > 0, rest, 1.0), 1.0)
    return ops.reshape(shrunk, (-1, *delta.shape[1:])) * balls.signs(delta)


def _excess(size, room, eps):
    """What to take off every size (N, D), so that what is left, up to its room, sums to eps (N, 1).

    Newton's method again; where it would leave the interval that is known to hold the root, which
    values with less room than size can make it do, the middle of the interval takes its place.
    """

    @backend.fused
    def solve(size, room, eps):
        def better(t, least, most):
            left = size - t
            full, some = left >= room, ops.logical_and(left > 0, left < room)
            known = ops.where(full, room, ops.where(some, size, 0.0))
            known = ops.sum(known, axis=1, keepdims=True)
            count = ops.sum(ops.cast(some, "float32"), axis=1, keepdims=True)
            over = known - count * t > eps
            least, most = ops.where(over, t, least), ops.where(over, most, t)
            root = (known - eps) / ops.where(count == 0, 1.0, count)
            inside = ops.logical_and(root >= least, root <= most)
            inside = ops.logical_and(inside, count > 0)
            return ops.where(inside, root, (least + most) / 2), least, most

        zero = ops.zeros_like(eps)
        _, _, found, _, _ = ops.while_loop(
            lambda i, last, t, *_: ops.logical_and(i < ITERATIONS, ops.any(t != last)),
            lambda i, last, t, least, most: (i + 1, t, *better(t, least, most)),
            (
                ops.convert_to_tensor(0, "int32"),
                zero - 1.0,
                zero,
                zero,
                ops.max(size, axis=1, keepdims=True),
            ),
        )
        return found

    return solve(size, room, eps)


def hyperplane_in_box(x: Any, w: Any, c: Any, norm: str, low: float, high: float) -> Any:
    """The shortest perturbations d with <w, d> = c that keep x in the box.

    Args:
        x: float32 (N, ...), in the box.
        w: float32 (N, ...), normals of hyperplanes.
        c: float32 (N,), how far to go along them, of either sign.
        norm: "linf", "l2" or "l1", the length to keep small.
        low: smallest valid input value.
        high: largest valid input value.

    Returns:
        float32 (N, ...); where the box ends before c is reached, the perturbations that come
        nearest. A normal of zero gives zeros.

    Raises:
        ValueError: if norm is none of the three.

    Source: Croce & Hein 2020, arXiv:1907.02044, sec. 2.2.
    """
    # tiny normals have squares that are zero
    peak = ops.max(ops.abs(_flat(w)), axis=1)
    c = c / ops.where(peak == 0, 1.0, peak)
    w = balls.peak_to_one(w)
    w, wanted = w * balls.per_example(ops.where(c < 0, -1.0, 1.0), w), ops.abs(c)
    steep = _flat(ops.abs(w))
    room = _flat(ops.where(w > 0, high - x, ops.where(w < 0, x - low, 0.0 * w)))
    if norm == "linf":
        size = _lower(level(steep, room, wanted)[:, None], room)
    elif norm == "l2":
        height = room / ops.where(steep == 0, 1.0, steep)
        size = _lower(level(steep * steep, height, wanted)[:, None] * steep, room)
    elif norm == "l1":
        size = _steepest_first(steep, room, wanted)
    else:
        raise ValueError(f"norm must be 'linf', 'l2' or 'l1', got {norm!r}")
    return ops.reshape(size, (-1, *x.shape[1:])) * balls.signs(w)


def _steepest_first(steep, room, wanted):
    """Use up the room (N, D) of one value after the other until the gain is what is wanted."""
    order = ops.argsort(-steep, axis=1)
    gain = ops.take_along_axis(steep * room, order, axis=1)
    before = ops.cumsum(gain, axis=1) - gain
    share = (wanted[:, None] - before) / ops.where(gain == 0, 1.0, gain)
    share = ops.where(share < 0, 0.0, _lower(share, ops.ones_like(share)))
    return ops.take_along_axis(share, ops.argsort(order, axis=1), axis=1) * room


def _lower(value, bound):
    # minimum may swallow NaN
    return ops.where(value > bound, bound, value)


def _flat(value: Any) -> Any:
    return ops.reshape(value, (-1, math.prod(value.shape[1:])))
