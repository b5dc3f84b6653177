"""Intervals against their formulas, SciPy's and values worked out by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from robustnets.stats.intervals import clopper_pearson, mean, next_value, rate, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high", "method"),
    [
        (50, 100, 0.4038, 0.5962, "Wilson 95 %"),
        (81, 263, 0.2553, 0.3662, "Wilson 95 %"),  # Newcombe's example of the one proportion
        (15, 148, 0.0624, 0.1605, "Wilson 95 %"),
        (1, 29, 0.0061, 0.1718, "Wilson 95 %"),
        (0, 20, 0.0, 0.1684, "Clopper-Pearson 95 %"),  # 1 - 0.025 ** (1 / 20)
        (0, 100, 0.0, 0.0362, "Clopper-Pearson 95 %"),  # 1 - 0.025 ** (1 / 100)
        (100, 100, 0.9638, 1.0, "Clopper-Pearson 95 %"),
        (1, 1, 0.025, 1.0, "Clopper-Pearson 95 %"),
    ],
)
def test_rate(successes, n, low, high, method):
    interval = rate(successes, n)
    assert interval.estimate == successes / n
    assert interval.n == n
    assert interval.method.replace("95%", "95 %") == method
    np.testing.assert_allclose([interval.low, interval.high], [low, high], rtol=0, atol=5.1e-5)


def test_rate_by_its_formula():
    s, n, z = 7, 23, 2.5758293035489004
    p = s / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    interval = rate(s, n, level=0.99)
    np.testing.assert_allclose(
        [interval.low, interval.high], [centre - half, centre + half], rtol=0, atol=1e-12
    )
    assert "99" in interval.method


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_rate_refuses(successes, n):
    with pytest.raises(ValueError, match=f"in 0..n with n >= 1, got {successes} of {n}"):
        rate(successes, n)


@pytest.mark.parametrize(("successes", "n"), [(81, 263), (15, 148), (0, 20), (1, 29), (29, 29)])
def test_scipys_intervals(successes, n):
    """SciPy inverts the binomial and the score test on its own."""
    test = stats.binomtest(successes, n)
    for ours, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
        theirs = test.proportion_ci(0.95, method)
        i = ours(successes, n)
        assert (i.low, i.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert clopper_pearson(successes, n).method == "Clopper-Pearson 95%"


def test_wilson_at_the_end():
    """0 of n: from 0 to z^2 / (n + z^2); `rate` is wider there."""
    i, z = wilson(0, 20), 1.959963984540054
    assert (i.low, i.high) == pytest.approx((0, z * z / (20 + z * z)), abs=1e-9)
    assert rate(0, 20).high > i.high


def test_names_keep_the_digits_of_the_level():
    assert wilson(1, 2, level=0.999).method == "Wilson 99.9%"
    assert mean([1.0, 2.0], level=0.9).method == "t 90%"


@pytest.mark.parametrize("level", [0.0, 1.0, 95, math.nan])
def test_refuses_a_level(level):
    for call in (lambda: wilson(1, 2, level), lambda: mean([1.0, 2.0], level)):
        with pytest.raises(ValueError, match=r"level must lie in \(0, 1\)"):
            call()


def test_mean_refuses_failed_attacks_and_shows_gaps():
    with pytest.raises(ValueError, match="2 of 3 values are infinite and have no mean"):
        mean([0.1, math.inf, math.inf])
    gap = mean([0.1, math.nan])
    assert math.isnan(gap.estimate)
    assert math.isnan(gap.low)


def test_mean_by_hand():
    # mean 5, sd 2, t(0.975, 3) = 3.18245 (any table): half width 3.18245 * 2 / sqrt(4)
    values = np.array([3, 5 - math.sqrt(2), 5 + math.sqrt(2), 7]) - 5
    values = 5 + values * 2 / values.std(ddof=1)
    interval = mean(values)
    assert interval.n == 4
    np.testing.assert_allclose(
        [interval.estimate, interval.low, interval.high], [5, 1.81755, 8.18245], rtol=0, atol=1e-4
    )
    # one more value: half width 3.18245 * 2 * sqrt(1 + 1 / 4) = 7.11617
    np.testing.assert_allclose(next_value(values), [-2.11617, 12.11617], rtol=0, atol=1e-4)
    # t(0.95, 3) = 2.35336
    np.testing.assert_allclose(mean(values, 0.9).high, 5 + 2.35336, rtol=0, atol=1e-4)


def test_one_seed_says_nothing_about_spread():
    interval = mean(np.array([0.3]))
    assert (interval.estimate, interval.n) == (0.3, 1)
    assert (interval.low, interval.high) == (-math.inf, math.inf)
    assert next_value(np.array([0.3])) == (-math.inf, math.inf)


def test_equal_values_have_no_width():
    interval = mean(np.full(3, 0.25))
    assert (interval.low, interval.estimate, interval.high) == (0.25, 0.25, 0.25)


def test_mean_of_nothing():
    with pytest.raises(ValueError, match="the mean of no values has no interval"):
        mean(np.array([]))


def test_next_value_covers():
    """2000 times: does the interval from 5 normal values hold the sixth? Exactly 95 %.

    Standard deviation of the share: 0.005.
    """
    draws = np.random.default_rng(1).normal(3, 2, (2000, 6))
    bounds = np.array([next_value(row[:5]) for row in draws])
    inside = (bounds[:, 0] <= draws[:, 5]) & (draws[:, 5] <= bounds[:, 1])
    assert 0.93 < inside.mean() < 0.97
