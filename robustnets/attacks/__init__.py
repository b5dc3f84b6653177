"""Attacks: one paper per file, every one of them in ATTACKS."""

from robustnets.attacks.base import Attack
from robustnets.attacks.bim import BIM
from robustnets.attacks.carlini_wagner import CarliniWagner
from robustnets.attacks.deepfool import DeepFool
from robustnets.attacks.dynamic_deepfool import DynamicDeepFool
from robustnets.attacks.fgsm import FGSM
from robustnets.attacks.lbfgs import LBFGS

ATTACKS: tuple[type, ...] = (FGSM, BIM, CarliniWagner, DeepFool, DynamicDeepFool, LBFGS)

__all__ = [
    "ATTACKS",
    "BIM",
    "FGSM",
    "LBFGS",
    "Attack",
    "CarliniWagner",
    "DeepFool",
    "DynamicDeepFool",
]
