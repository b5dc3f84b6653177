"""Attacks: one paper per file, every one of them in ATTACKS."""

from robustnets.attacks.base import Attack, LoopedAttack
from robustnets.attacks.bim import BIM
from robustnets.attacks.carlini_wagner import CarliniWagner
from robustnets.attacks.deepfool import DeepFool
from robustnets.attacks.dynamic_deepfool import DynamicDeepFool
from robustnets.attacks.fgsm import FGSM
from robustnets.attacks.lbfgs import LBFGS
from robustnets.attacks.noise import Noise
from robustnets.attacks.pgd import PGD

ATTACKS: tuple[type, ...] = (
    FGSM,
    BIM,
    PGD,
    CarliniWagner,
    DeepFool,
    DynamicDeepFool,
    LBFGS,
    Noise,
)

__all__ = [
    "ATTACKS",
    "BIM",
    "FGSM",
    "LBFGS",
    "PGD",
    "Attack",
    "CarliniWagner",
    "DeepFool",
    "DynamicDeepFool",
    "LoopedAttack",
    "Noise",
]
