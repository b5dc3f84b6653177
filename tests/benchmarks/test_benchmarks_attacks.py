"""The rows of attacks: kept one by one, judged by speed and strength; times are not looked at."""

import json
import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from benchmarks import attacks
from benchmarks.__main__ import main
from benchmarks.attacks import auto_attack, memory, page, rows, scale
from benchmarks.attacks.cleverhans_ways import repaired
from benchmarks.attacks.floor import least
from benchmarks.attacks.measure import distances, strength
from benchmarks.attacks.networks import Victim
from benchmarks.attacks.result import Result, Side
from robustnets.attacks import APGD, FAB, PGD, DeepFool, Square
from robustnets.core.threat import ThreatModel
from robustnets.engines import native, run
from robustnets.models import Classifier

TINY = replace(scale.QUICK, train=300, epochs=3, test=60, most=5, job=7, memory=(20, 30))
FACTS = {
    "backend": "tensorflow", "device": "cpu", "compiler": "graph", "floor": "XLA",
    "accuracy": 0.9, "images": "mnist", "scale": "full", "load before": "0.1", "CPU": "one",
}  # fmt: skip


def result(native=(), peer=(), minimal=True):
    ours = Side("native", 10, 3.0, [2.0, 1.0], 0.9, 0.5, **dict(native))
    theirs = Side("ART", 5, 9.0, [], 0.9, 0.5, **{"bar": 10.0, **dict(peer)})
    return Result(
        "pgd-fc", "PGD", "PGD-40", "fc", 5, "l2", minimal, (ours, theirs), (100, 20.0), FACTS,
    )  # fmt: skip


def test_every_name_is_declared():
    assert tuple(rows.ROWS) == attacks.ROWS
    assert tuple(memory.CASES) == attacks.MEMORY
    assert tuple(auto_attack.CASES) == attacks.WHOLE
    assert all(row.name == name for name, row in rows.ROWS.items())


def test_rows_are_kept_one_by_one(monkeypatch, tmp_path):
    monkeypatch.setattr(scale, "QUICK", TINY)
    monkeypatch.delenv("ROBUSTNETS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))  # no MNIST here: embedded digits
    folder = tmp_path / "out"
    common = ["attacks", "--quick", "--out", str(folder), "--cache", str(tmp_path / "cache")]
    assert main([*common, "--rows", "pgd-fc"]) == 0
    kept = json.loads((folder / "runs/attacks/pgd-fc.json").read_text())
    assert [side["name"] for side in kept["sides"]] == ["native", *rows.ROWS["pgd-fc"].peers]
    assert {side["failed"] for side in kept["sides"]} == {""}
    assert {(side["n"], len(side["seconds"])) for side in kept["sides"]} == {(5, 1)}
    assert kept["sides"][0]["backward"] == 4
    assert kept["job"][0] == 7
    assert "digits" in kept["facts"]["images"]
    (network,) = (tmp_path / "cache").iterdir()
    before = network.stat().st_mtime_ns

    assert main([*common, "--rows", "cw-fc"]) == 0
    assert network.stat().st_mtime_ns == before, "trained again"
    cw = Result.load(folder / "runs/attacks/cw-fc.json")
    assert [side.failed for side in cw.sides] == [""] * 6
    readme = (folder / "README.md").read_text()
    assert "## PGD" in readme
    assert "## Carlini-Wagner" in readme
    with (folder / "results.csv").open() as file:
        assert "attacks pgd-fc,native,1," in file.read()


def test_an_unknown_row_says_which_there_are(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["attacks", "--rows", "pgd-x", "--out", str(tmp_path)])
    assert "pgd-early-c" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("native", "peer", "minimal", "word"),
    [
        ({}, {}, True, "yes"),
        ({}, {"bar": 20.0}, True, "no"),
        ({"success": 0.8}, {}, True, "weaker"),
        ({"success": 0.895}, {}, True, "yes"),
        ({"median": 0.51}, {}, True, "weaker"),
        ({"median": 0.51}, {}, False, "yes"),
        ({"median": math.inf}, {"median": math.inf}, True, "yes"),
        ({}, {"bar": None}, True, None),
        ({}, {"failed": "RuntimeError: no"}, True, None),
    ],
)
def test_a_bar_is_reached_by_speed_and_strength(native, peer, minimal, word):
    found = result(minimal=minimal)
    ours, theirs = replace(found.sides[0], **native), replace(found.sides[1], **peer)
    found = replace(found, sides=(ours, theirs))
    verdict = page.verdict(found, theirs)
    assert (verdict and verdict.text) == word


def cells(found):
    said, table = page.bars(found)
    rows = [] if table is None else table.rows
    return said, [[getattr(c, "text", getattr(c, "value", c)) for c in row] for row in rows]


def test_the_bars_that_are_not_reached_are_listed():
    found = result(peer={"bar": 20.0})
    said, rows = cells([found])
    assert "0 of 1 are reached" in said
    ((row, way, bar, measured, alone, why),) = rows
    assert (row, way, bar, alone, why) == ("pgd-fc", "ART", "≥\N{NO-BREAK SPACE}20", None, None)
    assert measured == pytest.approx(18)
    slow = result({"floor": 0.5, "all_steps": True})
    said, rows = cells([slow])
    assert "1 of 2 are reached" in said
    assert rows[0][:2] == ["pgd-fc", "native"]
    assert rows[0][3] == pytest.approx(2)
    assert rows[0][-1] == "50% of the time is beyond the passes, 13% may be"
    far = result({"floor": 0.9, "all_steps": True}, {"bar": 25.0})
    assert cells([far])[1][0][-1] == "the passes alone take 1.25 times what the bar allows"
    weak = replace(found, sides=(replace(found.sides[0], success=0.1), found.sides[1]))
    assert cells([weak])[1][0][-1] == "weaker"
    assert page.bars([result()])[1] is None


def test_times_are_the_best_of_the_warm_calls():
    ours, theirs = result().sides
    assert (ours.best, ours.cold) == (0.1, 2.0)
    assert (theirs.best, theirs.cold) == (1.8, None)
    assert result().ratio(theirs) == 18


@pytest.mark.parametrize(("floor", "word"), [(0.9, "yes"), (0.8, "no")])
def test_the_floor_has_its_bar(floor, word):
    found = result({"floor": floor, "all_steps": True})
    assert page.verdict(found, found.sides[0]).text == word


def test_a_row_may_have_a_bar_of_its_own_for_the_floor():
    for limit, word in ((1.2, "yes"), (1.1, "no")):
        side = replace(result().sides[0], floor=0.87, limit=limit)  # 10 examples of 0.1 s
        assert page.verdict(result(), side).text == word


@pytest.mark.parametrize(
    "attack",
    [
        APGD(ThreatModel("linf", 0.0), steps=3, restarts=2),
        APGD(ThreatModel("linf", 0.0), steps=3, loss="dlr", targets=2),
        FAB(ThreatModel("linf", 0.0), steps=2, targets=9),
        FAB(ThreatModel("linf", 0.0), steps=2, restarts=2),
        Square(ThreatModel("linf", 0.0), budget=13),
    ],
)
def test_the_most_passes_are_those_of_who_stays_to_the_end(attack, small_classifier):
    x = np.random.default_rng(0).uniform(0, 1, (3, 5, 4, 3)).astype(np.float32)
    y = small_classifier.predict(x).argmax(axis=1)
    found = run(attack, small_classifier, x, y, attack_wrong=True)
    assert set(found.forward.tolist()) == {auto_attack.most_passes(attack, 7)}


def test_the_whole_suite_has_its_tables(monkeypatch, tmp_path):
    monkeypatch.setitem(auto_attack.CASES, "autoattack-m", ("AutoAttack on FC", "d", 0.2, 9, 9))
    monkeypatch.setattr(native, "uses_xla", lambda attack, classifier: False)
    found = auto_attack.measure("autoattack-m", TINY, tmp_path)
    assert auto_attack.Whole.load(found.save(tmp_path)) == found
    assert (found.n, len(found.parts)) == (5, 4)
    standing = round(found.facts["accuracy"] * 5)
    for part in found.parts:
        assert part.attacked == standing
        standing -= part.broke
        assert part.forward <= part.most
        assert part.asked is None or part.forward <= part.asked
    assert standing == round(5 * found.robust)
    assert found.parts[0].asked > 0
    assert not found.beside.failed
    assert found.beside.art_seconds > 0
    (section,) = page.sections(tmp_path)
    assert section.title == "The whole of AutoAttack"
    assert "ART's" in section.blocks[2].markdown


def test_the_floor_counts_passes():
    assert least(1.0, 3.0, (10, 4), all_steps=True) == 12
    assert least(1.0, 3.0, (10, 4), all_steps=False) == 18
    assert least(1.0, 3.0, (2, 5), all_steps=False) == 12  # five pulls on two forward passes


def test_what_is_saved_comes_back(tmp_path):
    found = replace(result(), sides=(replace(result().sides[0], median=math.inf),))
    assert Result.load(found.save(tmp_path)) == found
    on_jax = replace(found, facts={**FACTS, "backend": "jax"})
    assert on_jax.save(tmp_path) == tmp_path / "jax" / "pgd-fc.json"
    assert page.load(tmp_path) == [found]
    titles = [section.title for section in page.sections(tmp_path)]
    assert titles == ["Attacks", "PGD", "JAX"]


def test_strength_counts_what_is_inside():
    model = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.Flatten()])
    x = np.tile(np.float32([0.6, 0.4]), (5, 1)).reshape(5, 1, 1, 2)
    target = Victim(Classifier(model), x, np.zeros(5, np.int64), 1.0, "made up")
    delta = np.float32([[0, 0.3], [-0.3, 0], [-0.2, 0.2], [0, 0], [0, 0.7]])
    found = x + delta.reshape(x.shape)  # the last one leaves the box
    success, median = strength(DeepFool(ThreatModel("l2", 9.0)), target, found)
    assert success == pytest.approx(0.6)
    assert median == pytest.approx(0.3)
    success, median = strength(PGD(ThreatModel("linf", 0.25)), target, found)
    assert (success, median) == (pytest.approx(0.2), math.inf)


def test_distances():
    delta = np.float32([[[[3, 4], [0, 0]]], [[[0, -2], [1, 0]]]])  # (2, 1, 2, 2)
    expected = {"l0": [1, 2], "l1": [7, 3], "l2": [5, 5**0.5], "linf": [4, 2]}
    for norm, values in expected.items():
        np.testing.assert_allclose(distances(delta, norm), values, rtol=0, atol=1e-6)


def test_another_release_is_not_repaired_in_silence():
    with pytest.raises(ValueError, match="does not contain 'nothing like this'"):
        repaired(json, (("nothing like this", ""),))


def test_memory_is_flat_or_not(tmp_path):
    first, last = memory.Peak(10, 100, 0, 1100), memory.Peak(50, 500, 0, 1600)
    kept = memory.Memory("memory-pgd-fc", "PGD", 5, (first, last), {"CPU": "one"})
    assert kept.flat
    assert not replace(kept, peaks=(first, replace(last, peak=1601))).flat
    assert memory.Memory.load(kept.save(tmp_path)) == kept
    assert "1.00" in str(page.sections(tmp_path)[0].blocks[1].table.to_markdown())


def test_memory_of_one_process():
    peak = memory.child("memory-pgd-fc", 30)
    assert (peak.n, peak.arrays) == (30, 2 * 30 * 28 * 28 * 4)
    assert peak.peak >= peak.before > 10**7


def test_what_the_passes_alone_would_give():
    said, rows = cells([result(native={"floor": 0.5}, peer={"bar": 20.0})])  # ours: 1 s for 10
    assert rows[0][4] == pytest.approx(36)
    assert "For 0 of the 1" in said
    said, rows = cells([result(native={"floor": 0.5}, peer={"bar": 40.0})])
    assert "For 1 of the 1" in said
