"""Bit-depth reduction: each value of an image is rounded to fewer levels.

Source: Xu, Evans & Qi 2018, arXiv:1704.01155, sec. 3.1 (feature squeezing by color depth).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="robustnets")
class BitDepth(keras.layers.Layer):
    """Round values in [0, 1] to the nearest of 2^bits levels.

    Shapes: float32 (N, ...) -> the same, computed in float32 whatever the global policy. Its own
    gradient is zero almost everywhere; `substitute`, the identity, stands for it in a white-box
    attack (BPDA).

    Args:
        bits: an int in 1..16.

    Raises:
        ValueError: for another number of bits.

    Example:
        >>> BitDepth(1)(ops.convert_to_tensor([[0.2, 0.7]])).numpy().tolist()
        [[0.0, 1.0]]
    """

    differentiable = False

    def __init__(self, bits: int, **kwargs: Any):
        super().__init__(**{"dtype": "float32", "name": "bit_depth", **kwargs})
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16:
            raise ValueError(f"bits must be an int in 1..16, got {bits!r}")
        self.bits = bits

    def call(self, x):
        most = 2.0**self.bits - 1.0
        return ops.round(x * most) / most

    def substitute(self, x):
        """The identity."""
        return x

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "bits": self.bits}


@dataclass(frozen=True, slots=True)
class BitDepthSpec:
    """Bit-depth reduction in front of a network.

    Args:
        bits: as for `BitDepth`.
    """

    differentiable: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    bits: int

    def __post_init__(self) -> None:
        self.layer()

    @property
    def label(self) -> str:
        """The number of bits."""
        return f"{self.bits} bit" + ("s" if self.bits > 1 else "")

    def layer(self) -> BitDepth:
        """A new layer."""
        return BitDepth(self.bits)
