"""The logits of an average of probabilities, against the formula in float64."""

import numpy as np
import pytest
from keras import ops

from robustnets.layers import MeanProbability

RNG = np.random.default_rng(0)
MEMBERS = [RNG.normal(0, 3, (5, 7)).astype(np.float32) for _ in range(3)]


def softmax(z):
    odds = np.exp(z.astype(np.float64))
    return odds / odds.sum(axis=-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z.astype(np.float64)))


def given(layer, logits):
    return ops.convert_to_numpy(layer(logits)).astype(np.float64)


@pytest.mark.parametrize("weights", [None, [1, 1, 1], [0.2, 0.5, 0.3], [2.0, 5.0, 3.0]])
def test_weighted_means(weights):
    shares = np.array(weights or [1, 1, 1]) / np.sum(weights or [1, 1, 1])
    mean = sum(s * softmax(z) for s, z in zip(shares, MEMBERS))
    found = given(MeanProbability(weights), MEMBERS)
    np.testing.assert_allclose(found, np.log(mean), rtol=0, atol=1e-5)
    mean = sum(s * sigmoid(z) for s, z in zip(shares, MEMBERS))
    found = given(MeanProbability(weights, of="sigmoid"), MEMBERS)
    np.testing.assert_allclose(found, np.log(mean / (1 - mean)), rtol=0, atol=1e-5)


def test_axes_between_are_averaged_over():
    z = RNG.normal(0, 3, (5, 2, 3, 7)).astype(np.float32)
    found = given(MeanProbability(), z)
    np.testing.assert_allclose(found, np.log(softmax(z).mean(axis=(1, 2))), rtol=0, atol=1e-5)
    both = given(MeanProbability([1, 3]), [MEMBERS[0], z])
    mean = 0.25 * softmax(MEMBERS[0]) + 0.75 * softmax(z).mean(axis=(1, 2))
    np.testing.assert_allclose(both, np.log(mean), rtol=0, atol=1e-5)


def test_nothing_underflows():
    z = [np.float32([[0.0, -300.0]]), np.float32([[0.0, -200.0]])]
    np.testing.assert_allclose(
        given(MeanProbability(), z), [[0.0, -200.0 - np.log(2)]], rtol=0, atol=1e-4
    )
    sure = [np.float32([[200.0]]), np.float32([[300.0]])]
    np.testing.assert_allclose(
        given(MeanProbability(of="sigmoid"), sure), [[200.0 + np.log(2)]], rtol=0, atol=1e-4
    )


def test_refusals():
    with pytest.raises(ValueError, match="of must be softmax or sigmoid, got 'tanh'"):
        MeanProbability(of="tanh")
    for weights in ([], [0.0], [1.0, -1.0], [np.nan]):
        with pytest.raises(ValueError, match="weights must be finite numbers > 0"):
            MeanProbability(weights)
    with pytest.raises(ValueError, match="2 weights, but 3 members"):
        MeanProbability([1, 2])(MEMBERS)
