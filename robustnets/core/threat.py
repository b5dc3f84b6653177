"""What an attacker may do: a norm, a radius and the box of valid inputs."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

NORMS = ("linf", "l2", "l1", "l0")


@dataclass(frozen=True, slots=True)
class ThreatModel:
    """All inputs within `eps` of the original, inside the box.

    Args:
        norm: one of `NORMS`.
        eps: radius of the ball, in input units, finite and >= 0; a number, or a text such as
            "8/255".
        low: smallest valid input value, the same for all channels.
        high: largest valid input value, > low.

    Raises:
        ValueError: for an unknown norm, what is no single number, a negative or non-finite
            eps, an empty box.

    Example:
        >>> ThreatModel("linf", 0.1)
        ThreatModel(norm='linf', eps=0.1, low=0.0, high=1.0)
        >>> ThreatModel("linf", "8/255") == ThreatModel("linf", 8 / 255)
        True
    """

    norm: str
    eps: float
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.norm, str) or self.norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {self.norm!r}")
        for name in ("eps", "low", "high"):
            object.__setattr__(self, name, number(name, getattr(self, name)))
        if not (math.isfinite(self.eps) and self.eps >= 0):
            raise ValueError(f"eps must be finite and >= 0, got {self.eps}")
        if not self.low < self.high:
            raise ValueError(f"the box must have low < high, got [{self.low}, {self.high}]")

    @property
    def slack(self) -> float:
        """How far above eps a distance may come out by rounding.

        Attacks stay in the ball up to 1e-6 where values are of size 1; float32 rounds larger
        ones more coarsely, and long sums round more.
        """
        return 1e-5 * self.eps + 1e-6 * max(1.0, abs(self.low), abs(self.high))

    @property
    def units(self) -> str:
        """What eps is measured in, to be put behind it: "" where the box is [0, 1]."""
        if (self.low, self.high) == (0, 1):
            return ""
        return f" (inputs in [{self.low:g}, {self.high:g}])"


# what to do where one number is not enough
_INSTEAD = {
    "eps": "make a ThreatModel for each radius, or give engines.run epsilons=[...]",
    "low": "the box is the same for all channels; where a model scales each channel by itself, "
    "put that scaling in front of it as a layer, such as keras.layers.Normalization",
}
_INSTEAD["high"] = _INSTEAD["low"]


def number(name: str, value: Any) -> int | float:
    """The number that is meant.

    Args:
        name: of the setting, for messages.
        value: an int or a float, which come back as they are; a text such as "8/255"; a number
            of NumPy, TensorFlow or JAX; or an array of which all values are equal.

    Raises:
        ValueError: for anything else.

    Example:
        >>> number("eps", "8/255") == 8 / 255, number("low", np.zeros(3))
        (True, 0.0)
    """
    if type(value) is float or (type(value) is int and abs(value) < 2**63):
        return value
    try:
        if isinstance(value, str):
            # not by way of Fraction, which takes forever for 1e999999999
            above, slash, below = value.replace(" ", "").partition("/")
            meant = float(above) / float(below) if slash else float(above)
            if not math.isfinite(meant):
                raise ValueError(value)
            return meant
        if isinstance(value, Fraction):
            return float(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(
            f"{name} must be a number or a fraction such as 8/255, got {value!r}"
        ) from None
    try:
        found = np.asarray(value)
    except Exception:  # whatever a foreign object raises when it is read as an array
        found = np.asarray(None)
    if found.dtype.kind not in "iuf" or found.size == 0:
        raise ValueError(f"{name} must be a number or a fraction such as 8/255, got {value!r}")
    if not (found == found.flat[0]).all() and not np.isnan(found).all():
        raise ValueError(f"{name} must be one number, got {found.tolist()}; {_INSTEAD[name]}")
    return found.flat[0].item()


def refuse_whole_box(threat: ThreatModel, any_eps: bool, remedy: str) -> None:
    """Refuse a radius in linf with which every image can become every other one.

    Nothing withstands that, so that the answer is 0 whatever the model: it is a slip as a rule,
    8 for 8/255.

    Args:
        threat: what was asked for.
        any_eps: whether such a radius is meant.
        remedy: how to say that it is meant, such as "pass any_eps=True".

    Raises:
        ValueError: asking what was meant.

    Example:
        >>> refuse_whole_box(ThreatModel("linf", "8/255"), False, "pass any_eps=True")
        >>> refuse_whole_box(ThreatModel("l2", 8), False, "pass any_eps=True")
    """
    wide = threat.high - threat.low
    if any_eps or threat.norm != "linf" or threat.eps < wide:
        return
    meant = threat.eps * wide
    question = f"; did you mean {meant:g}/255?" if meant / 255 < wide else "."
    raise ValueError(
        f"eps {threat.eps:g} in linf is at least as wide as the box [{threat.low:g}, "
        f"{threat.high:g}], in which every image can then become every other one{question} If "
        f"{threat.eps:g} is meant, {remedy}"
    )
