"""A Classifier: logits out of any Keras model, and what it refuses."""

import keras
import numpy as np
import pytest

from robustnets import backend
from robustnets.layers import FilterSpec, LinearFilter, fit_filter, prepend
from robustnets.models.classifier import (
    Classifier,
    batches,
    draws_in_training,
    has_convolutions,
    run_in_batches,
)

SHAPE = (5, 4, 3)


def dense(*layers):
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), *layers])


@pytest.fixture(scope="module")
def classifier():
    return Classifier(dense(keras.layers.Dense(6, "tanh"), keras.layers.Dense(7)))


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(0, 1, (11, *SHAPE)).astype(np.float32)


def by_hand(classifier, x):
    a, b, c, d = classifier.model.get_weights()
    return np.tanh(x.reshape(len(x), -1) @ a + b) @ c + d


@pytest.mark.parametrize("batch_size", [1, 4, 11, 50])
def test_predict(classifier, x, batch_size):
    logits = classifier.predict(x, batch_size)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, by_hand(classifier, x), rtol=0, atol=1e-5)


def test_facts(classifier, x):
    assert (classifier.image_shape, classifier.classes) == (SHAPE, 7)
    p = keras.ops.convert_to_numpy(classifier.probabilities(x))
    logits = by_hand(classifier, x)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, expected, rtol=0, atol=1e-5)


def test_compiles_once(classifier):
    def twice(x):
        return classifier.logits(x) * 2

    first = classifier.compiled("twice", twice)
    assert classifier.compiled("twice", lambda x: x) is first
    assert classifier.compiled(("twice", 1), twice) is not first


def test_digest(classifier):
    model = keras.models.clone_model(classifier.model)
    model.set_weights(classifier.model.get_weights())
    other = Classifier(model)
    assert other.digest == classifier.digest
    model.layers[-1].bias.assign_add(np.eye(7, dtype=np.float32)[3] * 1e-6)
    assert other.digest != classifier.digest


def softmax_heads():
    yield dense(keras.layers.Dense(7, "softmax", name="last"))
    yield dense(keras.layers.Dense(7), keras.layers.Softmax(name="last"))
    yield dense(keras.layers.Dense(7), keras.layers.Activation("softmax", name="last"))
    inner = dense(keras.layers.Dense(7, "softmax", name="last"))
    yield keras.Sequential([keras.Input(SHAPE), keras.layers.Rescaling(0.5), inner])
    x = np.random.default_rng(1).uniform(0, 1, (11, *SHAPE)).astype(np.float32)
    yield prepend(inner, LinearFilter.of(fit_filter(FilterSpec("pca", 3), x, 0)))


@pytest.mark.parametrize("number", range(5))
def test_a_softmax_at_the_end_is_taken_off(number, x):
    model = list(softmax_heads())[number]
    with pytest.warns(UserWarning, match=r"ends in a softmax \(last\); it is used through its"):
        classifier = Classifier(model)
    z = classifier.predict(x)
    assert np.abs(z.sum(axis=1) - 1).max() > 0.1
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, model.predict(x, verbose=0), rtol=0, atol=1e-6)
    assert classifier.image_shape == SHAPE


def test_several_inputs_or_outputs_are_refused():
    a, b = keras.Input((3,)), keras.Input((3,))
    out = keras.layers.Dense(2)(a)
    with pytest.raises(ValueError, match="one input and one output, two has 2 and 1"):
        Classifier(
            keras.Model([a, b], keras.layers.Add()([out, keras.layers.Dense(2)(b)]), name="two")
        )
    with pytest.raises(ValueError, match="one input and one output, forked has 1 and 2"):
        Classifier(keras.Model(a, [out, keras.layers.Dense(4)(a)], name="forked"))


def test_maps_are_no_logits():
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Dense(2)], name="maps")
    with pytest.raises(ValueError, match=r"logits must be \(N, K\), maps gives"):
        Classifier(model)


def test_batches(x):
    parts = list(batches(x, 4))
    assert [n for _, n in parts] == [4, 4, 3]
    assert {part.shape for part, _ in parts} == {(4, *SHAPE)}
    np.testing.assert_array_equal(np.concatenate([p[:n] for p, n in parts]), x)
    np.testing.assert_array_equal(parts[-1][0][3], x[-1])


def test_run_in_batches_compiles_one_shape(x):
    shapes = []

    def double(part):
        shapes.append(tuple(part.shape))  # runs while tracing only
        return part * 2

    out = run_in_batches(backend.compiled(double), x, 4)
    np.testing.assert_array_equal(out, x * 2)
    assert shapes == [(4, *SHAPE)]


def test_has_convolutions():
    assert not has_convolutions(dense(keras.layers.Dense(2)))
    inner = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Conv2D(2, 2), keras.layers.Flatten()]
    )
    assert has_convolutions(keras.Sequential([keras.Input(SHAPE), inner, keras.layers.Dense(2)]))


def test_draws_in_training():
    assert not draws_in_training(dense(keras.layers.Dense(2)))
    assert not draws_in_training(dense(keras.layers.Dropout(0.0)))
    inner = dense(keras.layers.Dropout(0.5))
    assert draws_in_training(keras.Sequential([keras.Input(SHAPE), inner, keras.layers.Dense(2)]))
