"""BCa: a published example, scipy itself, strata, and coverage."""

import numpy as np
import pytest
from scipy import stats

from robustnets.stats import bca

# Efron & Tibshirani 1993, An Introduction to the Bootstrap, table 14.1: test A of spatial
# perception, 26 children
SPATIAL = np.array(
    [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26,
     30, 41]
)  # fmt: skip


def variance(a):
    return a.var(axis=-1)


def mean(a):
    return a.mean(axis=-1)


def gap(a, b):
    return a.mean(axis=-1) - b.mean(axis=-1)


def test_published():
    """Table 14.2: variance 171.5, BCa 90 % interval (115.8, 259.6) from 2000 resamples.

    Their resampling leaves a standard deviation of about 2 on the lower and 3 on the upper bound;
    over a million resamples, scipy's interval of the same data is (115.7, 261.4).
    """
    i = bca(variance, SPATIAL, seed=0, level=0.9)
    assert i.estimate == pytest.approx(171.53, abs=0.005)
    assert (i.low, i.high) == pytest.approx((115.8, 259.6), abs=6)
    assert (i.low, i.high) == pytest.approx((115.7, 261.4), abs=3)
    assert (i.n, i.method) == (26, "BCa bootstrap 90%")


def test_is_scipys_on_pairs():
    a = np.random.default_rng(0).normal(size=40)
    b = 0.7 * a + np.random.default_rng(1).normal(size=40)

    def correlation(x, y):
        x, y = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
        return (x * y).mean(-1) / np.sqrt((x * x).mean(-1) * (y * y).mean(-1))

    i = bca(correlation, a, b, seed=7, resamples=999)
    theirs = stats.bootstrap(
        (a, b),
        lambda x, y, axis: correlation(x, y),
        paired=True,
        n_resamples=999,
        random_state=np.random.default_rng(7),
    ).confidence_interval
    assert i.estimate == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-12)
    assert (i.low, i.high) == pytest.approx(tuple(theirs), abs=1e-12)
    assert 0 < i.low < i.estimate < i.high < 1


def test_seed():
    first = bca(mean, SPATIAL, seed=0, resamples=99)
    assert first == bca(mean, SPATIAL, seed=0, resamples=99)
    assert first != bca(mean, SPATIAL, seed=1, resamples=99)


def test_strata_leave_only_the_spread_within_classes():
    """Closed form: variance sum over classes of (n_c / n)^2 s_c^2 / n_c."""
    rng = np.random.default_rng(0)
    classes = np.repeat([3, 1, 8], [50, 80, 70])
    values = 10.0 * classes + rng.normal(size=200)
    order = rng.permutation(200)
    classes, values = classes[order], values[order]
    i = bca(mean, values, seed=0, strata=classes)
    within = sum(
        (np.mean(classes == c) ** 2) * values[classes == c].var() / (classes == c).sum()
        for c in (1, 3, 8)
    )
    assert i.estimate == pytest.approx(values.mean(), abs=1e-12)
    assert i.high - i.low == pytest.approx(2 * 1.96 * np.sqrt(within), rel=0.05)
    assert "by class" in i.method
    alike = bca(mean, values, seed=0, resamples=999)
    assert alike.high - alike.low > 20 * (i.high - i.low)


def test_strata_keep_their_sizes():
    """The mean class is the same in every resample, which is refused."""
    classes = np.repeat([0, 1, 2], [2, 3, 4])
    with pytest.raises(ValueError, match=r"is 1\.22222 in every resample"):
        bca(mean, classes, seed=0, strata=classes, resamples=99)


@pytest.mark.parametrize("n", [50, 500])
def test_covers(n):
    """300 draws of n paired outcomes, p = 0.8 and 0.7; 1.3 % is one standard deviation.

    Each draw is a bootstrap of its own, so there are fewer than for intervals in closed form.
    """
    rng = np.random.default_rng(0)
    held = 0
    for k in range(300):
        first = rng.random(n) < 0.8
        second = np.where(rng.random(n) < 0.5, first, rng.random(n) < 0.6)
        i = bca(gap, first.astype(float), second.astype(float), seed=k, resamples=499)
        held += i.low <= 0.1 <= i.high
    assert 0.90 <= held / 300 <= 0.98


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ((), {}, "need equal rows"),
        ((np.ones(3), np.ones(4)), {}, "need equal rows"),
        ((np.ones((2, 3)),), {}, "need equal rows"),
        ((np.ones(1),), {}, "at least 2 examples, got 1"),
        ((np.ones(3),), {}, "the statistic is 1 in every resample"),
        ((np.arange(3.0),), {"strata": [0, 0, 1]}, "too few in: 1"),
        ((np.arange(3.0),), {"strata": [0, 0]}, r"strata must be \(3,\), got \(2,\)"),
        ((np.arange(3.0),), {"level": 1.0}, "level must lie"),
        ((np.arange(3.0),), {"resamples": 0}, "resamples must be >= 1, got 0"),
    ],
)
def test_refuses(rows, more, message):
    with pytest.raises(ValueError, match=message):
        bca(lambda *r: r[0].mean(-1), *rows, seed=0, **more)


@pytest.mark.parametrize("statistic", [np.mean, lambda a: a], ids=["all axes", "no axis"])
def test_refuses_a_statistic_that_does_not_reduce_the_last_axis(statistic):
    with pytest.raises(ValueError, match="must reduce the last axis"):
        bca(statistic, np.arange(5.0), seed=0)
