"""Images to start from, as part of a spec."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np


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
