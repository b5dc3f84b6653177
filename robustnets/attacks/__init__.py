"""Attacks: one paper per file, every one of them in ATTACKS."""

from robustnets.attacks.base import Attack
from robustnets.attacks.bim import BIM
from robustnets.attacks.deepfool import DeepFool
from robustnets.attacks.dynamic_deepfool import DynamicDeepFool
from robustnets.attacks.fgsm import FGSM

ATTACKS: tuple[type, ...] = (FGSM, BIM, DeepFool, DynamicDeepFool)

__all__ = ["ATTACKS", "BIM", "FGSM", "Attack", "DeepFool", "DynamicDeepFool"]
