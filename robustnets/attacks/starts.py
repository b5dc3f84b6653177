"""Where attacks that know labels only begin: at images given in the spec, or uniform draws."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, queries
from robustnets.attacks.base import Logits, State

DRAWN, ORDER = 100, 101  # streams of random numbers, beyond those of the attacks


@dataclass(frozen=True, slots=True)
class Starts:
    """Images of known classes, in a form that hashes, compares and goes into JSON.

    Build one with `Starts.of`.

    Args:
        shape: (M, H, W, C).
        labels: M class numbers, what the model attacked says of the images.
        values: the pixels, little-endian float32 in base64.

    Raises:
        ValueError: for a number of labels or values that does not fit the shape.
    """

    shape: tuple[int, ...]
    labels: tuple[int, ...]
    values: str

    def __post_init__(self) -> None:
        if len(self.shape) < 2 or len(self.labels) != self.shape[0] or not self.labels:
            raise ValueError(f"{len(self.labels)} labels do not fit images of shape {self.shape}")
        if len(base64.b64decode(self.values)) != 4 * np.prod(self.shape):
            raise ValueError(f"values must hold float32 of shape {self.shape}")

    @classmethod
    def of(cls, x: Any, y: Any) -> "Starts":
        """From arrays.

        Args:
            x: float32 (M, H, W, C), images inside the box.
            y: int (M,), the classes that the model to attack gives them.

        Example:
            >>> Starts.of(np.zeros((2, 5, 4, 3), np.float32), [3, 1]).labels
            (3, 1)
        """
        pixels = np.ascontiguousarray(x, "<f4")
        if not np.isfinite(pixels).all():
            raise ValueError("x holds NaN or infinite values")
        text = base64.b64encode(pixels.tobytes()).decode("ascii")
        return cls(tuple(pixels.shape), tuple(int(label) for label in y), text)

    @property
    def images(self) -> np.ndarray:
        """float32 (M, H, W, C)."""
        flat = np.frombuffer(base64.b64decode(self.values), "<f4")
        return flat.reshape(self.shape).astype(np.float32)


def search(spec: Any, logits: Logits, state: State, done: Callable[[State], Any]) -> State:
    """Find each example an image that is a success already, in `spec.init_size` attempts.

    The fitting images of `spec.starts` are tried in random order, then uniform draws.

    Args:
        spec: with `threat`, `targeted`, `starts`, `init_size` and `budget`.
        logits: (M, ...) -> (M, K).
        state: as for `queries.ask`, with "x", "y", "seeds", "at", "found" bool (N,) and "tries"
            int32 (N,).
        done: state -> bool (N,); those need no start.

    Returns:
        The state, with the successes at "at", and "found" and "tries" as they turned out.
    """
    x, low, high = state["x"], spec.threat.low, spec.threat.high
    given, ranked, fits = _ranked(spec, state)

    def searching(s):
        some = ops.logical_not(ops.logical_or(s["found"], done(s)))
        return ops.logical_and(some, s["tries"] < spec.init_size)

    def attempt(s):
        tries = s["tries"]
        drawn = draws.uniform(s["seeds"], tuple(x.shape[1:]), DRAWN, tries)
        point = balls.move(low + drawn * (high - low), ops.zeros_like(x), low, high)
        if given is not None:
            at = ops.minimum(tries, given.shape[0] - 1)
            chosen = ops.take(given, ops.take_along_axis(ranked, at[:, None], axis=1)[:, 0], axis=0)
            point = backend.choose_rows(tries < fits, chosen, point)
        open = searching(s)
        hit, s = queries.ask_one(spec, logits, s, point, open)
        return {
            **s,
            "at": backend.choose_rows(hit, point, s["at"]),
            "found": ops.logical_or(s["found"], hit),
            "tries": tries + ops.cast(open, "int32"),
        }

    (state,) = ops.while_loop(lambda s: ops.any(searching(s)), lambda s: (attempt(s),), (state,))
    return state


def _ranked(spec, state):
    """The images; for each example in which order, int32 (N, M); how many of them fit."""
    if spec.starts is None:
        return None, None, None
    y = state["y"]
    labels = ops.convert_to_tensor(spec.starts.labels, y.dtype)[None]
    fit = labels == y[:, None] if spec.targeted else labels != y[:, None]
    rank = draws.uniform(state["seeds"], (len(spec.starts.labels),), ORDER)
    order = ops.argsort(ops.where(fit, rank, 2.0), axis=1)
    fits = ops.sum(ops.cast(fit, "int32"), axis=1)
    return ops.convert_to_tensor(spec.starts.images), order, fits


def check_starts(spec: Any) -> None:
    """That the images of a spec, if any, lie in its box.

    Raises:
        ValueError: if they do not.
    """
    if spec.starts is not None:
        low, high = spec.starts.images.min(), spec.starts.images.max()
        if low < spec.threat.low or high > spec.threat.high:
            raise ValueError(f"starts must lie in the box, got [{low:g}, {high:g}]")
