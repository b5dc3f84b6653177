"""Tiny classifiers. The axes N, H, W, C all differ wherever a test can choose them."""

import keras
import numpy as np
import pytest
from tiny_models import SHAPE, dense_classifier

from robustnets import backend


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests of one file share fixtures and compiled functions, so one process runs them all."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def linear_classifier():
    """Two classes, logits (0, <w, x>), images (5, 4, 3): attacks have a closed form."""
    classifier = dense_classifier(2)
    kernel, bias = classifier.model.layers[-1].weights
    w = np.random.default_rng(1).normal(size=(kernel.shape[0],)).astype(np.float32)
    kernel.assign(np.stack([np.zeros_like(w), w], axis=1))
    bias.assign(np.zeros(2, np.float32))
    return classifier


@pytest.fixture(scope="session")
def small_classifier():
    """Untrained, 7 classes, images (5, 4, 3)."""
    return dense_classifier(11, 7)


@pytest.fixture(scope="session")
def digits():
    """Handwritten digits cut to 8 x 6: x float32 (1797, 8, 6, 1) in [0, 1], y int64."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images[:, :, 1:7, None] / 16).astype(np.float32)
    return images, data.target.astype(np.int64)


@pytest.fixture(scope="session")
def trained_classifier(digits):
    """A small network trained on the first 1500 digits, right on most of them."""
    x, y = digits
    classifier = dense_classifier(20, 10, shape=x.shape[1:])
    train(classifier, x[:1500], y[:1500], epochs=15)
    return classifier


@pytest.fixture(scope="session")
def blobs():
    """A small network that tells 7 Gaussian clouds apart, and 28 other images (5, 4, 3) of them."""
    rng = np.random.default_rng(5)
    centres = rng.uniform(0.2, 0.8, (7, *SHAPE))
    y = np.arange(700) % 7
    x = np.clip(centres[y] + rng.normal(0, 0.15, (700, *SHAPE)), 0, 1).astype(np.float32)
    classifier = dense_classifier(11, 7)
    train(classifier, x[28:], y[28:], epochs=8)
    return classifier, x[:28]


def train(classifier, x, y, epochs):
    """Train with Adam in batches of 50, for as many epochs over x float32 (N, ...) and y (N,)."""
    model = classifier.model
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)

    def loss(labels, logits):
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return keras.ops.mean(losses)

    epoch = backend.epoch_function(model, optimizer, loss, xla=False)
    data = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y.astype(np.int32))
    rng, steps = np.random.default_rng(0), len(x) // 50
    for _ in range(epochs):
        epoch(*data, rng.permutation(len(x))[: 50 * steps].reshape(steps, 50).astype(np.int32))
