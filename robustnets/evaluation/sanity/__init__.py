"""The sanity block: what would make a robust accuracy too high, as checks."""

from robustnets.evaluation.sanity.block import CHECKS, OWN_GRADIENTS, QUICK, sanity_block
from robustnets.evaluation.sanity.check import Check, headline_holds

__all__ = ["CHECKS", "OWN_GRADIENTS", "QUICK", "Check", "headline_holds", "sanity_block"]
