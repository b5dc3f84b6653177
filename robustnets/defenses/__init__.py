"""Defenses, one recipe per file: frozen specs that turn a network into a defended one."""

from robustnets.defenses.base import Defense, Taught
from robustnets.defenses.distillation import Distillation
from robustnets.defenses.from_scratch import FromScratch
from robustnets.defenses.reconstruction import Reconstruction
from robustnets.defenses.retraining import Retraining
from robustnets.defenses.tempered import Tempered

DEFENSES = (Reconstruction, Retraining, FromScratch, Tempered, Distillation)

__all__ = [
    "DEFENSES",
    "Defense",
    "Distillation",
    "FromScratch",
    "Reconstruction",
    "Retraining",
    "Taught",
    "Tempered",
]
