"""A filter folded into a dense layer gives the same answers and gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from robustnets import backend
from robustnets.layers import FilterSpec, LinearFilter, fit_filter, fold, prepend

SHAPE = (5, 4, 3)
X = np.random.default_rng(0).uniform(0, 1, (90, *SHAPE)).astype(np.float32)


def dense(*layers):
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), *layers])


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("method", ["pca", "fastica"])
def test_the_same_logits_and_gradients(use_bias, method):
    inner = dense(keras.layers.Dense(11, "tanh", use_bias=use_bias), keras.layers.Dense(7))
    model = prepend(inner, LinearFilter.of(fit_filter(FilterSpec(method, 6), X, 0)))
    folded = fold(model)
    assert not any(isinstance(layer, LinearFilter) for layer in folded.layers)
    x = ops.convert_to_tensor(X[:13])
    for one, two in zip(*(_pass(m, x) for m in (model, folded))):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)


def _pass(model, x):
    found = backend.value_and_grad(lambda v: ops.sum(ops.square(model(v)), axis=1))(x)
    return [ops.convert_to_numpy(model(x)), *(ops.convert_to_numpy(part) for part in found)]


def test_whatever_cannot_be_folded_comes_back():
    plain = dense(keras.layers.Dense(7))
    assert fold(plain) is plain
    conv = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Conv2D(2, 3), keras.layers.Flatten(),
         keras.layers.Dense(7)]
    )  # fmt: skip
    model = prepend(conv, LinearFilter.of(fit_filter(FilterSpec("pca", 6), X, 0)))
    assert fold(model) is model
