"""One logit as two."""

import numpy as np
import pytest
from keras import ops

from robustnets.layers import TwoLogits

Z = np.random.default_rng(0).normal(0, 3, 5).astype(np.float32)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 1, 1)])
def test_zero_and_the_value(shape):
    found = ops.convert_to_numpy(TwoLogits()(Z.reshape(shape)))
    np.testing.assert_array_equal(found, np.stack([np.zeros(5, np.float32), Z], axis=1))


def test_the_softmax_is_the_sigmoid():
    p = ops.convert_to_numpy(ops.softmax(TwoLogits()(Z[:, None])))[:, 1]
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-Z)), rtol=0, atol=1e-6)


def test_more_values_are_refused():
    with pytest.raises(ValueError, match=r"one value for each example, got \(5, 2\)"):
        TwoLogits()(np.zeros((5, 2), np.float32))
