"""A benchmark at a tiny size leaves every repetition and a page; times are not looked at."""

import csv
import json

import pytest

from benchmarks import BENCHMARKS, scale
from benchmarks.__main__ import main
from benchmarks.measured import Goal, Measured

TINY = scale.Scale(rounds=2, train=300, test=130, patience=2, epochs=4, block=2)
MEASURED = Measured(
    "fgsm", "A title", "A *text*.", {"slow": [2.0, 4.0, 9.0], "fast": [1.0, 2.0, 3.0]},
    ("slow",), (Goal("fast", 0.5, "slow"), Goal("slow", 3.0)), {"images": 7}, ("A note.",),
)  # fmt: skip


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    monkeypatch.setattr(scale, "QUICK", TINY)
    monkeypatch.delenv("ROBUSTNETS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))  # no MNIST here: synthetic images
    return tmp_path / "out"


@pytest.mark.parametrize("name", ["epoch", "stable-weights"])
def test_quick_writes_all_repetitions_and_the_page(tiny, capsys, name):
    assert main([name, "--quick", "--out", str(tiny)]) == 0
    kept = json.loads((tiny / "runs" / f"{name}.json").read_text())
    assert {len(seconds) for seconds in kept["seconds"].values()} == {2}
    assert kept["facts"]["images"] == "300 (synthetic)"
    with (tiny / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(kept["seconds"])
    assert {row["benchmark"] for row in rows} == {name}
    readme = (tiny / "README.md").read_text()
    assert readme == capsys.readouterr().out
    assert (tiny / "tables" / f"{name}.csv").is_file()
    assert "scale: quick" in readme


def test_a_table_holds_ratios_and_goals():
    slow, fast = MEASURED.table().rows
    assert slow[2] is None
    assert fast[2].value.estimate == 0.5
    assert (slow[3:5], fast[3:5]) == ((3, "at most 3 s"), (3, "at most 0.5 times slow"))
    assert (slow[5].text, fast[5].text) == ("no", "yes")


def test_what_is_saved_comes_back(tmp_path):
    assert Measured.load(MEASURED.save(tmp_path)) == MEASURED


def test_an_unknown_name_says_which_there_are(tiny, capsys):
    with pytest.raises(SystemExit):
        main(["epochs", "--out", str(tiny)])
    said = capsys.readouterr().err
    assert all(name in said for name in BENCHMARKS)
