"""Tables: what a reader sees, and that the CSV keeps every digit."""

import csv

import numpy as np
import pytest

from robustnets.report.cells import Link, Word, as_markdown
from robustnets.report.table import (
    Fixed,
    Percent,
    Points,
    PValue,
    Seconds,
    Table,
    interval_percent,
    p_value,
    percent,
    points,
    seconds,
)
from robustnets.stats.intervals import Interval

ACCURACY = Interval(0.97551234567891, 0.974, 0.9768, 10_000, "Wilson 95 %")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (percent(0.97551), "97.55"),
        (percent(1.0, 0), "100"),
        (percent(0.97, None), "97"),
        (percent(1.0, None), "100"),
        (percent(float("nan")), "n/a"),
        (interval_percent(ACCURACY), "97.55 [97.40, 97.68]"),
        (points(0.0123), "+1.23"),
        (points(-0.0123), "\N{MINUS SIGN}1.23"),
        (points(-0.00001), "0.00"),
        (p_value(0.0009), "< 0.001"),
        (p_value(0.0421), "0.042"),
        (p_value(1.0), "1.000"),
        (seconds(0.42), "0.42 s"),
        (seconds(12.3), "12 s"),
        (seconds(200), "3 min 20 s"),
        (seconds(59.7), "1 min 00 s"),
        (seconds(7500), "2 h 05 min"),
    ],
)
def test_numbers_read_as_promised(shown, expected):
    assert shown == expected


def test_one_run_shows_that_it_has_no_interval():
    alone = Interval(0.97, -np.inf, np.inf, 1, "t 95 %")
    assert interval_percent(alone) == "97.00 [no interval]"


@pytest.mark.parametrize(
    "bad", [lambda: p_value(1.1), lambda: seconds(-1), lambda: seconds(np.inf)]
)
def test_impossible_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="got"):
        bad()


def test_csv_round_trip_keeps_every_digit(tmp_path):
    value = 0.1 + 0.2
    table = Table(
        ("name", "rate", "held", "gain", "p", "time", "small", "count"),
        (
            ("a,b", Percent(ACCURACY), (0.1, value), Points(-value), PValue(1e-9), Seconds(1 / 3),
             np.float32(0.1), 12345),
            ('q"q', Percent(value), None, None, PValue(None), Fixed(2 / 3), 1e-17, np.int64(7)),
        ),
    )  # fmt: skip
    path = table.to_csv(tmp_path / "deep" / "t.csv")
    first, second = csv.DictReader(path.read_text().splitlines())
    assert list(first) == [
        "name", "rate", "rate low", "rate high", "rate n", "held low", "held high",
        "gain", "p", "time", "small", "count",
    ]  # fmt: skip
    assert first["name"] == "a,b"
    assert second["name"] == 'q"q'
    assert float(first["rate"]) == ACCURACY.estimate
    assert (float(first["rate low"]), float(first["rate high"])) == (0.974, 0.9768)
    assert first["rate n"] == "10000"
    assert float(second["rate"]) == value
    assert second["rate low"] == second["held low"] == second["gain"] == second["p"] == ""
    assert float(first["held high"]) == value
    assert (float(first["gain"]), float(first["p"])) == (-value, 1e-9)
    assert (float(first["time"]), float(second["time"])) == (1 / 3, 2 / 3)
    assert np.float32(first["small"]) == np.float32(0.1)
    assert (first["count"], second["count"]) == ("12345", "7")


def test_html_escapes_every_place_where_text_goes():
    evil = '<b onclick="x">&'
    table = Table((evil, "n"), ((evil, Word("PASS", "good")), (Link(evil, "a/b.html"), 3)), evil)
    page = table.to_html()
    assert "<b" not in page
    assert 'onclick="' not in page
    assert page.count("&lt;b onclick=&quot;x&quot;&gt;&amp;") == 5
    assert '<span class="word good">✓ PASS</span>' in page


def test_numbers_stand_right_and_words_left():
    table = Table(("who", "rate", "p"), (("x", Percent(ACCURACY), None), ("y", None, PValue(0.2))))
    assert table.alignment == ("left", "right", "right")
    assert '<td class="right">97.55 <span class="bounds">[97.40, 97.68]</span></td>' in (
        table.to_html()
    )
    assert table.to_markdown().splitlines()[1] == "| :--- | ---: | ---: |"
    assert Table(("a",), ((1,),), align=("left",)).alignment == ("left",)


def test_markdown_stays_one_line_per_row_and_means_what_it_says():
    table = Table(("a|b", "c"), (("x\ny | *z* _w_ max_std", Percent(ACCURACY)),))
    head, _, row = table.to_markdown().splitlines()
    assert head == r"| a\|b | c |"
    assert row == r"| x y \| \*z\* \_w\_ max_std | 97.55 [97.40, 97.68] |"
    assert as_markdown(PValue(1e-6)) == r"\< 0.001"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table(("a", "a"), ()), "different names"),
        (lambda: Table(("a", "b"), ((1,),)), "row 0 has 1 cells for 2"),
        (lambda: Table(("a",), ((object(),),)), "a cell is"),
        (lambda: Table(("a",), (([1, 2],),)), "a cell is"),
        (lambda: Table(("a",), ((1,),), align=("middle",)), "align needs"),
        (lambda: Word("PASS", "green"), "kind must be"),
        (lambda: Link("x", "javascript:alert(1)"), "relative path or an https"),
    ],
)
def test_bad_tables_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
