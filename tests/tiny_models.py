"""Tiny models for tests to build on; a module, because there are several conftest files."""

import keras
import numpy as np

from robustnets.models.classifier import Classifier

SHAPE = (5, 4, 3)


def dense_classifier(*units, shape=SHAPE, seed=0, activation="tanh"):
    """Dense layers of these widths on flattened images, the last one the logits."""
    layers = [keras.Input(shape), keras.layers.Flatten(name="flatten")]
    for i, width in enumerate(units):
        kernel = keras.initializers.GlorotUniform(seed=seed + i)
        act = None if i == len(units) - 1 else activation
        layers.append(keras.layers.Dense(width, act, kernel_initializer=kernel, name=f"dense_{i}"))
    return Classifier(keras.Sequential(layers, name="dense"))


def convolving(classifier):
    """The same function behind a convolution that does nothing: such models compile sooner."""
    shape = classifier.image_shape
    same = keras.layers.Conv2D(shape[-1], 1, use_bias=False, name="same")
    images = keras.Input(shape, name="images")
    model = keras.Model(images, classifier.model(same(images)), name="convolving")
    same.set_weights([np.eye(shape[-1], dtype=np.float32)[None, None]])
    return Classifier(model)
