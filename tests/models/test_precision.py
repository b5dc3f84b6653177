"""A float64 copy is the same model in another precision, or it is refused."""

import keras
import numpy as np
import pytest
from keras import ops

from robustnets import backend
from robustnets.models.classifier import Classifier
from robustnets.models.precision import float64_copy

X = np.random.default_rng(0).uniform(0, 1, (6, 5, 4, 3)).astype(np.float32)


def inner():
    layers = [keras.layers.Conv2D(4, 2, activation="tanh"), keras.layers.BatchNormalization()]
    return keras.Sequential([keras.Input(X.shape[1:]), *layers])


class Nested(keras.layers.Layer):
    """Makes a layer of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = keras.layers.Rescaling(3.0)

    def call(self, x):
        return self.scale(x)


class Narrow(keras.layers.Layer):
    """Computes in float32 whatever it is given."""

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, x):
        return ops.cast(x, "float32")


class Forgetful(keras.layers.Layer):
    """Cannot say in its config what it was made with."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x


def model_with(layer):
    inputs = keras.Input(X.shape[1:])
    hidden = keras.layers.Flatten()(inner()(layer(inputs)))
    return Classifier(keras.Model(inputs, keras.layers.Dense(7)(hidden) + 1.0))


def test_the_copy_has_the_same_logits_in_more_digits():
    classifier = model_with(Nested())
    with backend.double_precision():
        copy = float64_copy(classifier, X)
        logits = copy.predict(X.astype(np.float64))
        moved = copy.predict(X.astype(np.float64) + 1e-12)
    assert logits.dtype == np.float64
    np.testing.assert_allclose(logits, classifier.predict(X), atol=1e-5)
    assert 1e-13 < np.abs(moved - logits).max() < 1e-10
    assert keras.config.dtype_policy().name == "float32"
    assert classifier.model.layers[1].dtype_policy.name == "float32"


@pytest.mark.parametrize(
    "layer",
    [Narrow(), Forgetful(np.float32([2.0])), keras.layers.Lambda(lambda x: ops.cast(x, "float32"))],
)
def test_what_cannot_be_copied_is_refused(layer):
    inputs = keras.Input(X.shape[1:])
    classifier = Classifier(
        keras.Model(inputs, layer(keras.layers.Dense(7)(keras.layers.Flatten()(inputs))))
    )
    with backend.double_precision(), pytest.raises(ValueError, match="no float64 copy"):
        float64_copy(classifier, X)
    assert keras.config.dtype_policy().name == "float32"
