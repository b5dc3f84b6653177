"""Builders of Keras models that end in logits, and the Classifier that wraps a trained one."""

from robustnets.models.cifar10_cnn import cifar10_cnn
from robustnets.models.classifier import Classifier
from robustnets.models.fc_100_100_10 import fc_100_100_10
from robustnets.models.fc_625_625_10 import fc_625_625_10
from robustnets.models.mnist_cnn import mnist_cnn
from robustnets.models.papernot_cnn import papernot_cifar10_cnn, papernot_mnist_cnn
from robustnets.models.view import (
    VIEWS,
    InFloat64,
    ScaledLogits,
    SoftmaxOutput,
    Substitute,
    View,
)

MODELS = {
    "cifar10_cnn": cifar10_cnn,
    "fc_100_100_10": fc_100_100_10,
    "fc_625_625_10": fc_625_625_10,
    "mnist_cnn": mnist_cnn,
    "papernot_cifar10_cnn": papernot_cifar10_cnn,
    "papernot_mnist_cnn": papernot_mnist_cnn,
}

__all__ = [
    "MODELS",
    "VIEWS",
    "Classifier",
    "InFloat64",
    "ScaledLogits",
    "SoftmaxOutput",
    "Substitute",
    "View",
    "cifar10_cnn",
    "fc_100_100_10",
    "fc_625_625_10",
    "mnist_cnn",
    "papernot_cifar10_cnn",
    "papernot_mnist_cnn",
]
