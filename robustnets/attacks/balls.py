"""The geometry of attacks: ascent directions, projections, the box, distances.

All but `distances` work on traced tensors. NaN goes in and comes out, never lost in a
minimum or a sign, so that an engine can see it in the result.
"""

import math
from typing import Any

import numpy as np
from keras import ops

from robustnets.attacks import draws

BLOCK = 1000  # examples measured at a time in float64, which bounds the memory


def steepest(gradient: Any, norm: str) -> Any:
    """The step of length 1 along which a linear function grows most.

    Args:
        gradient: float32 (N, ...).
        norm: "linf" (the signs), "l2" (the gradient at length 1) or "l1" (the sign of the
            largest entry, shared where several are largest).

    Returns:
        float32 (N, ...). A zero gradient gives zeros, however small a gradient its direction.

    Raises:
        ValueError: if norm is none of the three.

    Source: Goodfellow et al. 2015, arXiv:1412.6572, sec. 4 (linf); Miyato et al. 2017,
    arXiv:1605.07725, eq. 4 (l2).
    """
    if norm == "linf":
        return signs(gradient)
    if norm == "l2":
        scaled = peak_to_one(gradient)
        length = _length(scaled)
        return scaled / ops.where(length == 0, ops.ones_like(length), length)
    if norm == "l1":
        size = ops.abs(gradient)
        largest = size == ops.max(size, axis=_axes(size), keepdims=True)
        count = ops.sum(ops.cast(largest, "float32"), axis=_axes(size), keepdims=True)
        return ops.where(largest, signs(gradient) / count, gradient * 0.0)
    raise ValueError(f"norm must be 'linf', 'l2' or 'l1', got {norm!r}")


def signs(gradient: Any) -> Any:
    """-1, 0 or 1 for each entry, and NaN for NaN, which `ops.sign` loses on some devices."""
    negative = ops.where(gradient < 0, -ops.ones_like(gradient), gradient * 0.0)
    return ops.where(gradient > 0, ops.ones_like(gradient), negative)


def inward(gradient: Any, at: Any, low: float, high: float) -> Any:
    """A gradient (N, ...) without the values at the edge of the box that it would push out."""
    out = ops.logical_or(
        ops.logical_and(at >= high, gradient > 0), ops.logical_and(at <= low, gradient < 0)
    )
    return ops.where(out, 0.0, gradient)


def peak_to_one(gradient: Any) -> Any:
    """Divide each row by its largest absolute value; zero rows stay zero.

    Float32 squares of values under 1e-19 are zero. After this the direction is the same and
    the squares are safe.

    Args:
        gradient: float32 (N, ...).

    Returns:
        float32 (N, ...), largest absolute value 1 or 0.
    """
    peak = ops.max(ops.abs(gradient), axis=_axes(gradient), keepdims=True)
    return gradient / ops.where(peak == 0, ops.ones_like(peak), peak)


def project(delta: Any, norm: str, eps: Any) -> Any:
    """Project each perturbation onto the closed ball of its radius.

    Args:
        delta: float32 (N, ...), perturbations in input units.
        norm: "linf", "l2" or "l1".
        eps: float32 (N,), radii >= 0 in input units; 0 gives zeros, never NaN.

    Returns:
        float32 (N, ...), the Euclidean-nearest points of the ball. Rows already inside
        come back bit for bit.

    Raises:
        ValueError: if norm is none of the three.

    Source: Madry et al. 2018, arXiv:1706.06083, sec. 2.1; Duchi et al. 2008, "Efficient
    projections onto the l1-ball for learning in high dimensions" (l1).

    Example:
        >>> delta = np.array([[3, 4], [0.3, 0.4]], np.float32)
        >>> ops.convert_to_numpy(project(delta, "l2", np.ones(2, np.float32))).round(1)
        array([[0.6, 0.8],
               [0.3, 0.4]], dtype=float32)
    """
    radius = per_example(eps, delta)
    if norm == "linf":
        return _clip(delta, -radius, radius)
    if norm == "l2":
        length = lengths(delta, "l2")
        outside = length > radius
        return ops.where(outside, delta * (radius / ops.where(outside, length, 1.0)), delta)
    if norm == "l1":
        length = lengths(delta, "l1")
        shrunk = ops.abs(delta) - per_example(_threshold(ops.abs(delta), eps), delta)
        shrunk = ops.where(shrunk < 0, shrunk * 0.0, shrunk) * signs(delta)
        # what float32 leaves above the radius; a radius of 0 leaves nothing
        rest = ops.sum(ops.abs(shrunk), axis=_axes(delta), keepdims=True)
        shrunk = shrunk * ops.where(rest > radius, radius / ops.where(rest > 0, rest, 1.0), 1.0)
        return ops.where(length > radius, shrunk, delta)
    raise ValueError(f"norm must be 'linf', 'l2' or 'l1', got {norm!r}")


def _threshold(size: Any, eps: Any) -> Any:
    """How much to take off every size (N, ...) so that those above it sum to eps (N,).

    Newton's method from below on a piecewise linear function, which ends at its zero: once the
    same sizes stay above, the next threshold is the same (Michelot 1986). 0 where they sum to less.
    Not `projections.level`, which adds up what is taken off: a small radius is lost beside that.
    """
    size, eps = lay_flat(size), ops.reshape(eps, (-1, 1))

    def better(threshold):
        above = size > threshold
        count = ops.sum(ops.cast(above, "float32"), axis=1, keepdims=True)
        rest = ops.sum(ops.where(above, size, 0.0), axis=1, keepdims=True) - eps
        return ops.maximum(threshold, rest / ops.maximum(count, 1.0))

    zero = ops.zeros_like(size[:, :1])
    _, threshold = ops.while_loop(
        lambda last, now: ops.any(now > last),
        lambda last, now: (now, better(now)),
        (zero, better(zero)),
    )
    return threshold[:, 0]


def uniform(seeds: Any, shape: tuple[int, ...], norm: str, step: Any = 0) -> Any:
    """Uniform draws from the unit ball.

    Args:
        seeds: int32 (N,), one per example.
        shape: of one example.
        norm: "linf", "l2" or "l1".
        step: int, or int32 (N,), the how-manyth draw.

    Returns:
        float32 (N, *shape).

    Raises:
        ValueError: if norm is none of the three.

    Source: Calafiore et al. 1998, "Uniform sample generation in l_p balls" (l2, l1).
    """
    if norm == "linf":
        return draws.uniform(seeds, shape, 0, step) * 2.0 - 1.0
    if norm == "l2":
        found = draws.normal(seeds, shape, 0, step)
        length = _length(found)
    elif norm == "l1":
        found = -ops.log(draws.uniform(seeds, shape, 0, step)) * draws.signs(seeds, shape, 1, step)
        length = ops.sum(ops.abs(found), axis=_axes(found), keepdims=True)
    else:
        raise ValueError(f"norm must be 'linf', 'l2' or 'l1', got {norm!r}")
    radius = draws.uniform(seeds, (1,), 2, step)[:, 0] ** (1.0 / math.prod(shape))
    return found * (per_example(radius, found) / length)


def sphere(seeds: Any, shape: tuple[int, ...], norm: str, step: Any = 0) -> Any:
    """Random perturbations of length 1; see `uniform` for arguments and errors.

    Those of linf are uniform draws from the cube, scaled up to its surface; those of l2 and l1
    are normal draws divided by their length. float32 (N, *shape).
    """
    if norm == "linf":
        return peak_to_one(uniform(seeds, shape, "linf", step))
    found = draws.normal(seeds, shape, 0, step)
    return found / lengths(found, norm)


def lengths(delta: Any, norm: str) -> Any:
    """How long each perturbation is.

    Args:
        delta: float32 (N, ...).
        norm: "linf", "l2" or "l1".

    Returns:
        float32 (N, 1, ..., 1), to broadcast over the perturbations.

    Raises:
        ValueError: if norm is none of the three.
    """
    size = ops.abs(delta)
    if norm == "l1":
        return ops.sum(size, axis=_axes(size), keepdims=True)
    peak = ops.max(size, axis=_axes(size), keepdims=True)
    if norm == "linf":
        return peak
    if norm == "l2":
        return _length(peak_to_one(delta)) * peak
    raise ValueError(f"norm must be 'linf', 'l2' or 'l1', got {norm!r}")


def move(x: Any, delta: Any, low: float, high: float) -> Any:
    """Add a perturbation and clip to the box.

    Args:
        x: float32 (N, ...).
        delta: float32 (N, ...), in input units.
        low: smallest valid input value.
        high: largest valid input value.

    Returns:
        float32 (N, ...), inside the box; entries with delta = 0 keep every bit of x in the box.
    """
    # -0.0 + 0.0 is 0.0, which is another bit pattern
    return _clip(ops.where(delta == 0, x, x + delta), low, high)


def per_example(eps: Any, like: Any) -> Any:
    """Reshape (N,) so that it broadcasts over every other axis of `like` (N, ...)."""
    return ops.reshape(eps, (-1, *[1] * (len(like.shape) - 1)))


def distances(x: np.ndarray, x_adv: np.ndarray) -> dict[str, np.ndarray]:
    """How far each example was moved, measured in float64.

    Args:
        x: float (N, ...).
        x_adv: float, the same shape.

    Returns:
        "linf", "l2", "l1": float64 (N,) in input units; "l0": int64 (N,), the number of
        values (not pixels: a pixel has one value per channel) that changed at all.

    Raises:
        ValueError: if the shapes differ.
    """
    if x.shape != x_adv.shape:
        raise ValueError(f"x and x_adv must have one shape, got {x.shape} and {x_adv.shape}")
    parts: dict[str, list[np.ndarray]] = {"linf": [], "l2": [], "l1": [], "l0": []}
    for start in range(0, max(len(x), 1), BLOCK):
        rows = slice(start, start + BLOCK)
        moved = np.abs(x_adv[rows].astype(np.float64) - x[rows]).reshape(len(x[rows]), -1)
        parts["linf"].append(moved.max(axis=1, initial=0.0))
        parts["l2"].append(np.linalg.norm(moved, axis=1))
        parts["l1"].append(moved.sum(axis=1))
        parts["l0"].append(np.count_nonzero(moved, axis=1))
    return {name: np.concatenate(blocks) for name, blocks in parts.items()}


def pixels(x: np.ndarray, x_adv: np.ndarray) -> np.ndarray:
    """How many pixels changed at all, a pixel being all channels of one place.

    Args:
        x: float (N, H, W, C).
        x_adv: float, the same shape.

    Returns:
        int64 (N,). What `distances` calls "l0" counts values instead.

    Raises:
        ValueError: if the shapes differ.
    """
    if x.shape != x_adv.shape:
        raise ValueError(f"x and x_adv must have one shape, got {x.shape} and {x_adv.shape}")
    return np.count_nonzero((x_adv != x).any(axis=-1).reshape(len(x), -1), axis=1)


def _clip(value: Any, low: Any, high: Any) -> Any:
    # comparisons with NaN are false, so it passes; minimum and maximum may swallow it
    value = ops.where(value < low, low, value)
    return ops.where(value > high, high, value)


def _length(value: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(value), axis=_axes(value), keepdims=True))


def lay_flat(value: Any) -> Any:
    """Reshape (N, ...) to (N, D)."""
    return ops.reshape(value, (-1, math.prod(value.shape[1:])))


def _axes(value: Any) -> tuple[int, ...]:
    return tuple(range(1, len(value.shape)))
