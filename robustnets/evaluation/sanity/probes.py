"""The attacks that the checks compare with, and what kind an attack is."""

from dataclasses import fields, replace
from typing import Any

from robustnets.attacks import (
    FGSM,
    NES,
    PGD,
    EveryPixel,
    Evolutionary,
    HopSkipJump,
    LabelOnlyNES,
    Noise,
    OnePixel,
    Square,
)
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.sanity.check import Unchecked

WITHOUT_GRADIENTS = (
    EveryPixel,
    Evolutionary,
    HopSkipJump,
    LabelOnlyNES,
    NES,
    Noise,
    OnePixel,
    Square,
)
PROBES: dict[str, tuple[Any, dict[str, Any]]] = {
    "single step": (FGSM, {}),
    "iterated": (PGD, {"steps": 40}),
    "another loss": (PGD, {"steps": 40, "loss": "margin"}),  # which does not saturate
    "black box": (Square, {"budget": 200}),
    "noise": (Noise, {"draws": 20}),
}


def probe(name: str, threat: ThreatModel) -> Any:
    """An attack to compare with.

    Args:
        name: one of `PROBES`.
        threat: its norm, radius and box.

    Raises:
        Unchecked: if there is none in this norm.
    """
    kind, settings = PROBES[name]
    if threat.norm not in kind.norms:
        raise Unchecked(
            f"there is no {kind.__name__} in {threat.norm}",
            "Compare with an attack of that kind made elsewhere (others).",
        )
    return kind(threat, **settings)


def by_gradient(attack: Any) -> bool:
    """Whether an attack differentiates the model."""
    return not isinstance(attack, WITHOUT_GRADIENTS)


def by_queries(attack: Any) -> bool:
    """Whether an attack learns from answers to queries, and from nothing else."""
    return not by_gradient(attack) and not isinstance(attack, Noise)


def iterates(attack: Any) -> bool:
    """Whether an attack takes several steps along gradients."""
    return by_gradient(attack) and hasattr(attack, "steps")


def named(attack: Any) -> str:
    """An attack in a line of the block, with its loss where that is not the usual one."""
    loss = getattr(attack, "loss", "cross_entropy")
    usual = loss == "cross_entropy" or not by_gradient(attack)
    return type(attack).__name__ + ("" if usual else f" ({loss})")


def doubled(attack: Any) -> Any:
    """The same attack with twice its steps, and from random points where it can be.

    Raises:
        Unchecked: if it has no steps.

    Example:
        >>> more = doubled(PGD(ThreatModel("linf", 0.1), steps=10, random_start=False))
        >>> more.steps, more.random_start
        (20, True)
    """
    names = {f.name for f in fields(attack)}
    if "steps" not in names:
        raise Unchecked(f"{named(attack)} has no steps to double", "Add an attack that has.")
    changes = {"random_start": True} if "random_start" in names else {}
    return replace(attack, steps=2 * attack.steps, **changes)
