"""Defenses, one recipe per file: frozen specs that turn a network into a defended one."""

from robustnets.defenses.base import Defense, Taught
from robustnets.defenses.distillation import Distillation
from robustnets.defenses.from_scratch import FromScratch
from robustnets.defenses.other_training import OtherTraining
from robustnets.defenses.reconstruction import Reconstruction
from robustnets.defenses.retraining import Retraining
from robustnets.defenses.smoothing import Smoothing
from robustnets.defenses.tempered import Tempered

DEFENSES = (
    Reconstruction,
    Retraining,
    FromScratch,
    OtherTraining,
    Smoothing,
    Tempered,
    Distillation,
)

__all__ = [
    "DEFENSES",
    "Defense",
    "Distillation",
    "FromScratch",
    "OtherTraining",
    "Reconstruction",
    "Retraining",
    "Smoothing",
    "Taught",
    "Tempered",
]
