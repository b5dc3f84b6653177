"""Tiny classifiers. The axes N, H, W, C all differ wherever a test can choose them."""

import keras
import numpy as np
import pytest
from tiny_models import dense_classifier

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
    model = classifier.model
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)

    def loss(labels, logits):
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return keras.ops.mean(losses)

    epoch = backend.epoch_function(model, optimizer, loss, xla=False)
    data = (
        keras.ops.convert_to_tensor(x[:1500]),
        keras.ops.convert_to_tensor(y[:1500].astype(np.int32)),
    )
    rng = np.random.default_rng(0)
    for _ in range(15):
        epoch(*data, rng.permutation(1500).reshape(30, 50).astype(np.int32))
    return classifier
