"""Keras callbacks that need Keras and NumPy only; installed as `robustnets.callbacks`."""

from .stop_on_stable_weights import StopOnStableWeights

__all__ = ["StopOnStableWeights"]
