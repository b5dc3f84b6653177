"""Coverage of every 95 % interval, over 10,000 draws each: 93.5 % to 96.5 %, or as stated.

Outcomes are counts, so that an interval's coverage at (n, p) is a sum of binomial
probabilities. Where that sum lies outside the band the method is known for it, and the value
stands here: below it at small np (Wilson's interval oscillates, the normal one collapses),
above it where an interval guarantees its level (Clopper-Pearson) or adds pseudo-counts
(Bonett-Price).
"""

import math

import numpy as np
import pytest
from scipy import stats

from robustnets.stats import (
    bonett_price,
    clopper_pearson,
    distance_curve,
    median_distance,
    newcombe,
    rate,
    unpaired_normal,
    wilson,
)

DRAWS = 10_000
BAND = (0.935, 0.965)
GRID = [(n, p) for n in (50, 500, 10_000) for p in (0.01, 0.5, 0.9)]


def noise(share):
    """Four standard deviations of a share over so many draws."""
    return 4 * math.sqrt(max(share * (1 - share), 0.001) / DRAWS)


def within_band(share, expected):
    """The share is the expected one, or without one it lies in the band."""
    if expected is None:
        assert BAND[0] <= share <= BAND[1], share
    else:
        assert not BAND[0] + 0.001 <= expected <= BAND[1] - 0.001, "no need to state it"
        assert share == pytest.approx(expected, abs=noise(expected))


SINGLE = {  # exact coverage, where it is not inside the band
    wilson: {(50, 0.01): 0.9106, (50, 0.5): 0.9351, (50, 0.9): 0.9703},
    rate: {(50, 0.01): 0.9106, (50, 0.5): 0.9351, (50, 0.9): 0.9703},
    clopper_pearson: {
        (50, 0.01): 0.9862, (50, 0.5): 0.9672, (50, 0.9): 0.9703, (500, 0.01): 0.9802,
    },
}  # fmt: skip


@pytest.mark.parametrize("interval", SINGLE, ids=lambda f: f.__name__)
@pytest.mark.parametrize(("n", "p"), GRID)
def test_one_rate(interval, n, p):
    counts = np.arange(n + 1)
    weight = stats.binom.pmf(counts, n, p)
    draws = np.random.default_rng(0).binomial(n, p, DRAWS)
    holds = np.zeros(n + 1, bool)
    for s in np.union1d(counts[weight > 1e-8], draws):
        i = interval(int(s), n)
        holds[s] = i.low <= p <= i.high
    exact, share = weight[holds].sum(), holds[draws].mean()
    assert share == pytest.approx(exact, abs=noise(exact))
    expected = SINGLE[interval].get((n, p))
    within_band(share, expected)
    if expected is not None:
        assert exact == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("n", "p"), GRID)
def test_clopper_pearson_never_falls_short(n, p):
    """At the grid, and right beside its own bounds, where coverage is lowest."""
    i = clopper_pearson(round(n * p), n)
    for truth in (p, i.low - 1e-9, i.high + 1e-9):
        if 0 < truth < 1:
            counts = np.arange(n + 1)
            weight = stats.binom.pmf(counts, n, truth)
            held = 0.0
            for s in counts[weight > 1e-9]:
                j = clopper_pearson(int(s), n)
                held += weight[s] * (j.low <= truth <= j.high)
            assert held >= 0.95 - 1e-6


@pytest.mark.parametrize(("n", "p"), GRID)
def test_a_difference_on_the_same_examples(n, p):
    """Rates p and p - 0.4 p (1 - p), that disagree on 1.2 p (1 - p) of the examples."""
    b, c = 0.8 * p * (1 - p), 0.4 * p * (1 - p)
    draws = np.random.default_rng(0).multinomial(n, [b, c, 1 - b - c], DRAWS)
    low, high = bonett_price(draws[:, 0], draws[:, 1], n)
    share = ((low <= b - c) & (b - c <= high)).mean()
    # half a discordant example is expected at (50, 0.01): the pseudo-counts outweigh the data
    within_band(share, {(50, 0.01): 1.0, (50, 0.9): 0.980, (500, 0.01): 0.979}.get((n, p)))


def two_samples(n, p):
    rng = np.random.default_rng(0)
    return rng.binomial(n, p, DRAWS), rng.binomial(n, 0.8 * p, DRAWS), 0.2 * p


@pytest.mark.parametrize(("n", "p"), GRID)
def test_a_difference_on_different_examples(n, p):
    """Rates p and 0.8 p."""
    first, second, truth = two_samples(n, p)
    low, high = newcombe(first, n, second, n)
    share = ((low <= truth) & (truth <= high)).mean()
    within_band(share, {(50, 0.01): 1.0, (500, 0.01): 0.969}.get((n, p)))


@pytest.mark.parametrize(("n", "p"), GRID)
def test_the_normal_interval_on_different_examples(n, p):
    """What it is made for; 59 % instead of 95 % where fewer than one success is expected."""
    first, second, truth = two_samples(n, p)
    pairs, which = np.unique(np.stack([first, second]), axis=1, return_inverse=True)
    intervals = [unpaired_normal(int(a), n, int(b), n) for a, b in pairs.T]
    holds = np.array([i.low <= truth <= i.high for i in intervals])
    within_band(holds[which.ravel()].mean(), {(50, 0.01): 0.593}.get((n, p)))


@pytest.mark.parametrize(
    ("n", "p", "expected"),
    [(50, 0.01, 0.502), (50, 0.5, 0.987), (500, 0.9, 0.993), (10_000, 0.5, 0.990)],
)
def test_the_normal_interval_on_the_same_examples(n, p, expected):
    """What CSDS440 uses it for: too wide, so that differences go unnoticed; or no width."""
    b, c = 0.8 * p * (1 - p), 0.4 * p * (1 - p)
    draws = np.random.default_rng(0).multinomial(n, [b, c, p - b, 1 - p - c], DRAWS)
    holds = []
    for only_first, only_second, both, _ in draws.tolist():
        i = unpaired_normal(both + only_first, n, both + only_second, n)
        holds.append(i.low <= b - c <= i.high)
    within_band(np.mean(holds), expected)


@pytest.mark.parametrize(("n", "exact"), [(50, 0.9672), (500, 0.9559), (10_000, 0.9512)])
def test_the_median_of_distances(n, exact):
    """Whatever the distribution: examples below the median are binomial with p = 1/2."""
    ranks = median_distance(np.arange(1.0, n + 1))
    below = np.arange(n + 1)
    holds = (ranks.low <= below) & (below <= ranks.high - 1)
    assert stats.binom.pmf(below, n, 0.5)[holds].sum() == pytest.approx(exact, abs=5e-5)
    share = holds[np.random.default_rng(0).binomial(n, 0.5, DRAWS)].mean()
    within_band(share, exact if n == 50 else None)


@pytest.mark.parametrize(("n", "exact"), [(50, 0.9567), (500, 0.9521), (10_000, 0.9505)])
def test_the_band_of_a_curve(n, exact):
    """Massart's bound against the exact distribution of the largest gap (Kolmogorov's)."""
    curve = distance_curve(np.arange(1.0, n + 1))
    half = (curve.high - curve.share)[0]
    assert stats.kstwo.cdf(half, n) == pytest.approx(exact, abs=5e-5)
