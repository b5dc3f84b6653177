"""Reported numbers, and the verdict on each."""

import math

import pytest

from robustnets.report.compare import Comparison, comparison_table
from robustnets.report.reported import load
from robustnets.stats.intervals import Interval

OURS = Interval(0.975, 0.97, 0.98, 5, "t 95 %")


def compare(reported, one_run=None, unit="percent", ours=OURS, **more):
    return Comparison("c", "test_accuracy", unit, reported, ours, one_run, 10_000, 5, **more)


@pytest.mark.parametrize(
    ("reported", "one_run", "verdict"),
    [
        (0.97, None, "inside"),
        (0.98, None, "inside"),
        (0.98 + 1e-8, None, "above"),
        (0.97 - 1e-8, None, "below"),
        (0.985, (0.965, 0.985), "inside"),
        (0.986, (0.965, 0.985), "above"),
        (0.964, (0.965, 0.985), "below"),
        # the interval for one run decides, even where it is the narrower one
        (0.979, (0.974, 0.976), "above"),
        (0.5, (-math.inf, math.inf), "no interval"),
    ],
)
def test_verdict_says_where_the_reported_value_lies(reported, one_run, verdict):
    assert compare(reported, one_run).verdict == verdict


def test_rates_must_be_fractions():
    with pytest.raises(ValueError, match=r"reported must lie in \[0, 1\].*97.71.*natural"):
        compare(97.71)
    with pytest.raises(ValueError, match="reproduced must lie"):
        compare(0.9, ours=Interval(97.5, 97, 98, 5, "t"))
    assert compare(312.0, unit="epochs", ours=Interval(300, 290, 310, 5, "t")).verdict == "above"


def test_bounds_out_of_order_and_empty_counts_are_refused():
    with pytest.raises(ValueError, match="one_run has bounds out of order"):
        compare(0.9, (0.98, 0.97))
    with pytest.raises(ValueError, match="n and seeds"):
        Comparison("c", "m", "percent", 0.9, OURS, None, 0, 5)
    with pytest.raises(ValueError, match="at least one"):
        comparison_table([], "nothing")


def test_table_has_the_columns_of_the_question_and_explains_its_verdict(tmp_path):
    table = comparison_table([compare(0.9771, (0.96, 0.99)), compare(0.99)], "Stopping.")
    assert table.columns == (
        "condition", "reported", "reproduced", "interval", "one run", "n", "seeds", "verdict",
    )  # fmt: skip
    assert table.caption.startswith("Stopping. Test accuracy in percent. The verdict says where")
    assert "above it (the report states more than we measure)" in table.caption
    row = table.to_markdown().splitlines()[2]
    assert row == (
        "| c | 97.71 | 97.50 | [97.00, 98.00] | [96.00, 99.00] | 10,000 | 5 | ● inside |"
    )
    header = table.to_csv(tmp_path / "c.csv").read_text().splitlines()
    assert header[1] == "c,0.9771,0.975,0.97,0.98,0.96,0.99,10000,5,inside"


def test_no_verdict_where_it_would_say_nothing():
    table = comparison_table([compare(0.9771, (0.96, 0.99))], "Stopping.", judged=False)
    assert "verdict" not in table.columns
    assert "verdict" not in table.caption
    assert table.caption == "Stopping. Test accuracy in percent."
    assert {"reported", "reproduced", "interval", "one run"} <= set(table.columns)


def test_mixed_units_and_notes_get_their_columns():
    epochs = Comparison("d", "epochs", "epochs", 300, Interval(250, 240, 260, 5, "t"), None, 1, 5)
    table = comparison_table([compare(0.98, unit="fraction", note="one seed"), epochs], "Both.")
    assert {"unit", "metric", "note"} < set(table.columns)
    # a report that prints 0.98 is not made to say 98.00
    assert "| c | test accuracy | % | 98 | 97.50 |" in table.to_markdown()


def test_every_reported_number_loads_and_filters():
    rows = load()
    assert len(rows) > 100
    assert all(math.isfinite(row.value) for row in rows)
    first = load("thesis", "stopping")[0]
    assert (first.value, first.unit, first.n, first.table) == (97.71, "percent", 10_000, "3.4")
    assert first.natural == 0.9771
    assert {row.source for row in load(source="thesis")} == {"thesis"}
    assert any(row.n is None for row in rows)
    with pytest.raises(ValueError, match=r"known: .*stopping"):
        load(chapter="stoping")
    compared = Comparison.of(first, OURS, None, 10_000, 5)
    assert (compared.condition, compared.reported) == ("1000 epochs", 0.9771)


def test_every_reported_rate_is_a_rate():
    for row in load():
        if row.unit in ("percent", "fraction"):
            assert -1 <= row.natural <= 1, row
