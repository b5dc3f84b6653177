"""Models as people have them are read, counted, attacked and evaluated."""

import existing_models
import keras
import numpy as np
import pytest

from robustnets import engines
from robustnets.attacks import FGSM
from robustnets.core.threat import ThreatModel
from robustnets.engines import memory
from robustnets.evaluation import evaluate
from robustnets.models import Classifier
from robustnets.models.size import activations, multiply_adds

LINF = ThreatModel("linf", 0.1)
pytestmark = pytest.mark.filterwarnings("ignore:.*it is used through")
FAST = ("attention",)


def images(classifier, n):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 1, (n, *classifier.image_shape)).astype(np.float32)


def kernels(model):
    return sum(np.prod(w.shape) for w in model.trainable_weights if len(w.shape) > 1)


@pytest.mark.parametrize("name", existing_models.MODELS)
def test_it_is_attacked(name):
    model = existing_models.MODELS[name]()
    classifier = Classifier(model)
    assert multiply_adds(classifier.model) >= 0.9 * kernels(classifier.model)
    assert activations(classifier.model) > np.prod(classifier.image_shape)
    assert memory.batch_size(FGSM(LINF), classifier) >= 8
    x = images(classifier, 5)
    y = classifier.predict(x).argmax(axis=1)
    given = keras.ops.convert_to_numpy(model(x, training=False))
    if given.shape[1] > 1:
        np.testing.assert_array_equal(given.argmax(axis=1), y)
    found = engines.run(FGSM(LINF), classifier, x, y)
    assert np.abs(found.x - x).max() > 0.09
    # the step climbs: what it moves the losses by agrees with the gradient it followed
    losses = [classifier.predict(images) for images in (x, found.x)]
    before, after = (z[np.arange(5), y] - np.log(np.exp(z).sum(axis=1)) for z in losses)
    assert after.mean() < before.mean()


def report_of(model, folder):
    classifier = Classifier(model)
    x = images(classifier, 6)
    y = classifier.predict(x).argmax(axis=1)
    found = evaluate(model, x, y, eps=0.1, suite="quick")
    assert found.accuracy.estimate == 1.0
    assert 0 <= found.robust_accuracy.estimate <= 1
    found.save(folder)


@pytest.mark.parametrize("name", FAST)
def test_it_is_evaluated(name, tmp_path):
    report_of(existing_models.MODELS[name](), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in existing_models.MODELS if n not in FAST])
def test_every_other_is_evaluated(name, tmp_path):
    report_of(existing_models.MODELS[name](), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", existing_models.APPLICATIONS)
def test_applications_are_evaluated(name, tmp_path):
    model = existing_models.application(name)
    # untrained, its classes are alike but for rounding
    last = next(layer for layer in reversed(model.layers) if hasattr(layer, "kernel"))
    last.kernel.assign(100 * last.kernel)
    report_of(model, tmp_path)
