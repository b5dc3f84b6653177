"""The sanity block: what would make a robust accuracy too high, as checks."""

from robustnets.evaluation.sanity.block import CHECKS, QUICK, sanity_block
from robustnets.evaluation.sanity.check import Check, headline_holds

__all__ = ["CHECKS", "QUICK", "Check", "headline_holds", "sanity_block"]
