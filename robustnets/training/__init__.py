"""The one training loop, and the frozen specs of what it does."""

from robustnets.training.adversarial import AdversarialTraining
from robustnets.training.spec import (
    SGD,
    EarlyStop,
    FixedEpochs,
    Rule,
    StableWeights,
    Training,
)

TRAINING_SPECS = (SGD, EarlyStop, FixedEpochs, StableWeights, Training)

__all__ = [
    "SGD",
    "TRAINING_SPECS",
    "AdversarialTraining",
    "EarlyStop",
    "FixedEpochs",
    "Rule",
    "StableWeights",
    "Training",
]
