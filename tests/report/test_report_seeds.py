"""Rates over training seeds, and numbers in running text."""

import math

import numpy as np
import pytest

from robustnets.core.record import Record
from robustnets.report import seeds, text
from robustnets.report.cells import Percent
from robustnets.report.columns import table_of
from robustnets.stats.intervals import Interval, mean, rate


def record(seed, wrong, fooled=0, n=40):
    label = np.arange(n) % 10
    clean = np.where(np.arange(n) < wrong, 10, label)
    after = np.where(np.arange(n) < wrong + fooled, 10, label)
    return Record({"network": {"seed": seed}}, label, clean, np.array([0.1]), after[None])


def test_groups_are_in_the_order_of_the_seeds_and_leave_out_what_has_no_name():
    records = [record(2, 1), record(0, 2), record(1, 9), record(1, 3)]
    groups = seeds.by_seed(records, lambda r: None if (r.clean == 10).sum() == 9 else ("a", 1))
    assert list(groups) == [("a", 1)]
    assert [seeds.seed_of(r) for r in groups["a", 1]] == [0, 1, 2]
    np.testing.assert_allclose(seeds.accuracies(groups["a", 1]), [0.95, 0.925, 0.975])


def test_success_is_over_those_that_were_right():
    group = [record(0, 20, 5), record(1, 0, 10)]
    np.testing.assert_allclose(seeds.successes(group, 0.1), [5 / 20, 10 / 40])
    assert seeds.successes(group).shape == (2, 1)


def test_one_seed_counts_examples_and_several_count_seeds():
    one = np.arange(40) < 30
    other = np.arange(40) < 34
    assert seeds.share([one]) == rate(30, 40)
    assert seeds.share([one], [np.arange(40) >= 20]) == rate(10, 20)
    assert seeds.share([one], [np.zeros(40, bool)]) == rate(0, 1)
    over = seeds.share([one, other])
    assert (over.estimate, over.n) == (0.8, 2)
    assert (over.low, over.high) == (
        max(0, mean([0.75, 0.85]).low),
        min(1, mean([0.75, 0.85]).high),
    )
    assert seeds.share([one, other], [~one, other]).estimate == 0.5


def test_distances_with_failures():
    near, far = np.array([1.0, 2.0, 9.0]), np.array([1.0, 3.0, np.inf])
    assert seeds.median([far]).estimate == 3.0
    assert seeds.median([near, far]).estimate == 2.5
    assert seeds.median([near, far * np.inf]).estimate == math.inf
    assert seeds.paired_median([near, near + 1], [far, far]).difference.estimate == -0.5
    lost = seeds.paired_median([near, near], [far, far * np.inf])
    assert math.isnan(lost.difference.estimate)
    assert lost.p == 1.0


def test_a_pair_of_one_seed_is_judged_by_its_examples():
    first, second = np.arange(400) < 300, np.arange(400) < 280
    alone = seeds.paired_share([first], [second])
    assert alone.difference.estimate == pytest.approx(0.05)
    assert alone.p < 1e-4
    assert seeds.paired_share([first, first], [second, first]).p > 0.2


def test_curves_have_a_band_where_there_are_several_seeds():
    x = np.arange(3)
    values = np.array([[0.1, 0.5, 1.0], [0.3, 0.5, 1.0]])
    assert seeds.banded("a", x, values[:1]).low is None
    band = seeds.banded("a", x, values)
    np.testing.assert_allclose(band.y, [0.2, 0.5, 1.0])
    assert 0 <= band.low[0] < 0.2 < band.high[0] <= 1


def test_numbers_in_text():
    assert text.percent_text(Interval(0.975, 0.974, 0.976, 9, "x")) == "97.5 % (97.4 to 97.6)"
    assert text.percent_text(Interval(0.975, -math.inf, math.inf, 1, "none")) == "97.5 %"
    assert text.points_text(Interval(0.0004, -0.0006, 0.0014, 9, "x")) == "+0.04 (−0.06 to +0.14)"
    assert [text.p_text(p) for p in (0.0009, 0.001, 0.0456)] == [
        "p < 0.001",
        "p = 0.001",
        "p = 0.046",
    ]
    assert text.range_text([0.777, 0.604]) == "60.4 to 77.7 %"
    assert text.range_text([0.5, 0.5001]) == "50.0 %"
    assert [text.listed(w) for w in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_a_table_of_columns():
    rows = {"A": (0.5, 3), "B": (0.25, 4)}
    found = table_of(
        rows,
        {
            "name": lambda name, row: name,
            "rate": lambda name, row: Percent(row[0]),
            "left out": None,
            "n": lambda name, row: row[1],
        },
        "Two.",
    )
    assert found.columns == ("name", "rate", "n")
    assert found.rows == (("A", Percent(0.5), 3), ("B", Percent(0.25), 4))
    assert found.caption == "Two."
    assert table_of([1, 2], {"n": lambda n: n, "double": lambda n: 2 * n}).rows == ((1, 2), (2, 4))
    assert table_of([(1, 2)], {"a": lambda a, b: a, "b": lambda a, b: b}).rows == ((1, 2),)
