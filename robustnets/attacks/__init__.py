"""Attacks: one paper per file, every one of them in ATTACKS."""

from robustnets.attacks.base import Attack, LoopedAttack
from robustnets.attacks.bim import BIM
from robustnets.attacks.fgsm import FGSM
from robustnets.attacks.noise import Noise
from robustnets.attacks.pgd import PGD

ATTACKS: tuple[type, ...] = (FGSM, BIM, PGD, Noise)

__all__ = ["ATTACKS", "BIM", "FGSM", "PGD", "Attack", "LoopedAttack", "Noise"]
