"""How an attacker looks at a classifier: Keras' own loss, and when its gradient is zero."""

import keras
import numpy as np
import pytest
from keras import ops

from robustnets import backend
from robustnets.attacks import losses
from robustnets.attacks.losses import ascent_gradient
from robustnets.models import Classifier, InFloat64, ScaledLogits, SoftmaxOutput

RNG = np.random.default_rng(0)
X = RNG.random((60, 3, 2, 1), np.float32)
K = 4


def classifier(scale):
    """Logits that are `scale` times a random linear map of the image."""
    dense = keras.layers.Dense(K, name="logits")
    model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Flatten(), dense])
    kernel = np.random.default_rng(1).normal(0, scale, (6, K)).astype(np.float32)
    model.set_weights([kernel, np.zeros(K, np.float32)])
    return Classifier(model)


def gradient(logits, y):
    return ops.convert_to_numpy(
        ascent_gradient(logits, ops.convert_to_tensor(X), ops.convert_to_tensor(y), False)
    )


def keras_loss(plain, x, y):
    """What Keras takes of probabilities, if it does not see the logits that they come from."""
    return keras.losses.categorical_crossentropy(ops.one_hot(y, K), plain.probabilities(x) * 1.0)


def keras_gradient(plain, y):
    def loss(x):
        return keras_loss(plain, x, y)

    return ops.convert_to_numpy(backend.value_and_grad(loss)(ops.convert_to_tensor(X))[1])


@pytest.mark.parametrize("scale", [1.0, 20.0, 150.0])
def test_softmax_output_has_the_loss_and_gradient_of_keras(scale):
    plain = classifier(scale)
    y = plain.predict(X).argmax(axis=1).astype(np.int32)
    seen = SoftmaxOutput().of(plain)
    loss = losses.cross_entropy(seen.logits(ops.convert_to_tensor(X)), y)
    expected = keras_loss(plain, ops.convert_to_tensor(X), y)
    np.testing.assert_allclose(
        ops.convert_to_numpy(loss), ops.convert_to_numpy(expected), rtol=0, atol=2e-6
    )
    ours, theirs = gradient(seen.logits, y), keras_gradient(plain, y)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale)
    zero = (ours == 0).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(zero, (theirs == 0).all(axis=(1, 2, 3)))
    moved = np.abs(theirs) > 1e-5 * scale
    np.testing.assert_array_equal(np.sign(ours)[moved], np.sign(theirs)[moved])
    shares = {1.0: (0.0, 0.0), 20.0: (0.05, 0.95), 150.0: (0.5, 0.98)}[scale]
    assert shares[0] <= zero.mean() <= shares[1]


def test_logits_lose_their_gradient_later_and_scaled_ones_never():
    plain = classifier(150.0)
    y = plain.predict(X).argmax(axis=1).astype(np.int32)

    def zero(logits):
        return (gradient(logits, y) == 0).all(axis=(1, 2, 3)).mean()

    softmax, logits, scaled = (
        zero(seen.logits)
        for seen in (SoftmaxOutput().of(plain), plain, ScaledLogits(150.0).of(plain))
    )
    assert softmax > logits + 0.3
    assert scaled == 0.0
    # at the temperature that the logits have, the softmax hides nothing either
    assert zero(SoftmaxOutput(150.0).of(plain).logits) == 0.0


def test_float64_finds_the_gradients_that_float32_rounds_to_zero():
    """The clip of the softmax hides in any precision; an underflow of the logits' loss does not."""
    plain = classifier(150.0)
    y = plain.predict(X).argmax(axis=1).astype(np.int32)
    narrow, clipped = (gradient(s.logits, y) for s in (plain, SoftmaxOutput().of(plain)))
    with backend.double_precision():
        wide = gradient(InFloat64().of(plain).logits, y)
        still = gradient(InFloat64(SoftmaxOutput()).of(plain).logits, y)
    zero = [(g == 0).all(axis=(1, 2, 3)) for g in (narrow, wide, clipped, still)]
    assert zero[0].mean() > 0.2
    assert not zero[1].any()  # these logits are less than 745 apart
    np.testing.assert_array_equal(zero[2], zero[3])
    # where float32 has a gradient, it is the same one but for its length
    there = ~zero[0]
    size = np.abs(narrow[there]).max(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(narrow[there] / size, wide[there], rtol=0, atol=1e-4)
    assert wide.dtype == np.float32


@pytest.mark.parametrize("view", [SoftmaxOutput(), SoftmaxOutput(3.0), ScaledLogits(7.0)])
def test_no_prediction_changes_and_weights_are_shared(view):
    plain = classifier(3.0)
    seen = view.of(plain)
    # not compiled, for on JAX a compiled function keeps the weights that it was compiled with
    before = ops.convert_to_numpy(seen.logits(ops.convert_to_tensor(X)))
    np.testing.assert_array_equal(before.argmax(axis=1), plain.predict(X).argmax(axis=1))
    plain.model.set_weights([2 * w for w in plain.model.get_weights()])
    after = ops.convert_to_numpy(seen.logits(ops.convert_to_tensor(X)))
    assert np.abs(after - before).max() > 0.1


def test_scaled_logits():
    plain = classifier(3.0)
    np.testing.assert_allclose(
        ScaledLogits(4.0).of(plain).predict(X), plain.predict(X) / 4, rtol=0, atol=1e-6
    )


def test_labels():
    views = [SoftmaxOutput(), SoftmaxOutput(20.0), ScaledLogits(20.0)]
    labels = ["softmax", "softmax at T 20", "logits / 20"]
    assert [view.label for view in views] == labels
    assert [InFloat64(view).label for view in views] == [f"{x} in float64" for x in labels]
    assert InFloat64().label == "logits in float64"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScaledLogits(0.0), "temperature must be finite and > 0, got 0.0"),
        (lambda: SoftmaxOutput(-1.0), "temperature must be finite and > 0, got -1.0"),
        (lambda: InFloat64("softmax"), "view must be ScaledLogits, SoftmaxOutput or None"),
        (lambda: SoftmaxOutput(clip=0.0), r"clip must lie in \(0, 0.5\), got 0.0"),
        (lambda: SoftmaxOutput(clip=0.5), r"clip must lie in \(0, 0.5\), got 0.5"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
