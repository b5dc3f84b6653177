"""Seeds and examples resampled: closed forms and coverage in both extremes."""

from importlib import import_module

import numpy as np
import pytest

from robustnets.stats import two_level


def test_standard_errors_by_hand():
    # means of the rows 2 and 4, of the columns 2, 3, 4
    found = two_level([[1, 2, 3], [3, 4, 5]], seed=0)
    assert found.mean.estimate == 3.0
    assert (found.mean.n, found.examples) == (2, 3)
    assert found.error_of_seeds == pytest.approx(np.sqrt(2 / 2), abs=1e-12)
    assert found.error_of_examples == pytest.approx(np.sqrt(1 / 3), abs=1e-12)
    # two seeds: no resample lies further out than the mean of one seed's farthest example
    assert 1.0 <= found.mean.low < 3.0 < found.mean.high <= 5.0


def test_equal_seeds_leave_the_examples():
    """Then it is the usual interval of a mean over 400 examples."""
    row = np.random.default_rng(0).normal(size=400)
    found = two_level(np.tile(row, (3, 1)), seed=0)
    half = 1.966 * row.std(ddof=1) / 20  # t with 399 degrees of freedom
    assert found.error_of_seeds == pytest.approx(0, abs=1e-12)
    assert found.mean.high - row.mean() == pytest.approx(half, rel=0.06)
    assert row.mean() - found.mean.low == pytest.approx(half, rel=0.06)


def test_equal_examples_leave_the_seeds():
    """Then it is close to Student's interval over 20 seeds."""
    column = np.random.default_rng(0).normal(size=(20, 1))
    found = two_level(np.tile(column, (1, 50)), seed=0)
    half = 2.093 * column.std(ddof=1) / np.sqrt(20)  # t with 19 degrees of freedom
    assert found.error_of_examples == pytest.approx(0, abs=1e-12)
    assert found.mean.high - column.mean() == pytest.approx(half, rel=0.12)
    assert column.mean() - found.mean.low == pytest.approx(half, rel=0.12)


def test_seed_and_level():
    values = np.random.default_rng(0).random((4, 30))
    first = two_level(values, seed=0, resamples=199).mean
    assert first == two_level(values, seed=0, resamples=199).mean
    assert first != two_level(values, seed=1, resamples=199).mean
    narrow = two_level(values, seed=0, resamples=199, level=0.5).mean
    assert first.low < narrow.low < narrow.high < first.high
    assert narrow.method == "two-level bootstrap 50%"


def test_many_examples_are_resampled_in_parts(monkeypatch):
    module = import_module("robustnets.stats.two_level")
    values = np.random.default_rng(0).normal(np.arange(9)[:, None] / 20, 0.3, (9, 40))
    whole = two_level(values, seed=0).mean
    monkeypatch.setattr(module, "_AT_ONCE", 40 * 64)
    parts = two_level(values, seed=0).mean
    assert parts.low == pytest.approx(whole.low, abs=0.02)
    assert parts.high == pytest.approx(whole.high, abs=0.02)


@pytest.mark.parametrize(
    ("seeds", "n", "spread_of_seeds", "spread_of_examples", "least", "most"),
    [
        # 5 seeds that differ more than examples: 93 %, short of 95 % as documented
        (5, 50, 1.0, 0.01, 0.89, 0.96),
        (10, 50, 1.0, 0.01, 0.91, 0.98),
        # examples decide, few seeds do no harm
        (5, 50, 0.01, 1.0, 0.91, 0.98),
        (5, 50, 0.1, 1.0, 0.91, 0.98),
        (5, 500, 0.1, 1.0, 0.91, 0.98),
    ],
)
def test_covers(seeds, n, spread_of_seeds, spread_of_examples, least, most):
    """300 draws; 1.3 % is one standard deviation."""
    rng = np.random.default_rng(0)
    held = 0
    for k in range(300):
        values = (
            spread_of_seeds * rng.normal(size=(seeds, 1))
            + spread_of_examples * rng.normal(size=(1, n))
            + 0.1 * rng.normal(size=(seeds, n))
        )
        i = two_level(values, seed=k, resamples=999).mean
        held += i.low <= 0 <= i.high
    assert least <= held / 300 <= most


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((1, 5)), r"2 or more of each, got \(1, 5\)"),
        (np.zeros((5, 1)), r"2 or more of each, got \(5, 1\)"),
        (np.zeros(5), r"2 or more of each, got \(5,\)"),
        (np.full((2, 3), 0.25), "every seed and every example gives 0.25 on average"),
        ([[0.0, np.nan], [1.0, 2.0]], "values must be finite"),
    ],
)
def test_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        two_level(values, seed=0)


def test_refuses_no_resamples():
    with pytest.raises(ValueError, match="resamples must be >= 1, got 0"):
        two_level(np.eye(3), seed=0, resamples=0)
