"""What tests of single attacks share."""

import keras
import numpy as np
import pytest
from keras import ops

from robustnets.models.classifier import Classifier

DUAL = {"linf": 1, "l2": 2, "l1": np.inf}


@pytest.fixture(scope="session")
def affine():
    """A function: an affine classifier, its kernel (D, K) and its bias (K,) in float64."""

    def build(shape=(5, 4, 3), classes=6, scale=1.0):
        model = keras.Sequential(
            [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)]
        )
        rng = np.random.default_rng(2)
        kernel = rng.normal(size=(np.prod(shape), classes)).astype(np.float32) / scale
        bias = rng.normal(size=classes).astype(np.float32)
        model.layers[-1].set_weights([kernel, bias])
        return Classifier(model), kernel.astype(float), bias.astype(float)

    return build


@pytest.fixture(scope="session")
def nearest():
    """A function: distances (N,) to the nearest boundary of an affine classifier, no box.

    With goals, the distance to where the goal's logit is that of y.
    """

    def measure(x, y, kernel, bias, norm, goal=None):
        rows = np.arange(len(x))
        z = x.reshape(len(x), -1).astype(float) @ kernel + bias
        gaps = z[rows, y][:, None] - z
        slopes = kernel[:, None, :] - kernel[:, :, None]  # (D, y, k)
        lengths = np.linalg.norm(slopes, DUAL[norm], axis=0)[y]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = gaps / lengths
        ratio[rows, y] = np.inf
        return ratio.min(axis=1) if goal is None else ratio[rows, goal]

    return measure


@pytest.fixture(scope="session")
def planted():
    """A classifier whose class 1 lives in one small ball, at a known distance.

    Returns:
        The classifier, of images (5, 4, 3) and 3 classes; x float32 (7, 5, 4, 3); y, zeros;
        the l2 distance (7,) from x to the ball.
    """
    rng = np.random.default_rng(6)
    centre = rng.uniform(0.4, 0.6, (5, 4, 3)).astype(np.float32)
    radius = 0.25
    way = rng.normal(size=(7, 5, 4, 3))
    way /= np.linalg.norm(way.reshape(7, -1), axis=1)[:, None, None, None]
    far = np.linspace(0.5, 1.0, 7)
    x = np.clip(centre + far[:, None, None, None] * way, 0, 1).astype(np.float32)
    inputs = keras.Input((5, 4, 3))
    flat = keras.layers.Flatten()(inputs) - ops.reshape(centre, (1, -1))
    bump = 1.0 - ops.sum(ops.square(flat), axis=-1, keepdims=True) / radius**2
    outputs = ops.concatenate([0.0 * bump, bump, 0.0 * bump - 50.0], axis=-1)
    classifier = Classifier(keras.Model(inputs, outputs))
    distance = np.linalg.norm((x - centre).reshape(7, -1), axis=1) - radius
    return classifier, x, np.zeros(7, np.int64), distance
