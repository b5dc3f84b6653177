"""Two logits out of one: what a model with a single output says of two classes."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="robustnets")
class TwoLogits(keras.layers.Layer):
    """z -> (0, z): the softmax of the two is (1 - sigmoid(z), sigmoid(z)).

    Shapes: one value for each example, (N, 1) or (N,) -> (N, 2), the logits of classes 0 and 1.
    Computed in float32 whatever the global policy.

    Raises:
        ValueError: if called with more than one value for each example.

    Example:
        >>> [[float(v) for v in row] for row in TwoLogits()(ops.convert_to_tensor([[3.0], [-2.0]]))]
        [[0.0, 3.0], [0.0, -2.0]]
    """

    def __init__(self, **kwargs: Any):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def call(self, z):
        if math.prod(z.shape[1:]) != 1:
            raise ValueError(f"TwoLogits takes one value for each example, got {tuple(z.shape)}")
        z = ops.reshape(z, (-1, 1))
        return ops.concatenate([ops.zeros_like(z), z], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2)
