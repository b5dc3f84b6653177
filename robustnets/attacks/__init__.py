"""Attacks: one paper per file, every one of them in ATTACKS."""

from robustnets.attacks.apgd import APGD
from robustnets.attacks.auto_attack import AutoAttack
from robustnets.attacks.base import Attack, LoopedAttack
from robustnets.attacks.bim import BIM
from robustnets.attacks.carlini_wagner import CarliniWagner
from robustnets.attacks.deepfool import DeepFool
from robustnets.attacks.dynamic_deepfool import DynamicDeepFool
from robustnets.attacks.every_pixel import EveryPixel
from robustnets.attacks.evolutionary import Evolutionary
from robustnets.attacks.fab import FAB
from robustnets.attacks.fgsm import FGSM
from robustnets.attacks.hop_skip_jump import HopSkipJump
from robustnets.attacks.label_only_nes import LabelOnlyNES
from robustnets.attacks.lbfgs import LBFGS
from robustnets.attacks.mi_fgsm import MIFGSM
from robustnets.attacks.nes import NES
from robustnets.attacks.noise import Noise
from robustnets.attacks.one_pixel import OnePixel
from robustnets.attacks.pgd import PGD
from robustnets.attacks.square import Square
from robustnets.attacks.starts import Starts

ATTACKS: tuple[type, ...] = (
    FGSM,
    BIM,
    MIFGSM,
    PGD,
    APGD,
    CarliniWagner,
    DeepFool,
    DynamicDeepFool,
    FAB,
    LBFGS,
    Noise,
    HopSkipJump,
    NES,
    LabelOnlyNES,
    Evolutionary,
    OnePixel,
    EveryPixel,
    Square,
)

__all__ = [
    "APGD",
    "ATTACKS",
    "BIM",
    "FAB",
    "FGSM",
    "LBFGS",
    "MIFGSM",
    "NES",
    "PGD",
    "Attack",
    "AutoAttack",
    "CarliniWagner",
    "DeepFool",
    "DynamicDeepFool",
    "EveryPixel",
    "Evolutionary",
    "HopSkipJump",
    "LabelOnlyNES",
    "LoopedAttack",
    "Noise",
    "OnePixel",
    "Square",
    "Starts",
]
