"""A model of one output, before or after its sigmoid, is one of two classes."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from robustnets import backend, engines
from robustnets.attacks import PGD
from robustnets.core.threat import ThreatModel
from robustnets.evaluation import evaluate
from robustnets.models import Classifier
from robustnets.models.load import load_classifier

SHAPE = (5, 4, 3)
pytestmark = pytest.mark.filterwarnings("ignore:.*it is used through")
X = np.random.default_rng(0).uniform(0, 1, (40, *SHAPE)).astype(np.float32)
W = np.random.default_rng(1).normal(0, 1, (60, 1)).astype(np.float32)
B = -np.mean(X.reshape(40, -1) @ W, keepdims=True)[0]
Z = X.reshape(40, -1) @ W + B


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def ending(head, *more, name="one"):
    last = layers.Dense(1, head, name="last")
    model = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), last, *more], name=name)
    last.set_weights([W, B])
    return model


class Net(keras.Model):
    """Subclassed, and its output has one axis only."""

    def __init__(self):
        super().__init__(name="one")
        self.flat, self.last = layers.Flatten(), layers.Dense(1, name="last")

    def call(self, x):
        return ops.squeeze(ops.sigmoid(self.last(self.flat(x))), axis=-1)


def subclassed():
    model = Net()
    model(X)
    model.set_weights([W, B])
    return model


SIGMOIDS = {
    "activation": lambda: ending("sigmoid"),
    "layer": lambda: ending(None, layers.Activation("sigmoid", name="last_sigmoid")),
    "nested": lambda: keras.Sequential([keras.Input(SHAPE), ending("sigmoid")], name="one"),
    "one axis": subclassed,
    "flattened": lambda: ending("sigmoid", layers.Flatten(), layers.Reshape(())),
    "a map of one": lambda: ending("sigmoid", layers.Reshape((1, 1, 1)), layers.Flatten()),
}


@pytest.mark.parametrize("case", SIGMOIDS)
def test_a_sigmoid_becomes_two_logits(case):
    model = SIGMOIDS[case]()
    said = r"one ends in a sigmoid \(.*\) of one value; .* \(0, z\) of its classes 0 and 1"
    with pytest.warns(UserWarning, match=said):
        classifier = Classifier(model)
    assert (classifier.classes, classifier.image_shape) == (2, SHAPE)
    z = classifier.predict(X)
    assert (z[:, 0] == 0).all()
    np.testing.assert_allclose(z[:, 1:], Z, rtol=0, atol=1e-5)
    p = numbers(classifier.probabilities(X))[:, 1]
    np.testing.assert_allclose(p, numbers(model(X)).reshape(40), rtol=0, atol=1e-6)
    predicted = numbers(model(X)).reshape(40) > 0.5
    np.testing.assert_array_equal(z.argmax(axis=1), predicted)


def test_one_logit_becomes_two():
    with pytest.warns(UserWarning, match=r"one gives one value z; .* predicts 1 where z > 0"):
        classifier = Classifier(ending(None))
    np.testing.assert_allclose(classifier.predict(X)[:, 1:], Z, rtol=0, atol=1e-5)


@pytest.mark.parametrize("head", ["sigmoid", None])
def test_it_is_attacked_to_its_closed_form(head):
    """A linear model: the boundary lies |z| / |w|_1 away in linf."""
    classifier = Classifier(ending(head))
    labels = (Z[:, 0] > 0).astype(int)
    assert 5 < labels.sum() < 35
    away = np.abs(Z[:, 0]) / np.abs(W).sum()
    eps = float(np.median(away))
    wide = ThreatModel("linf", eps, low=-2.0, high=3.0)
    found = engines.run(PGD(wide, steps=10, step=eps / 4), classifier, X, labels)
    clear = np.abs(away - eps) > 1e-3
    np.testing.assert_array_equal(found.success[clear], (away < eps)[clear])


@pytest.mark.slow
def test_its_page():
    labels = (Z[:, 0] > 0).astype(int)
    with pytest.warns(UserWarning, match="of one value"):
        found = evaluate(ending("sigmoid"), X[:12], labels[:12], eps=0.05, suite="quick")
    assert found.accuracy.estimate == 1.0
    assert found.robust_accuracy.estimate < 1.0
    assert "robust" in found.page().lead.lower()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("head", ["sigmoid", None])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_from_files(tmp_path, suffix, head):
    ending(head).save(tmp_path / f"m{suffix}")
    with pytest.warns(UserWarning, match="one value"):
        classifier = load_classifier(tmp_path / f"m{suffix}")
    np.testing.assert_allclose(classifier.predict(X)[:, 1:], Z, rtol=0, atol=1e-5)
    with pytest.warns(UserWarning, match="one value"):
        named = load_classifier(tmp_path / f"m{suffix}", logits="last")
    np.testing.assert_allclose(named.predict(X)[:, 1:], Z, rtol=0, atol=1e-5)


@pytest.mark.skipif(backend.name() != "tensorflow", reason="SavedModels are TensorFlow's")
def test_from_a_saved_model(tmp_path):
    ending("sigmoid").export(tmp_path / "m", verbose=False)
    with pytest.warns(UserWarning, match="sigmoid .* of one value"):
        classifier = load_classifier(tmp_path / "m", trust=True)
    np.testing.assert_allclose(classifier.predict(X)[:, 1:], Z, rtol=0, atol=1e-4)


def test_a_softmax_of_one_is_refused():
    with pytest.raises(ValueError, match=r"softmax \(last\) of one value, which is always 1"):
        Classifier(ending("softmax"))


class ByHand(layers.Layer):
    """A sigmoid that nobody finds."""

    def call(self, z):
        return 1 / (1 + ops.exp(-z))


def test_a_hidden_sigmoid_is_refused():
    with pytest.warns(UserWarning, match="one gives one value z"):
        classifier = Classifier(ending(None, ByHand()))
    with pytest.raises(ValueError, match="outputs of one are probabilities, not logits"):
        engines.run(PGD(ThreatModel("linf", 0.1), steps=2), classifier, X, np.ones(40, int))
