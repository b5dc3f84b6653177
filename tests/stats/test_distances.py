"""Distances of which some are infinite: medians, curves and signed ranks."""

import math

import numpy as np
import pytest
from scipy import stats

from robustnets.stats import distance_curve, median_distance, paired_distances

INF = math.inf
# weeks of remission, the placebo arm of the 6-MP data that survival libraries come with
REMISSION = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def test_median_with_ties():
    """The 11th of 21, and the 6th and 16th: P(at most 5 of 21) = 0.0133, at most 6: 0.0392."""
    assert stats.binom.cdf(5, 21, 0.5) < 0.025 < stats.binom.cdf(6, 21, 0.5)
    i = median_distance(REMISSION)
    assert (i.low, i.estimate, i.high, i.n) == (4, 8, 12, 21)
    assert i.method == "order statistics 95%"


@pytest.mark.parametrize(
    ("n", "low", "high"),
    [(6, 1, 6), (9, 2, 8), (20, 6, 15), (50, 18, 33), (100, 40, 61)],
)
def test_median_ranks(n, low, high):
    """The innermost ranks beyond which at most 2.5 % of a binomial with p = 1/2 lies."""
    assert stats.binom.cdf(low - 1, n, 0.5) <= 0.025 < stats.binom.cdf(low, n, 0.5)
    assert high == n + 1 - low
    values = np.random.default_rng(0).permutation(np.arange(1, n + 1))
    i = median_distance(values)
    assert (i.low, i.high) == (low, high)
    assert i.estimate == (n + 1) / 2


def test_median_of_too_few():
    i = median_distance([0.5, 0.7, 0.6, 0.9, 0.8])
    assert (i.low, i.estimate, i.high) == (0.0, 0.7, INF)


@pytest.mark.parametrize(
    ("failed", "low", "estimate", "high"),
    [(0, 40, 50.5, 61), (39, 40, 50.5, 61), (40, 40, 50.5, INF), (50, 40, INF, INF),
     (60, 40, INF, INF), (61, INF, INF, INF), (100, INF, INF, INF)],
)  # fmt: skip
def test_median_with_failures(failed, low, estimate, high):
    values = np.arange(1.0, 101)
    values[100 - failed :] = INF
    i = median_distance(np.random.default_rng(0).permutation(values))
    assert (i.low, i.estimate, i.high) == (low, estimate, high)


def test_failures_are_not_left_out():
    """The mean and median of the survivors would be 0.1."""
    assert median_distance([0.1] * 30 + [INF] * 70).estimate == INF


def test_curve_by_hand():
    c = distance_curve([0.3, 0.1, INF, 0.1, INF])
    half = math.sqrt(math.log(40) / 10)
    assert c.distance.tolist() == [0.1, 0.3]
    np.testing.assert_allclose(c.share, [0.4, 0.6], rtol=0, atol=1e-12)
    np.testing.assert_allclose(c.low, [0, 0], rtol=0, atol=1e-12)  # 0.607 wide
    np.testing.assert_allclose(c.high, [1, 1], rtol=0, atol=1e-12)
    assert (c.n, c.method) == (5, "DKW band 95%")
    wide = distance_curve(np.repeat([1.0, INF], 500))
    assert wide.high[0] - 0.5 == pytest.approx(half * math.sqrt(5 / 1000), abs=1e-12)


def test_curve_without_any_success():
    c = distance_curve([INF, INF])
    assert c.distance.shape == c.share.shape == c.low.shape == (0,)


def test_curve_covers_as_a_whole():
    """2000 draws of 50 distances, 40 % of them failures: 95 %, 0.5 % is a standard deviation.

    Failures leave a part of the curve unseen, so that the band covers somewhat more.
    """
    rng = np.random.default_rng(0)
    held = 0
    for values in rng.random((2000, 50)):
        c = distance_curve(np.where(values < 0.6, values, INF))
        # the curve is a step function: below each step the step before it holds
        before = np.concatenate([[0.0], c.share[:-1]])
        half = math.sqrt(math.log(40) / 100)
        held += bool((c.low <= c.distance).all() and (c.distance <= before + half).all())
    assert 0.94 < held / 2000 < 0.985


def test_signed_rank_by_counting():
    """Two negative differences with ranks 2 and 3 of 9: 10 of 2^9 sets of ranks sum to at most 5.

    The example of wilcox.test in R, whose one-sided p is 0.01953.
    """
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    d = paired_distances(before, after)
    assert d.p == pytest.approx(2 * 10 / 2**9, abs=1e-12)
    assert (d.first_farther, d.second_farther, d.both_failed) == (7, 2, 0)
    assert d.median_difference.estimate == pytest.approx(0.49, abs=1e-12)


def test_failures_rank_highest():
    """Two failures against finite distances outweigh many small steps the other way."""
    small = np.arange(1, 9) / 100
    first = np.concatenate([small, [INF] * 8])
    second = np.concatenate([small + np.arange(1, 9) / 1000, np.full(8, 0.5)])
    d = paired_distances(first, second)
    assert (d.first_farther, d.second_farther) == (8, 8)
    # ranks 1 to 8 against 8 times 12.5: 36 of 136, z = 32 / sqrt(16 17 33 / 24 - 8 63 / 48)
    z = 32 / math.sqrt(16 * 17 * 33 / 24 - 8 * 63 / 48)
    assert d.p == pytest.approx(math.erfc(z / math.sqrt(2)), abs=1e-12)
    assert d.median_difference.high == INF
    # how far beyond the finite ones does not matter, as long as they stay beyond
    far = np.where(np.isinf(first), 0.5 + 1e6, first)
    assert paired_distances(far, second).p == pytest.approx(d.p, abs=1e-12)


def test_both_failing_is_a_tie_that_takes_the_lowest_ranks():
    """20 ties, then ranks 21 to 40, all of one sign: sum 610, variance sum of squares / 4."""
    first, second = np.arange(2.0, 22), np.arange(1.0, 21) - np.arange(20) / 100
    tied = paired_distances([*first, *[INF] * 20], [*second, *[INF] * 20])
    assert (tied.first_farther, tied.second_farther, tied.both_failed) == (20, 0, 20)
    z = (610 / 2) / math.sqrt(sum(r * r for r in range(21, 41)) / 4)
    assert tied.p == pytest.approx(math.erfc(z / math.sqrt(2)), abs=1e-12)
    assert tied.median_difference.low == 0.0
    # without ties all 20 have one sign with probability 2 / 2^20
    assert paired_distances(first, second).p == pytest.approx(2 / 2**20, abs=1e-12)


def test_nothing_to_tell_apart():
    d = paired_distances([0.1, INF, 0.2], [0.1, INF, 0.2])
    assert (d.p, d.median_difference.estimate) == (1.0, 0.0)
    assert (d.median_difference.low, d.median_difference.high) == (-INF, INF)


def test_swapped():
    rng = np.random.default_rng(0)
    a, b = rng.random(30), rng.random(30)
    a[:4], b[2:9] = INF, INF
    one, other = paired_distances(a, b), paired_distances(b, a)
    assert one.p == pytest.approx(other.p, abs=1e-12)
    assert one.median_difference.low == -other.median_difference.high
    assert one.both_failed == other.both_failed == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"\(N,\) with N >= 1"),
        ([[0.1]], r"\(N,\) with N >= 1"),
        ([0.1, -0.2], "a failed attack infinite .*, got -0.2"),
        ([0.1, math.nan], "a failed attack infinite .*, got nan"),
    ],
)
def test_refuses(values, message):
    for call in (median_distance, distance_curve, lambda v: paired_distances(v, v)):
        with pytest.raises(ValueError, match=message):
            call(values)


def test_refuses_unequal_rows():
    with pytest.raises(ValueError, match="need two equal rows of distances"):
        paired_distances([0.1], [0.1, 0.2])
