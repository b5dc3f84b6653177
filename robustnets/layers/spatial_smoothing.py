"""Spatial smoothing: each pixel becomes a summary of the pixels around it.

Sources: Xu, Evans & Qi 2018, arXiv:1704.01155, sec. 3.2 (the median, as ART has it); CSDS440
sec. 2.2, listing 3 and equation 1 (mean, "0.5mean" and "rmin").
Deviations: listing 3 prints `val_*0.5*kernel` for "0.5mean", which is a quarter of the squared
mean, and equation 1 squares the sum of each row, which darkens a flat image by the window size;
the text and the square root in equation 1 mean the mean of the square roots, squared, and that is
computed here. Listing 3 takes pixels outside the image for 0 (border "constant"); ART's NumPy
smoothing mirrors them with the edge repeated ("reflect", the default here), ART's TensorFlow
smoothing without ("mirror").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from robustnets.layers.substitute import with_gradient_of

KINDS = ("mean", "median", "0.5mean", "rmin")
# as scipy.ndimage names them, and what NumPy calls the same; "constant" is 0
BORDERS = {
    "reflect": "symmetric",
    "mirror": "reflect",
    "nearest": "edge",
    "wrap": "wrap",
    "constant": None,
}
GREY = 1 / 255  # one level of an 8-bit image, below which a square root counts as straight


def check_smoothing(kind: Any, window: Any, border: Any) -> None:
    """Raise ValueError, naming the setting, unless they are those of a smoothing."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if isinstance(window, bool) or not isinstance(window, int) or window < 1:
        raise ValueError(f"window must be an int >= 1, got {window!r}")
    if border not in BORDERS:
        raise ValueError(f"border must be one of {', '.join(BORDERS)}, got {border!r}")


@dataclass(frozen=True, slots=True)
class SmoothingSpec:
    """Which smoothing goes in front of a network.

    Args:
        kind, window, border: as for `SpatialSmoothing`.

    Raises:
        ValueError: for settings that the layer does not know.

    Example:
        >>> SmoothingSpec("mean", 5, "constant").label
        'mean 5 constant'
    """

    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    kind: str
    window: int
    border: str = "reflect"

    def __post_init__(self) -> None:
        check_smoothing(self.kind, self.window, self.border)

    @property
    def label(self) -> str:
        """The kind, the window, and the border where it is not the usual one."""
        border = "" if self.border == "reflect" else f" {self.border}"
        return f"{self.kind} {self.window}{border}"

    def layer(self) -> "SpatialSmoothing":
        """A new layer."""
        return SpatialSmoothing(self.kind, self.window, self.border)


@keras.saving.register_keras_serializable(package="robustnets")
class SpatialSmoothing(keras.layers.Layer):
    """Summarise a window of `window` x `window` pixels around each pixel, in each channel alone.

    Shapes: float32 (N, H, W, C) -> the same; H and W fixed. An even window reaches one pixel
    further up and left than down and right, as in SciPy, ART and listing 3. Nothing is learned;
    computed in float32 whatever the global policy. Differentiable:

    - "mean": linear.
    - "median": of an even number of pixels the larger of the two in the middle, as SciPy and
      ART have it. Its gradient goes to the pixel that is the median, in equal shares where
      several are; that is a subgradient.
    - "0.5mean": the mean of the square roots, squared. The slope of a square root at 0 is
      infinite; here it is exact down to 1/255, one level of an 8-bit image, and keeps its value
      there (7.98) for darker pixels. Negative pixels count as 0.
    - "rmin": 2 x minus the mean, which sharpens. It leaves [0, 1] and is not clipped: that
      would hide the gradient from an attack.

    Args:
        kind: one of `KINDS`.
        window: pixels along a side, an int >= 1.
        border: what lies outside the image, one of `BORDERS`.

    Raises:
        ValueError: for other settings, or inputs that are no images of a fixed size.

    Example:
        >>> layer = SpatialSmoothing("median", 3)
        >>> float(layer(np.eye(3, dtype="float32")[None, :, :, None])[0, 1, 1, 0])
        0.0
    """

    def __init__(self, kind: str, window: int, border: str = "reflect", **kwargs: Any):
        # a fixed name, not Keras' running number: it is part of a model's digest
        super().__init__(**{"dtype": "float32", "name": "spatial_smoothing", **kwargs})
        check_smoothing(kind, window, border)
        self.kind = kind
        self.window = window
        self.border = border

    def build(self, input_shape):
        _check_shape(self.name, input_shape)
        self.built = True

    def call(self, x):
        _check_shape(self.name, x.shape)
        if self.kind == "0.5mean":
            return ops.square(self._mean(_root(x)))
        if self.kind == "rmin":
            return 2.0 * x - self._mean(x)
        if self.kind == "mean":
            return self._mean(x)
        return moving_median(self._pad(self._pad(x, 1), 2), self.window)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        own = {"kind": self.kind, "window": self.window, "border": self.border}
        return {**super().get_config(), **own}

    def _mean(self, x):
        """Along one axis and then along the other: 2 x window additions for each pixel."""
        for axis in (1, 2):
            padded, size = self._pad(x, axis), x.shape[axis]
            parts = [_cut(padded, axis, i, size) for i in range(self.window)]
            x = sum(parts[1:], start=parts[0]) * (1.0 / self.window)
        return x

    def _pad(self, x, axis: int):
        """The image with its border along one axis, `window - 1` pixels in all."""
        before = self.window // 2
        after = self.window - 1 - before
        size, mode = x.shape[axis], BORDERS[self.border]
        if mode is None:
            widths = [(0, 0)] * 4
            widths[axis] = (before, after)
            return ops.pad(x, widths)
        rows = np.pad(np.arange(size), (before, after), mode=mode)  # type: ignore[call-overload]
        outside = [*rows[:before], *rows[before + size :]]
        pieces = [_cut(x, axis, int(row), 1) for row in outside]
        parts = [*pieces[:before], x, *pieces[before:]]
        return ops.concatenate(parts, axis=axis) if len(parts) > 1 else x


def moving_median(padded: Any, window: int) -> Any:
    """The median of each window of padded images.

    A sorting network of minima and maxima over whole images, cut down to what the median needs
    (Knuth, The Art of Computer Programming 3, sec. 5.3.4, Batcher's merge exchange): on a CPU 10
    to 30 times faster than sorting each pixel's window.

    Args:
        padded: float32 (N, H + window - 1, W + window - 1, C).
        window: pixels along a side.

    Returns:
        float32 (N, H, W, C); of an even number of pixels the larger of the two in the middle.
    """
    size = (padded.shape[1] - window + 1, padded.shape[2] - window + 1)
    corners = [(i, j) for i in range(window) for j in range(window)]

    def views(x):
        return [x[:, i : i + size[0], j : j + size[1]] for i, j in corners]

    @ops.custom_gradient
    def median(x):
        found = _middle(views(x))

        def gradient(*arguments, upstream=None):
            upstream = arguments[0] if upstream is None else upstream
            equal = [ops.cast(ops.equal(view, found), "float32") for view in views(x)]
            share = upstream / sum(equal[1:], start=equal[0])
            rest = window - 1
            spread = [
                ops.pad(share * mask, [(0, 0), (i, rest - i), (j, rest - j), (0, 0)])
                for mask, (i, j) in zip(equal, corners)
            ]
            return sum(spread[1:], start=spread[0])

        return found, gradient

    return median(padded)


def _middle(values: list[Any]) -> Any:
    """Element n // 2 of n tensors sorted element by element."""
    values = list(values)
    middle = len(values) // 2
    for low, high, keep_low, keep_high in _exchanges(len(values), middle):
        a, b = values[low], values[high]
        if keep_low:
            values[low] = ops.minimum(a, b)
        if keep_high:
            values[high] = ops.maximum(a, b)
    return values[middle]


def _exchanges(n: int, wanted: int) -> Sequence[tuple[int, int, bool, bool]]:
    """Batcher's merge exchange of n values, without what element `wanted` does not depend on.

    Returns:
        (i, j, whether the minimum at i is needed, whether the maximum at j is) in order.
    """
    pairs = []
    rounds = max(1, math.ceil(math.log2(n)))
    p = 1 << (rounds - 1)
    while p > 0:
        q, r, d = 1 << (rounds - 1), 0, p
        while d > 0:
            pairs += [(i, i + d) for i in range(n - d) if i & p == r]
            d, q, r = q - p, q >> 1, p
        p >>= 1
    needed = {wanted}
    kept = []
    for i, j in reversed(pairs):
        if i in needed or j in needed:
            kept.append((i, j, i in needed, j in needed))
            needed |= {i, j}
    return kept[::-1]


def _root(x):
    """Square roots whose slope stays finite: exact values, and the slope at GREY below it."""

    def straight(z):
        roots, at = ops.sqrt(ops.maximum(z, GREY)), math.sqrt(GREY)
        return ops.where(z >= GREY, roots, at + (z - GREY) / (2 * at))

    return with_gradient_of(straight, lambda z: ops.sqrt(ops.maximum(z, 0.0)))(x)


def _cut(x, axis: int, start: int, size: int):
    """`size` rows (axis 1) or columns (axis 2) from `start`."""
    return x[:, start : start + size] if axis == 1 else x[:, :, start : start + size]


def _check_shape(name: str, shape) -> None:
    if len(shape) != 4 or None in tuple(shape[1:]):
        raise ValueError(f"{name} smooths images (N, H, W, C) of a fixed size, got {tuple(shape)}")
