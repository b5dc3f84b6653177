"""Attacks: one paper per file, every one of them in ATTACKS."""

from robustnets.attacks.base import Attack
from robustnets.attacks.fgsm import FGSM

ATTACKS: tuple[type, ...] = (FGSM,)

__all__ = ["ATTACKS", "FGSM", "Attack"]
