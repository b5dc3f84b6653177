"""The geometry of attacks: ascent directions, projections, the box, distances.

All but `distances` work on traced tensors. NaN goes in and comes out, never lost in a
minimum or a sign, so that an engine can see it in the result.
"""

from typing import Any

import numpy as np
from keras import ops

BLOCK = 1000  # examples measured at a time in float64, which bounds the memory


def steepest(gradient: Any, norm: str) -> Any:
    """The step of length 1 along which a linear function grows most.

    Args:
        gradient: float32 (N, ...).
        norm: "linf" (the signs) or "l2" (the gradient at length 1).

    Returns:
        float32 (N, ...). A zero gradient gives zeros, however small a gradient its direction.

    Raises:
        ValueError: if norm is neither of the two.

    Source: Goodfellow et al. 2015, arXiv:1412.6572, sec. 4 (linf); Miyato et al. 2017,
    arXiv:1605.07725, eq. 4 (l2).
    """
    if norm == "linf":
        # not ops.sign, which turns NaN into 0 on some devices
        signs = ops.where(gradient < 0, -ops.ones_like(gradient), gradient * 0.0)
        return ops.where(gradient > 0, ops.ones_like(gradient), signs)
    if norm == "l2":
        scaled = peak_to_one(gradient)
        length = _length(scaled)
        return scaled / ops.where(length == 0, ops.ones_like(length), length)
    raise ValueError(f"norm must be 'linf' or 'l2', got {norm!r}")


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
        norm: "linf" or "l2".
        eps: float32 (N,), radii >= 0 in input units; 0 gives zeros, never NaN.

    Returns:
        float32 (N, ...), the Euclidean-nearest points of the ball. Rows already inside
        come back bit for bit.

    Raises:
        ValueError: if norm is neither of the two.

    Source: Madry et al. 2018, arXiv:1706.06083, sec. 2.1.

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
        peak = ops.max(ops.abs(delta), axis=_axes(delta), keepdims=True)
        length = _length(peak_to_one(delta)) * peak
        outside = length > radius
        return ops.where(outside, delta * (radius / ops.where(outside, length, 1.0)), delta)
    raise ValueError(f"norm must be 'linf' or 'l2', got {norm!r}")


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


def _clip(value: Any, low: Any, high: Any) -> Any:
    # comparisons with NaN are false, so it passes; minimum and maximum may swallow it
    value = ops.where(value < low, low, value)
    return ops.where(value > high, high, value)


def _length(value: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(value), axis=_axes(value), keepdims=True))


def _axes(value: Any) -> tuple[int, ...]:
    return tuple(range(1, len(value.shape)))
