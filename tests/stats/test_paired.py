"""Paired comparisons: exact McNemar, Bonett and Price, and the t test over seeds."""

import math

import numpy as np
import pytest

from robustnets.stats.paired import bonett_price, mcnemar, paired_means, paired_rates


def outcomes(both, only_first, only_second, neither):
    """Two rows of outcomes with these counts, in a mixed order."""
    counts = [both, only_first, only_second, neither]
    first = np.repeat([True, True, False, False], counts)
    second = np.repeat([True, False, True, False], counts)
    order = np.random.default_rng(0).permutation(len(first))
    return first[order], second[order]


def test_a_thousand_examples():
    first, second = outcomes(900, 50, 20, 30)
    pair = paired_rates(first, second)
    assert (pair.only_first, pair.only_second, pair.difference.n) == (50, 20, 1000)
    assert pair.difference.estimate == pytest.approx(0.03, abs=1e-12)
    # two-sided exact binomial: twice the sum of C(70, k) / 2^70 for k = 0..20
    exact = 2 * sum(math.comb(70, k) for k in range(21)) / 2**70
    assert pair.p == pytest.approx(exact, abs=1e-12)
    assert pair.p == pytest.approx(0.0004, abs=0.00005)
    # Bonett and Price 2012: (b + 1) / (n + 2) and (c + 1) / (n + 2) in Wald's formula
    p1, p2 = 51 / 1002, 21 / 1002
    half = 1.959963985 * math.sqrt((p1 + p2 - (p1 - p2) ** 2) / 1002)
    np.testing.assert_allclose(
        [pair.difference.low, pair.difference.high],
        [p1 - p2 - half, p1 - p2 + half],
        rtol=0,
        atol=1e-9,
    )
    assert "Bonett-Price" in pair.difference.method


def test_swapped():
    first, second = outcomes(5, 9, 2, 4)
    one, other = paired_rates(first, second), paired_rates(second, first)
    assert one.p == other.p
    assert (one.only_first, one.only_second) == (other.only_second, other.only_first)
    assert one.difference.low == pytest.approx(-other.difference.high, abs=1e-12)


def test_no_disagreement():
    pair = paired_rates(*outcomes(8, 0, 0, 3))
    assert (pair.difference.estimate, pair.p) == (0.0, 1.0)
    assert pair.difference.low < 0 < pair.difference.high


def test_bounds_stay_in_the_possible():
    pair = paired_rates(np.ones(2, bool), np.zeros(2, bool))
    assert pair.difference.estimate == 1.0
    assert pair.difference.high == 1.0
    assert pair.difference.low < 1.0


@pytest.mark.parametrize(
    "rows",
    [
        (np.ones(3, bool), np.ones(4, bool)),
        (np.ones((2, 3), bool), np.ones((2, 3), bool)),
        (np.ones(0, bool), np.ones(0, bool)),
    ],
)
def test_rates_refuse(rows):
    with pytest.raises(ValueError, match="need two equal rows of outcomes, got"):
        paired_rates(*rows)


def test_mcnemar_by_hand():
    """1 against 7: twice P(at most 1 of 8), 18 / 256, and without half of P(1 of 8), 10 / 256."""
    assert mcnemar(1, 7) == pytest.approx((18 / 256, 10 / 256), abs=1e-12)
    pair = paired_rates(*outcomes(1, 1, 7, 12))
    assert (pair.p, pair.mid_p) == mcnemar(1, 7)


def test_mid_p_counts_ties_by_half():
    """By hand: P(more extreme) + P(as likely) / 2, over binomials with p = 1/2."""
    assert mcnemar(3, 0) == pytest.approx((2 / 8, 1 / 8), abs=1e-12)
    assert mcnemar(1, 2) == pytest.approx((1.0, 2 / 8 + 6 / 16), abs=1e-12)
    # equal counts are the likeliest outcome: 1 - C(4, 2) / 2^5
    assert mcnemar(2, 2) == pytest.approx((1.0, 1 - 6 / 32), abs=1e-12)
    assert mcnemar(0, 0) == (1.0, 1.0)
    with pytest.raises(ValueError, match="counts must be >= 0, got -1 and 2"):
        mcnemar(-1, 2)


def test_bonett_price_published():
    """The example of ci.prop.ps(.05, 12, 4, 26, 6) in Bonett's statpsych."""
    d = paired_rates(*outcomes(6, 26, 4, 12)).difference
    assert (d.low, d.high) == pytest.approx((0.2548067, 0.6251933), abs=5e-8)


@pytest.mark.parametrize("counts", [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_bonett_price_refuses(counts):
    with pytest.raises(ValueError, match="discordant counts must be >= 0"):
        bonett_price(*counts)


def test_means_by_hand():
    # differences 1, 2, 3, 6: mean 3, sd sqrt(14 / 3) = 2.16025, se 1.08012, t = 2.77746
    pair = paired_means(np.array([2.0, 4, 6, 10]), np.array([1.0, 2, 3, 4]))
    d = pair.difference
    assert (d.estimate, d.n) == (3.0, 4)
    np.testing.assert_allclose(
        [d.low, d.high], [3 - 3.18245 * 1.08012, 3 + 3.18245 * 1.08012], rtol=0, atol=1e-4
    )
    # two-sided p with 3 degrees of freedom has a closed form
    t = 3 / (math.sqrt(14 / 3) / 2)
    u = t / math.sqrt(3)
    p = 2 * (0.5 - (math.atan(u) + u / (1 + u * u)) / math.pi)
    assert pair.p == pytest.approx(p, abs=1e-10)


def test_means_degenerate():
    one = paired_means(np.array([0.9]), np.array([0.8]))
    assert one.p == 1.0
    assert (one.difference.low, one.difference.high) == (-math.inf, math.inf)
    zero = paired_means(np.array([0.9, 0.8, 0.7]), np.array([0.9, 0.8, 0.7]))
    assert (zero.p, zero.difference.low, zero.difference.high) == (1.0, 0.0, 0.0)
    shift = paired_means(np.array([3.0, 2.0]), np.array([2.0, 1.0]))
    assert (shift.p, shift.difference.estimate) == (0.0, 1.0)


@pytest.mark.parametrize("rows", [(np.ones(3), np.ones(2)), (np.ones((2, 2)), np.ones((2, 2)))])
def test_means_refuse(rows):
    with pytest.raises(ValueError, match="need two equal rows of values, got"):
        paired_means(*rows)


def test_means_of_nothing():
    with pytest.raises(ValueError, match="no values"):
        paired_means(np.ones(0), np.ones(0))
