"""How a model or a layer behaves when it predicts: whether it draws, whether it has gradients.

Source: Athalye et al. 2018, arXiv:1802.00420, sec. 3.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks.losses import margin
from robustnets.models.classifier import Classifier, batches

PASSES = 8  # forward passes that must agree


def disagreement(function: Callable, x: np.ndarray) -> float:
    """The largest difference between passes over the same examples, relative to their size."""

    def run(images: Any) -> Any:
        with backend.without_updates():
            return function(images)

    compiled = backend.compiled(run)
    tensor = ops.convert_to_tensor(x)
    first, *others = (
        ops.convert_to_numpy(compiled(tensor)).reshape(len(x), -1) for _ in range(PASSES)
    )
    size = np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    return max(float(np.abs((other - first) / size).max()) for other in others)


def refuse_frozen_draws(classifier: Classifier, x: np.ndarray) -> None:
    """Refuse a model that draws at random where compiling would freeze its draws."""
    if backend.name() == "jax" and generator_moves(classifier.model, x):
        raise ValueError(
            f"{classifier.model.name} draws at random when it predicts, and what is compiled on "
            "JAX draws the same numbers in every pass, which would look like robustness: evaluate "
            "it with KERAS_BACKEND=tensorflow"
        )


def generator_moves(layer: keras.layers.Layer, x: np.ndarray) -> bool:
    """Whether a forward pass at inference uses a random generator of the layer, or of a model."""
    inside = [layer, *getattr(layer, "_flatten_layers", lambda: ())()]
    generators = {id(g): g for one in inside for g in getattr(one, "_seed_generators", ())}
    before = {key: ops.convert_to_numpy(g.state) for key, g in generators.items()}
    layer(ops.convert_to_tensor(x[:1]))
    moved = False
    for key, generator in generators.items():
        moved |= bool((before[key] != ops.convert_to_numpy(generator.state)).any())
        generator.state.assign(before[key])  # as if nobody had looked
    return moved


def layer_gradient(layer: keras.layers.Layer) -> Callable:
    """(x, y) -> the gradient of a random sum over what the layer gives."""
    rng = np.random.default_rng(0)

    def gradient(x, y):
        del y
        weights = rng.normal(size=x.shape[1:]).astype(np.float32)

        def total(v):
            return ops.sum(ops.reshape(layer(v) * weights, (v.shape[0], -1)), axis=1)

        with backend.without_updates():
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
