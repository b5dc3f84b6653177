"""The softmax of logits divided by a temperature.

Source: Hinton et al. 2015, arXiv:1503.02531, sec. 2; in Papernot et al. 2016, arXiv:1511.04508,
eq. 1, the last layer of a distilled network.
"""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="robustnets")
class TemperatureSoftmax(keras.layers.Layer):
    """softmax(z / T) over the last axis.

    Shapes: logits (N, ..., K) -> probabilities of the same shape, rows sum to 1. Computed in
    float32 whatever the global policy, after the largest logit is subtracted: it never
    overflows.

    What float32 makes of a gap d between the largest logit and another, with T and K alike
    for both: the other's probability is below exp(-d / T). Beyond d = 16.64 T (24 ln 2) it no
    longer changes the largest one, which is then exactly 1 if all others are so far away, and
    the usual gradient of the cross entropy of its class, softmax - one-hot, is exactly 0 in that
    entry. Beyond d = 87.34 T (126 ln 2) it is subnormal, which most processors' vector units
    flush to 0, and beyond d = 103.98 T (150 ln 2) it is 0 everywhere. A network that is trained
    at temperature T has gaps of some T times the usual: read at temperature 1, it is there.

    Args:
        temperature: T, > 0 and finite; 1 is the plain softmax.

    Raises:
        ValueError: for another temperature.

    Example:
        >>> layer = TemperatureSoftmax(temperature=10.0)
        >>> [round(float(p), 3) for p in layer(ops.convert_to_tensor([[20.0, 10.0, 10.0]]))[0]]
        [0.576, 0.212, 0.212]
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.temperature = check_temperature(temperature)

    def call(self, z):
        return ops.softmax(z / self.temperature, axis=-1)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


def check_temperature(temperature: float) -> float:
    """The temperature as a float.

    Raises:
        ValueError: unless it is a finite number > 0.
    """
    number = isinstance(temperature, (int, float)) and not isinstance(temperature, bool)
    if not (number and math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be finite and > 0, got {temperature!r}")
    return float(temperature)
