"""Whether a model gives probabilities where logits are wanted: by its head, then by its values.

A softmax or sigmoid that can be found is taken off when a `Classifier` is made. What is left are
those that nobody can see: written out by hand, or inside a layer or model that shows no graph.
"""

from typing import Any

import keras
import numpy as np

from robustnets.layers import TwoLogits
from robustnets.models.classifier import Classifier
from robustnets.models.functional import within

LOOK = 16  # images on which a model is tried
# how far from 1 a sum of probabilities may be, by what the model computes in
_ROUNDING = {"float16": 1e-2, "bfloat16": 5e-2}


def gives_probabilities(classifier: Classifier, outputs: np.ndarray) -> bool:
    """Whether what a classifier gives are probabilities of its classes.

    Args:
        classifier: what it ends in is looked at first: linear layers give logits.
        outputs: (N, K), what it gives for images that nobody has attacked.

    Returns:
        True if all these rows, and those of random images too, are what a softmax gives or, for
        a model of a single output, a sigmoid. A few outputs may sum to 1 by accident; those of
        attacked images sometimes do.
    """
    if not _look_so(classifier, outputs) or _ends_linear(classifier.model):
        return False
    x = np.random.default_rng(0).uniform(0, 1, (LOOK, *classifier.image_shape))
    return _look_so(classifier, classifier.predict(x.astype(np.float32)))


def are_probabilities(outputs: np.ndarray, rounding: float = 1e-4) -> bool:
    """Whether rows (N, K) are >= 0 and sum to 1."""
    return bool(outputs.min() >= 0 and np.abs(outputs.sum(axis=-1) - 1).max() < rounding)


def _look_so(classifier: Classifier, outputs: np.ndarray) -> bool:
    if isinstance(_last(classifier.model), TwoLogits):
        return bool((outputs[:, 1] >= 0).all() and (outputs[:, 1] <= 1).all())
    computed = keras.backend.standardize_dtype(classifier.model.outputs[0].dtype)
    return are_probabilities(outputs, _ROUNDING.get(computed, 1e-4))


def _last(model: keras.Model) -> Any:
    """The layer or operation that gives what a model gives, nested models looked into."""
    operation = model.outputs[0]._keras_history.operation
    inner = within(operation)
    return operation if inner is None else _last(inner)


def _ends_linear(model: keras.Model) -> bool:
    """Whether the last thing that a model does is a linear map, which any number can come of."""
    tensor = model.outputs[0]
    while True:
        history = tensor._keras_history
        operation = history.operation
        inner = within(operation)
        if inner is not None:
            return _ends_linear(inner)
        if isinstance(operation, keras.layers.Dense | keras.layers.Conv2D):
            return operation.activation is keras.activations.linear
        before = operation._inbound_nodes[history.node_index].input_tensors
        passes_on = isinstance(operation, keras.layers.Flatten | keras.layers.Reshape | TwoLogits)
        if not passes_on or len(before) != 1:
            return False
        tensor = before[0]
