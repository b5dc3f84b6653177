"""Attacks: one paper per file, every one of them in ATTACKS."""

from robustnets.attacks.base import Attack
from robustnets.attacks.bim import BIM
from robustnets.attacks.fgsm import FGSM

ATTACKS: tuple[type, ...] = (FGSM, BIM)

__all__ = ["ATTACKS", "BIM", "FGSM", "Attack"]
