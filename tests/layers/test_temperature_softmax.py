"""The softmax at a temperature: its values, its gradient, and what float32 makes of large gaps."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import softmax

from robustnets import backend
from robustnets.layers import TemperatureSoftmax
from robustnets.models import Classifier

Z = np.random.default_rng(0).normal(0, 30, (7, 5)).astype(np.float32)


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("temperature", [0.5, 1, 10.0, 100.0])
def test_values(temperature):
    found = numbers(TemperatureSoftmax(temperature)(Z))
    np.testing.assert_allclose(
        found, softmax(Z.astype(np.float64) / temperature, axis=1), rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(found.argmax(axis=1), Z.argmax(axis=1))


def test_a_temperature_divides_the_gradient():
    """d log p / dz = (one-hot - p) / T."""
    t, y = 20.0, np.arange(7) % 5
    layer = TemperatureSoftmax(t)
    _, gradient = backend.value_and_grad(
        lambda z: ops.sum(ops.log(layer(z)) * np.eye(5, dtype=np.float32)[y], axis=1)
    )(ops.convert_to_tensor(Z))
    expected = (np.eye(5)[y] - softmax(Z.astype(np.float64) / t, axis=1)) / t
    np.testing.assert_allclose(numbers(gradient), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 100.0])
def test_gaps_that_the_docstring_names(temperature):
    """Two classes, the second so many temperatures below the first."""

    def probabilities(gap):
        z = np.array([[gap * temperature, 0.0]], np.float32)
        return numbers(TemperatureSoftmax(temperature)(z))[0]

    assert probabilities(16.0)[0] < 1
    assert probabilities(17.4)[0] == 1
    assert 0 < probabilities(86.0)[1] < 1e-37
    assert probabilities(105.0)[1] == 0
    assert probabilities(1e4).tolist() == [1, 0]


def test_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        out = TemperatureSoftmax(10.0)(Z)
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(out.dtype) == "float32"


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), True, "10"])
def test_refusals(temperature):
    with pytest.raises(ValueError, match="temperature must be finite and > 0, got"):
        TemperatureSoftmax(temperature)


def test_a_classifier_takes_it_off_and_keeps_its_probabilities():
    body = [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3, name="z")]
    model = keras.Sequential([*body, TemperatureSoftmax(5.0, name="soft")])
    x = np.random.default_rng(1).random((4, 2, 2, 1), np.float32)
    with pytest.warns(UserWarning, match=r"ends in a softmax \(soft\)"):
        classifier = Classifier(model)
    np.testing.assert_allclose(
        numbers(classifier.probabilities(ops.convert_to_tensor(x))), numbers(model(x)),
        rtol=0, atol=1e-6,
    )  # fmt: skip
    bare = keras.Model(model.inputs[0], model.get_layer("z").output)
    np.testing.assert_allclose(classifier.predict(x), numbers(bare(x)) / 5, rtol=0, atol=1e-6)
