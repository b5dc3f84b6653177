"""A linear filter before the classifier: keep some components of an image, drop the rest.

Source: Bhagoji et al. 2017, arXiv:1704.02654, sec. 3 (reconstruction from PCA components).
"""

import math
from typing import Any

import keras
from keras import ops

from robustnets.layers.fit_linear_filter import FittedFilter


@keras.saving.register_keras_serializable(package="robustnets")
class LinearFilter(keras.layers.Layer):
    """Replace x by (x - mean) @ encode @ decode + mean, on flattened images.

    Shapes: float32 (N, ...) of D values each -> the same. Differentiable; its Jacobian is
    the transposed product of the two matrices everywhere. The output is not clipped to the
    box: that would make the filter nonlinear and its gradient zero outside the box, which
    hides the attack's direction. The matrices are weights, not trained, so they travel in
    the `.keras` file; computed in float32 whatever the global policy.

    Args:
        n_components: k, int >= 1. The weights are zero until loaded; `of` gives a fitted one.

    Raises:
        ValueError: for another k, or inputs that have not D values.
    """

    def __init__(self, n_components: int, **kwargs: Any):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if isinstance(n_components, bool) or not isinstance(n_components, int) or n_components < 1:
            raise ValueError(f"n_components must be an int >= 1, got {n_components!r}")
        self.n_components = n_components

    @classmethod
    def of(cls, fitted: FittedFilter, name: str | None = None) -> "LinearFilter":
        """A layer with these matrices, named after their method unless a name is given."""
        d, k = fitted.encode.shape
        # a fixed name, not Keras' running number: it is part of a model's digest
        layer = cls(k, name=name or f"{fitted.spec.method}_filter")
        layer.build((None, d))
        layer.encode.assign(fitted.encode)
        layer.decode.assign(fitted.decode)
        layer.mean.assign(fitted.mean)
        return layer

    def build(self, input_shape):
        d, k = _values(input_shape), self.n_components
        fixed = {"initializer": "zeros", "trainable": False}
        self.encode = self.add_weight(name="encode", shape=(d, k), **fixed)
        self.decode = self.add_weight(name="decode", shape=(k, d), **fixed)
        self.mean = self.add_weight(name="mean", shape=(d,), **fixed)
        self.built = True

    def call(self, x):
        flat = ops.reshape(x, (-1, self._expected(x.shape)))
        kept = ops.matmul(ops.matmul(flat - self.mean, self.encode), self.decode)
        return ops.reshape(kept + self.mean, (-1, *x.shape[1:]))

    def compute_output_shape(self, input_shape):
        if self.built:
            self._expected(input_shape)
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "n_components": self.n_components}

    def _expected(self, shape) -> int:
        d = self.mean.shape[0]
        if _values(shape) != d:
            raise ValueError(
                f"{self.name} filters inputs of {d} values, got {_values(shape)}: {tuple(shape)}; "
                "fit it on images of the same shape"
            )
        return d


def _values(shape) -> int:
    if None in shape[1:]:
        raise ValueError(f"a linear filter needs a fixed input shape, got {tuple(shape)}")
    return math.prod(shape[1:])
