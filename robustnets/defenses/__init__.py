"""Defenses, one recipe per file: frozen specs that say what becomes of a network."""

from robustnets.defenses.base import Defense, Recipe
from robustnets.defenses.distillation import Distillation
from robustnets.defenses.in_front import InFront
from robustnets.defenses.other_training import OtherTraining
from robustnets.defenses.tempered import Tempered

DEFENSES = (InFront, OtherTraining, Tempered, Distillation)

__all__ = [
    "DEFENSES",
    "Defense",
    "Distillation",
    "InFront",
    "OtherTraining",
    "Recipe",
    "Tempered",
]
