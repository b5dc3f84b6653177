"""Defenses, one recipe per file: frozen specs that turn a network into a defended one."""

from robustnets.defenses.base import Defense
from robustnets.defenses.from_scratch import FromScratch
from robustnets.defenses.reconstruction import Reconstruction
from robustnets.defenses.retraining import Retraining
from robustnets.defenses.smoothing import Smoothing

DEFENSES = (Reconstruction, Retraining, FromScratch, Smoothing)

__all__ = ["DEFENSES", "Defense", "FromScratch", "Reconstruction", "Retraining", "Smoothing"]
