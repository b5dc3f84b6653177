"""FC-100-100-10: the shape the thesis gives it, and weights drawn from its seed."""

import numpy as np

from robustnets.models import Classifier, fc_100_100_10


def test_architecture():
    model = fc_100_100_10((6, 5, 2), 4, seed=0)
    assert [tuple(w.shape) for w in model.weights] == [
        *((60, 100), (100,)),
        *((100, 100), (100,)),
        *((100, 4), (4,)),
    ]
    names = [getattr(layer, "activation", None).__name__ for layer in model.layers[1:]]
    assert names == ["sigmoid", "sigmoid", "linear"]
    assert model.output_shape == (None, 4)


def test_weights_come_from_the_seed():
    one, again, other = (fc_100_100_10((6, 5, 2), 4, seed).get_weights() for seed in (1, 1, 2))
    for a, b, c in zip(one[::2], again[::2], other[::2]):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0.01
    for bias in one[1::2]:
        np.testing.assert_array_equal(bias, 0)
    # Glorot uniform: within sqrt(6 / (in + out)), and close to it somewhere
    for kernel in one[::2]:
        limit = np.sqrt(6 / sum(kernel.shape))
        assert 0.9 * limit < np.abs(kernel).max() <= limit
    # the two hidden layers draw from streams of their own
    assert not np.array_equal(one[0].ravel()[:400], one[2].ravel()[:400])


def test_digest_is_that_of_the_weights():
    digests = [Classifier(fc_100_100_10((6, 5, 2), 4, seed)).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]
