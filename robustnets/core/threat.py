"""What an attacker may do: a norm, a radius and the box of valid inputs."""

import math
from dataclasses import dataclass

NORMS = ("linf", "l2", "l1", "l0")


@dataclass(frozen=True, slots=True)
class ThreatModel:
    """All inputs within `eps` of the original, inside the box.

    Args:
        norm: one of `NORMS`.
        eps: radius of the ball, in input units, finite and >= 0.
        low: smallest valid input value.
        high: largest valid input value, > low.

    Raises:
        ValueError: for an unknown norm, a negative or non-finite eps, an empty box.

    Example:
        >>> ThreatModel("linf", 0.1)
        ThreatModel(norm='linf', eps=0.1, low=0.0, high=1.0)
    """

    norm: str
    eps: float
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {self.norm!r}")
        if not (math.isfinite(self.eps) and self.eps >= 0):
            raise ValueError(f"eps must be finite and >= 0, got {self.eps}")
        if not self.low < self.high:
            raise ValueError(f"the box must have low < high, got [{self.low}, {self.high}]")
