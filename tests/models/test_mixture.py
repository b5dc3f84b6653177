"""Averages of softmaxes and sigmoids: their logits are the logarithm of the mean."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from robustnets import backend, engines
from robustnets.attacks import PGD
from robustnets.core.threat import ThreatModel
from robustnets.models import Classifier
from robustnets.models.load import load_classifier
from robustnets.models.logits import without_head

SHAPE = (5, 4, 3)
pytestmark = pytest.mark.filterwarnings("ignore:.*it is used through")
X = np.random.default_rng(0).uniform(0, 1, (6, *SHAPE)).astype(np.float32)


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def member(units=7, head="softmax", name=None):
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Flatten(), layers.Dense(units, head)], name=name
    )


def of(build, name="ensemble"):
    """A model of what `build` makes of the images."""
    images = keras.Input(SHAPE, name="images")
    return keras.Model(images, build(images), name=name)


def dense(x, units=7, head="softmax"):
    return layers.Dense(units, head)(layers.Flatten()(x))


def pair(weight=0.5, name="pair"):
    return of(lambda x: weight * dense(x) + (1 - weight) * dense(x), name)


class Ensemble(keras.Model):
    """As people write it: a sum over members, divided by their number."""

    def __init__(self):
        super().__init__(name="ensemble")
        self.members = [member(name=f"m{i}") for i in range(3)]

    def call(self, x):
        return sum(m(x) for m in self.members) / len(self.members)


def subclassed():
    model = Ensemble()
    model(X)
    return model


def over_views():
    shared = member()
    return of(lambda x: layers.Average()([shared(x), shared(ops.flip(x, axis=2))]))


def over_views_of_a_layer():
    head = layers.Dense(7, "softmax")
    return of(
        lambda x: (head(layers.Flatten()(x)) + head(layers.Flatten()(ops.flip(x, axis=1)))) / 2.0
    )


def over_places(x):
    return layers.GlobalAveragePooling2D()(layers.Conv2D(7, 2, activation="softmax")(x))


MEANS = {
    "average": lambda: of(lambda x: layers.Average()([dense(x), dense(x)])),
    "added and divided": lambda: of(lambda x: (dense(x) + dense(x) + dense(x)) / 3),
    "weighted": lambda: of(lambda x: 0.3 * dense(x) + dense(x) * 0.7),
    "weighted by layers": lambda: of(
        lambda x: layers.Add()([layers.Rescaling(0.9)(dense(x)), layers.Rescaling(0.1)(dense(x))])
    ),
    "stacked": lambda: of(lambda x: ops.mean(ops.stack([dense(x), dense(x)]), axis=0)),
    "stacked last": lambda: of(lambda x: ops.mean(ops.stack([dense(x), dense(x)], -1), axis=-1)),
    "members are models": lambda: of(lambda x: layers.Average()([member()(x), member()(x)])),
    "softmax layers": lambda: of(
        lambda x: layers.Average()([layers.Softmax()(dense(x, head=None)), dense(x)])
    ),
    "nested": lambda: of(
        lambda x: layers.Average()([pair(name="a")(x), pair(0.3, name="b")(x), dense(x)])
    ),
    "nested behind nothing": lambda: of(
        lambda x: layers.Average()(
            [layers.Dropout(0.5)(layers.Average()([dense(x), dense(x)])), dense(x)]
        )
    ),
    "in a model, behind nothing": lambda: keras.Sequential(
        [keras.Input(SHAPE), MEANS["average"](), layers.Activation("linear", dtype="float32")]
    ),
    "subclassed": subclassed,
    "over views": over_views,
    "over views of a layer": over_views_of_a_layer,
    "over places": lambda: of(over_places),
}


@pytest.mark.parametrize("case", MEANS)
def test_the_softmax_of_the_logits_is_the_mean(case):
    model = MEANS[case]()
    with pytest.warns(UserWarning, match="ends in a mean .*, the logarithm of that"):
        classifier = Classifier(model)
    z = classifier.predict(X)
    assert z.shape == (6, 7)
    np.testing.assert_allclose(
        numbers(ops.softmax(z)), numbers(model(X, training=False)), rtol=0, atol=1e-6
    )


def test_a_sum_that_is_no_mean_has_the_same_classes():
    model = of(lambda x: dense(x) + 3.0 * dense(x))
    bare, what = without_head(model)
    assert what.startswith("mean of 2 softmaxes")
    z = numbers(ops.softmax(bare(X)))
    np.testing.assert_allclose(z, numbers(model(X)) / 4, rtol=0, atol=1e-6)


NO_MEANS = {
    "a difference": lambda x: dense(x) - dense(x),
    "a negative weight": lambda x: dense(x) + dense(x) * -0.5,
    "a residual": lambda x: dense(x) + dense(x, head=None),
    "shifted": lambda x: layers.Rescaling(0.5, offset=0.1)(dense(x)) + dense(x),
    "weights by class": lambda x: dense(x) * np.arange(7, dtype="float32") + dense(x),
    "unlike members": lambda x: dense(x) + dense(x, head="sigmoid"),
    "divided by": lambda x: 1.0 / dense(x) + dense(x),
    "over classes": lambda x: ops.mean(ops.stack([dense(x), dense(x)], 1), axis=2),
}


@pytest.mark.parametrize("case", NO_MEANS)
def test_what_is_no_mean_stays(case):
    model = of(NO_MEANS[case])
    assert without_head(model) == (model, None)


@pytest.mark.parametrize("units", [1, 3])
def test_a_mean_of_sigmoids_becomes_its_log_odds(units):
    model = of(lambda x: layers.Average()([dense(x, units, "sigmoid") for _ in range(3)]))
    bare, what = without_head(model)
    assert what.startswith("mean of 3 sigmoids")
    again = numbers(ops.sigmoid(bare(X)))
    np.testing.assert_allclose(again, numbers(model(X)), rtol=0, atol=1e-6)


def sure():
    """An ensemble whose mean rounds to 0 and 1 in float32."""
    rng = np.random.default_rng(3)
    model = of(lambda x: layers.Average()([dense(x), dense(x)]))
    model.set_weights([rng.normal(0, 40, w.shape) for w in model.get_weights()])
    return model


def test_the_gradient_of_a_sure_ensemble_is_there():
    model = sure()
    given = numbers(model(X))
    assert (given.min(axis=1) == 0).all()  # so that log(mean) would be -inf
    classifier = Classifier(model)
    tensor = ops.convert_to_tensor(X)
    last = int(given.argmin(axis=1)[0])
    value, gradient = backend.value_and_grad(lambda v: classifier.logits(v)[:, last])(tensor)
    # by hand in float64: log of the mean of two softmaxes, and its gradient
    kernels = [w.astype(np.float64) for w in model.get_weights()]
    flat = X.reshape(6, -1).astype(np.float64)
    logs, ways = [], []
    for kernel, bias in (kernels[:2], kernels[2:]):
        z = flat @ kernel + bias
        z -= z.max(axis=1, keepdims=True)
        log = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        logs.append(log[:, last])
        ways.append(kernel[:, last] - np.exp(log) @ kernel.T)
    expected = np.logaddexp(*logs) - np.log(2)
    np.testing.assert_allclose(numbers(value), expected, rtol=1e-5, atol=0)
    share = np.exp(np.array(logs) - np.logaddexp(*logs))
    by_hand = (share[0][:, None] * ways[0] + share[1][:, None] * ways[1]).reshape(X.shape)
    size = np.abs(by_hand).max()
    np.testing.assert_allclose(numbers(gradient) / size, by_hand / size, rtol=0, atol=1e-3)
    assert (np.abs(numbers(gradient)).max(axis=(1, 2, 3)) > 1).all()


def test_an_ensemble_is_attacked_and_loaded(tmp_path):
    model = MEANS["average"]()
    with pytest.warns(UserWarning, match=r"mean of 2 softmaxes \(softmax"):
        classifier = Classifier(model)
    y = classifier.predict(X).argmax(axis=1)
    found = engines.run(PGD(ThreatModel("linf", 0.5), steps=5), classifier, X, y)
    assert found.success.all()
    model.save(tmp_path / "ensemble.keras")
    with pytest.warns(UserWarning, match="mean of 2 softmaxes"):
        again = load_classifier(tmp_path / "ensemble.keras")
    np.testing.assert_allclose(again.predict(X), classifier.predict(X), rtol=0, atol=1e-6)
    assert again.digest == classifier.digest
