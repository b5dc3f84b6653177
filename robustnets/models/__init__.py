"""Builders of Keras models that end in logits, and the Classifier that wraps a trained one."""

from robustnets.models.classifier import Classifier
from robustnets.models.fc_100_100_10 import fc_100_100_10

MODELS = {"fc_100_100_10": fc_100_100_10}

__all__ = ["MODELS", "Classifier", "fc_100_100_10"]
