"""A linear filter and the dense layer behind it, as one dense layer."""

import keras
import numpy as np

from robustnets.layers.linear_filter import LinearFilter


def fold(model: keras.Model) -> keras.Model:
    """Multiply a linear filter into the dense layer that follows it, for prediction.

    Both are affine, so that nothing but rounding changes, in the logits as in the gradient,
    and the filter costs nothing any more.

    Args:
        model: built; any. Not changed.

    Returns:
        A model of the same inputs and outputs with a copy of the product and every other layer
        shared; or `model` itself, unless it is a `LinearFilter` put before a sequential model
        that begins with Flatten and Dense (see `prepend`).
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    if len(layers) != 2 or not isinstance(layers[0], LinearFilter):
        return model
    linear, inner = layers
    if not isinstance(inner, keras.Sequential) or len(inner.layers) < 2:
        return model
    flatten, dense, *rest = inner.layers
    if type(flatten) is not keras.layers.Flatten or type(dense) is not keras.layers.Dense:
        return model
    encode, decode, mean = (np.asarray(w, np.float64) for w in linear.get_weights())
    kernel, *bias = (np.asarray(w, np.float64) for w in dense.get_weights())
    product = encode @ (decode @ kernel)
    moved = mean @ kernel - mean @ product + (bias[0] if bias else 0.0)
    config = {**dense.get_config(), "use_bias": True, "name": f"{linear.name}_{dense.name}"}
    both = keras.layers.Dense.from_config(config)
    # fixed names, not Keras' running numbers: they are part of a model's digest
    images = keras.Input(model.inputs[0].shape[1:], name="images")
    folded = keras.Sequential(
        [images, keras.layers.Flatten(name="flatten"), both, *rest], name=model.name
    )
    both.set_weights([product.astype(np.float32), moved.astype(np.float32)])
    return folded
