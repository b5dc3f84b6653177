"""The one training loop, and the frozen specs of what it does."""

from robustnets.training.adversarial import AdversarialTraining
from robustnets.training.spec import (
    SGD,
    Adam,
    AsGiven,
    EarlyStop,
    FixedEpochs,
    Optimizer,
    Pretrained,
    RMSProp,
    Rule,
    StableWeights,
    Training,
)

TRAINING_SPECS = (SGD, Adam, RMSProp, EarlyStop, FixedEpochs, StableWeights, Training)

__all__ = [
    "SGD",
    "TRAINING_SPECS",
    "Adam",
    "AdversarialTraining",
    "AsGiven",
    "EarlyStop",
    "FixedEpochs",
    "Optimizer",
    "Pretrained",
    "RMSProp",
    "Rule",
    "StableWeights",
    "Training",
]
