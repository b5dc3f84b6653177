"""Logits are float32 whatever a model computes in."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from robustnets import backend, engines
from robustnets.attacks import (
    APGD,
    FAB,
    FGSM,
    PGD,
    CarliniWagner,
    DeepFool,
    HopSkipJump,
    Square,
)
from robustnets.core.threat import ThreatModel
from robustnets.evaluation import evaluate
from robustnets.models import Classifier, InFloat64, ScaledLogits, SoftmaxOutput
from robustnets.models.load import load_classifier

SHAPE = (5, 4, 3)
pytestmark = pytest.mark.filterwarnings("ignore:.*it is used through")
X = np.random.default_rng(0).uniform(0, 1, (6, *SHAPE)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(0, 0.3, (60, 7)).astype(np.float32)
LINF, L2 = ThreatModel("linf", 0.1), ThreatModel("l2", 1.0)
POLICIES = ("mixed_float16", "mixed_bfloat16", "float64", "float16", "bfloat16")
ROUGH = {"float64": 1e-5, "mixed_float16": 0.02, "float16": 0.02}


@pytest.fixture
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


every_policy = pytest.mark.parametrize("policy", POLICIES, indirect=True)


def linear(head="softmax", dtype=None):
    images = keras.Input(SHAPE, dtype=dtype)
    last = layers.Dense(7, head, name="last")
    model = keras.Sequential([images, layers.Flatten(), last], name="model")
    last.set_weights([KERNEL, np.zeros(7)])
    return model


@every_policy
@pytest.mark.parametrize("head", ["softmax", None])
def test_predictions_are_float32(policy, head):
    classifier = Classifier(linear(head))
    z = classifier.predict(X)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, X.reshape(6, -1) @ KERNEL, atol=ROUGH.get(policy, 0.1))
    assert keras.backend.standardize_dtype(classifier.logits(X).dtype) == "float32"


@pytest.mark.parametrize(
    "policy",
    [
        "mixed_bfloat16",
        *(pytest.param(p, marks=pytest.mark.slow) for p in ("mixed_float16", "float64")),
    ],
    indirect=True,
)
@pytest.mark.parametrize(
    "attack",
    [
        FGSM(LINF),
        PGD(LINF, steps=2),
        APGD(LINF, steps=3),
        FAB(LINF, steps=2),
        Square(LINF, budget=5),
        DeepFool(L2),
        CarliniWagner(L2, steps=3, rounds=2),
        HopSkipJump(L2, max_iter=1, max_eval=20, init_eval=5, init_size=5),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_every_attack_runs(policy, attack):
    classifier = Classifier(linear())
    y = classifier.predict(X).argmax(axis=1)
    found = engines.run(attack, classifier, X, y, batch_size=6)
    assert found.x.dtype == np.float32
    wrong = classifier.predict(found.x).argmax(axis=1) != y
    np.testing.assert_array_equal(found.success, wrong)


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_images_of_another_dtype(dtype):
    classifier = Classifier(linear(dtype=dtype))
    y = classifier.predict(X).argmax(axis=1)
    found = engines.run(FGSM(LINF), classifier, X, y)
    assert np.abs(found.x - X).max() > 0.09


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"], indirect=True)
def test_pages_and_files(policy, tmp_path):
    model = linear()
    y = Classifier(model).predict(X).argmax(axis=1)
    found = evaluate(model, X, y, eps=0.1, suite="quick")
    assert found.accuracy.estimate == 1.0
    assert found.robust_accuracy.estimate < 1.0
    found.save(tmp_path / "page")
    model.save(tmp_path / "model.keras")
    again = load_classifier(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(X), Classifier(model).predict(X))


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"], indirect=True)
def test_views(policy):
    classifier = Classifier(linear())
    z = classifier.predict(X)
    scaled, softmax = ScaledLogits(4.0).of(classifier), SoftmaxOutput().of(classifier)
    np.testing.assert_allclose(scaled.predict(X), z / 4, rtol=0, atol=1e-5)
    assert softmax.predict(X).dtype == np.float32
    with backend.double_precision():
        wide = InFloat64().of(classifier)
        assert wide.predict(X).dtype == np.float64
        np.testing.assert_allclose(wide.predict(X), X.reshape(6, -1) @ KERNEL, atol=2e-2)


class Hidden(layers.Layer):
    """A softmax that nobody finds."""

    def call(self, z):
        return ops.softmax(z)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"], indirect=True)
def test_probabilities_are_found_for_all_their_rounding(policy):
    model = keras.Sequential([linear(None), Hidden()], name="hidden")
    classifier = Classifier(model)
    sums = classifier.predict(X).sum(axis=1)
    assert np.abs(sums - 1).max() > 1e-4
    with pytest.raises(ValueError, match="outputs of hidden are probabilities"):
        engines.run(FGSM(LINF), classifier, X, np.zeros(6, int))


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="precision must be float32 or float64, got 'float16'"):
        Classifier(linear(), precision="float16")
