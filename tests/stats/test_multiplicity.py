"""Holm's adjustment."""

import numpy as np
import pytest

from robustnets.stats.multiplicity import holm


def test_textbook_example():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, each at least its predecessor
    np.testing.assert_allclose(
        holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [([], []), ([0.3], [0.3]), ([0.6, 0.9], [1.0, 1.0]), ([0.02, 0.02, 0.02], [0.06] * 3)],
)
def test_edges(raw, adjusted):
    np.testing.assert_allclose(holm(raw), adjusted, rtol=0, atol=1e-12)
