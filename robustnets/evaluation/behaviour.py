"""How a model or a layer behaves when it predicts: whether it draws, whether it has gradients.

Source: Athalye et al. 2018, arXiv:1802.00420, sec. 3.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks.losses import margin
from robustnets.models.classifier import Classifier, batches

PASSES = 8  # forward passes that must agree


def disagreement(function: Callable, x: np.ndarray) -> float:
    """The largest difference between passes over the same examples, relative to their size."""
    compiled = backend.compiled(function)
    tensor = ops.convert_to_tensor(x)
    first, *others = (
        ops.convert_to_numpy(compiled(tensor)).reshape(len(x), -1) for _ in range(PASSES)
    )
    size = np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    return max(float(np.abs((other - first) / size).max()) for other in others)


def at_inference(layer: keras.layers.Layer, shape: tuple[int, ...]) -> keras.Model:
    """A layer as a model of images (H, W, C) calls it: one that augments in training does nothing.

    Args:
        layer: shares its weights and random generators with the model.
        shape: (H, W, C).

    Raises:
        ValueError: on JAX for a layer that draws by keras.random without a seed.
    """
    images = keras.Input(shape)
    return keras.Model(images, layer(images), name=layer.name)


def layer_gradient(layer: keras.Model) -> Callable:
    """(x, y) -> the gradient of a random sum over what a layer gives; see `at_inference`."""
    rng = np.random.default_rng(0)

    def gradient(x, y):
        del y
        weights = rng.normal(size=x.shape[1:]).astype(np.float32)

        def total(v):
            weighted = layer(v, training=False) * weights
            return ops.sum(ops.reshape(weighted, (v.shape[0], -1)), axis=1)

        return backend.value_and_grad(total)(x)[1]

    return backend.compiled(gradient)


def margin_gradient(classifier: Classifier) -> Callable:
    return classifier.compiled(
        "margin gradient",
        lambda x, y: backend.value_and_grad(lambda v: margin(classifier.logits(v), y))(x)[1],
    )


def zero_share(gradient: Callable, x: np.ndarray, y: np.ndarray) -> float:
    """Share of examples whose gradient is zero, missing or not finite in every value."""
    ((part, n),) = batches(x, len(x))
    labels = ops.convert_to_tensor(y.astype(np.int32))
    found = ops.convert_to_numpy(gradient(ops.convert_to_tensor(part), labels)).reshape(n, -1)
    return float((~np.isfinite(found) | (found == 0)).all(axis=1).mean())
