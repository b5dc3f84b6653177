"""A model is called one of probabilities by its head and by images that nobody has attacked."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from robustnets import engines
from robustnets.attacks import FGSM
from robustnets.core.threat import ThreatModel
from robustnets.models import Classifier
from robustnets.models.load import load_classifier
from robustnets.models.probabilities import gives_probabilities

SHAPE = (8, 8, 3)
X = np.random.default_rng(0).uniform(0, 1, (4, *SHAPE)).astype(np.float32)


class Softmax(layers.Layer):
    """One that nobody finds."""

    def call(self, z):
        return ops.softmax(z)


def sequential(*more):
    return Classifier(keras.Sequential([keras.Input(SHAPE), *more], name="model"))


def test_outputs_that_sum_to_one_by_accident():
    """Targeted FGSM at eps 1 drives the mean of one channel to 1 and the others to 0."""
    classifier = sequential(layers.GlobalAveragePooling2D())
    y = (classifier.predict(X).argmax(axis=1) + 1) % 3
    attack = FGSM(ThreatModel("linf", 1.0), targeted=True)
    found = engines.run(attack, classifier, X, y)
    z = classifier.predict(found.x)
    assert z.min() >= 0
    np.testing.assert_allclose(z.sum(axis=1), 1, rtol=0, atol=1e-6)
    assert found.success.all()
    ((_, again),) = engines.sweep(attack, classifier, X, y, [1.0])
    assert again.success.all()


def test_clean_outputs_that_sum_to_one_by_accident(tmp_path):
    classifier = sequential(layers.GlobalAveragePooling2D())
    gray = np.full((1, *SHAPE), 1 / 3, np.float32)
    gray[..., 1] += 0.1
    gray[..., 2] -= 0.1
    found = engines.run(FGSM(ThreatModel("linf", 0.2)), classifier, gray, np.array([1]))
    assert found.success.all()
    classifier.model.save(tmp_path / "m.keras")
    assert load_classifier(tmp_path / "m.keras").classes == 3


def test_a_linear_head_gives_logits():
    """A regression on one-hot labels: its outputs sum to one wherever you look."""
    last = layers.Dense(3)
    classifier = sequential(layers.GlobalAveragePooling2D(), last, layers.Flatten())
    kernel = np.float32([[0.2, -0.1, -0.1], [-0.1, 0.2, -0.1], [-0.1, -0.1, 0.2]])
    last.set_weights([kernel, np.full(3, 1 / 3, np.float32)])
    z = classifier.predict(X)
    assert z.min() >= 0
    np.testing.assert_allclose(z.sum(axis=1), 1, rtol=0, atol=1e-6)
    assert not gives_probabilities(classifier, z)


@pytest.mark.parametrize("nested", [False, True])
def test_a_hidden_softmax_is_found(nested):
    hidden = [layers.Flatten(), layers.Dense(3), Softmax()]
    if nested:
        hidden = [keras.Sequential([keras.Input(SHAPE), *hidden])]
    classifier = sequential(*hidden)
    assert gives_probabilities(classifier, classifier.predict(X))
    with pytest.raises(ValueError, match=r"are probabilities, not logits.*keras.layers.Softmax"):
        engines.run(FGSM(ThreatModel("linf", 0.1)), classifier, X, np.zeros(4, int))
