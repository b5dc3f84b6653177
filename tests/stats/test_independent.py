"""Two rates on different examples: Newcombe's intervals and Fisher's test."""

import math

import numpy as np
import pytest
from scipy import stats

from robustnets.stats import independent_rates, newcombe

# The first two are the examples that implementations of Newcombe's method 10 are tested on; the
# others are edges of his formula, which `test_by_its_formula` works out again.
VALUES = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
]


@pytest.mark.parametrize(("a", "m", "b", "n", "low", "high"), VALUES)
def test_values(a, m, b, n, low, high):
    pair = independent_rates(a, m, b, n)
    d = pair.difference
    assert d.estimate == pytest.approx(a / m - b / n, abs=1e-12)
    assert (d.low, d.high) == pytest.approx((low, high), abs=5.1e-5)
    assert (d.n, d.method) == (min(m, n), "Newcombe 95%")


@pytest.mark.parametrize(("a", "m", "b", "n"), [values[:4] for values in VALUES])
def test_by_its_formula(a, m, b, n):
    """Wilson's bounds, here SciPy's, squared and added."""
    first, second = (
        stats.binomtest(k, of).proportion_ci(0.95, "wilson") for k, of in ((a, m), (b, n))
    )
    p, q = a / m, b / n
    d = independent_rates(a, m, b, n).difference
    low = p - q - math.hypot(p - first.low, second.high - q)
    high = p - q + math.hypot(first.high - p, q - second.low)
    assert (d.low, d.high) == pytest.approx((low, high), abs=1e-9)


def test_counts_broadcast():
    low, high = newcombe(np.array([9, 0]), 10, np.array([3, 0]), 10)
    np.testing.assert_allclose(low, [0.1705, -0.2775], rtol=0, atol=5.1e-5)
    np.testing.assert_allclose(high, [0.8090, 0.2775], rtol=0, atol=5.1e-5)


def test_fisher_by_hand():
    """The lady tasting tea: 3 of 4 against 1 of 4, p = (16 + 16 + 1 + 1) / 70."""
    assert independent_rates(3, 4, 1, 4).p == pytest.approx(34 / 70, abs=1e-12)
    # all against none: the two most extreme tables of C(10, 5)
    assert independent_rates(5, 5, 0, 5).p == pytest.approx(2 / math.comb(10, 5), abs=1e-12)


@pytest.mark.parametrize("counts", [(-1, 5, 0, 5), (0, 5, 6, 5), (0, 0, 0, 5), (0, 5, 0, 0)])
def test_refuses(counts):
    with pytest.raises(ValueError, match=r"in 0\.\.n with n >= 1"):
        independent_rates(*counts)


def test_refuses_a_level():
    with pytest.raises(ValueError, match=r"level must lie in \(0, 1\), got 95"):
        newcombe(1, 2, 1, 2, level=95)
