"""Equivalence: closed forms, the interval that says the same, and the size of the test."""

import math

import numpy as np
import pytest

from robustnets.stats import equivalent_means, equivalent_rates


def rows(only_first, only_second, n):
    first, second = np.ones(n, bool), np.ones(n, bool)
    second[:only_first] = False
    first[only_first : only_first + only_second] = False
    return first, second


def test_rates_by_hand():
    """b = 12, c = 9 of 1000: (13 - 10) / 1002 with error sqrt(p1 + p2 - d^2) / sqrt(1002)."""
    e = equivalent_rates(*rows(12, 9, 1000), margin=0.02)
    d = 3 / 1002
    error = math.sqrt((23 / 1002 - d * d) / 1002)
    assert e.p == pytest.approx(0.5 * math.erfc((0.02 - d) / error / math.sqrt(2)), abs=1e-12)
    assert e.difference.estimate == pytest.approx(0.003, abs=1e-12)
    half = 1.6448536269514722 * error
    assert (e.difference.low, e.difference.high) == pytest.approx((d - half, d + half), abs=1e-12)
    assert (e.difference.method, e.shown) == ("Bonett-Price 90%", True)


@pytest.mark.parametrize("counts", [(0, 0), (3, 0), (9, 2), (2, 9), (14, 14), (30, 2), (60, 55)])
def test_shown_is_the_interval_inside_the_margin(counts):
    for margin in (0.005, 0.01, 0.03, 0.08):
        e = equivalent_rates(*rows(*counts, 400), margin)
        assert e.shown == (-margin < e.difference.low and e.difference.high < margin)


def test_swapping_changes_nothing():
    first, second = rows(20, 7, 300)
    assert equivalent_rates(first, second, 0.05).p == equivalent_rates(second, first, 0.05).p


def test_agreement_on_few_examples_shows_nothing():
    """Not a single disagreement among 50: still up to 5 points apart, for all we know."""
    e = equivalent_rates(*rows(0, 0, 50), margin=0.02)
    assert not e.shown
    assert e.difference.high > 0.02
    assert equivalent_rates(*rows(0, 0, 1000), margin=0.02).shown


def test_size():
    """A difference of exactly the margin is called equivalent in at most 5 % of 4000 draws."""
    draws = np.random.default_rng(0).multinomial(2000, [0.05, 0.03, 0.92], 4000)
    counts, times = np.unique(draws[:, :2], axis=0, return_counts=True)
    shown = [equivalent_rates(*rows(b, c, 2000), margin=0.02).shown for b, c in counts]
    assert 0.03 < (times * shown).sum() / 4000 < 0.06


def test_means_by_hand():
    # differences 1, 2, 3, 6: mean 3, error sqrt(14 / 3) / 2; margin 5
    e = equivalent_means([2.0, 4, 6, 10], [1.0, 2, 3, 4], margin=5)
    t = (5 - 3) / (math.sqrt(14 / 3) / 2)
    u = t / math.sqrt(3)  # Student's t with 3 degrees of freedom has a closed form
    p = 0.5 - (math.atan(u) + u / (1 + u * u)) / math.pi
    assert e.p == pytest.approx(p, abs=1e-10)
    # t(0.95, 3) = 2.35336
    assert e.difference.high == pytest.approx(3 + 2.35336 * math.sqrt(14 / 3) / 2, abs=1e-4)
    assert not e.shown
    assert equivalent_means([2.0, 4, 6, 10], [1.0, 2, 3, 4], margin=6).shown


def test_means_degenerate():
    one = equivalent_means([0.9], [0.9], margin=0.5)
    assert (one.p, one.shown) == (1.0, False)
    assert equivalent_means([3.0, 2.0], [2.0, 1.0], margin=1.5).p == 0.0
    assert equivalent_means([3.0, 2.0], [2.0, 1.0], margin=1.0).p == 1.0


@pytest.mark.parametrize("margin", [0.0, -0.02, math.inf, math.nan])
def test_refuses_a_margin(margin):
    for call, row in ((equivalent_rates, [True, False]), (equivalent_means, [0.1, 0.2])):
        with pytest.raises(ValueError, match="margin must be finite and > 0"):
            call(row, row, margin)


def test_refuses_alpha_and_rows():
    with pytest.raises(ValueError, match="level must lie"):
        equivalent_rates([True], [True], 0.02, alpha=0.5)
    with pytest.raises(ValueError, match="need two equal rows of outcomes"):
        equivalent_rates([True], [True, False], 0.02)
    with pytest.raises(ValueError, match="need two equal rows of values"):
        equivalent_means([0.1], [0.1, 0.2], 0.02)
