"""What tests of single attacks share."""

import keras
import numpy as np
import pytest
from keras import ops

from robustnets.models.classifier import Classifier


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
