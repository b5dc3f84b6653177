"""The suite against its members: what is run, what is kept, and what the page makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.attacks import scale
from benchmarks.suite import names, runs
from benchmarks.suite.__main__ import main
from benchmarks.suite.page import _rungs, load, missed, page
from robustnets.attacks import APGD, PGD, Square
from robustnets.core.record import Record
from robustnets.engines import native

TINY = replace(scale.QUICK, train=300, epochs=3, test=60, most=5)


def record(run, wrong, eps=0.3, network="a", clean_wrong=()):
    """Ten examples of class 0; those in `wrong` fall to the run."""
    clean, after = np.zeros(10, int), np.zeros((1, 10), int)
    clean[list(clean_wrong)] = 1
    after[0, [*wrong, *clean_wrong]] = 1
    about = {
        "title": f"network {network}", "images": "made up", "training": "none", "accuracy": 1.0,
        "test accuracy": 0.9, "test images": 10, "scale": "full", "CPU": "one",
        "backend": "tensorflow", "keras": "3", "seconds": 2.0,
        "parts": [["APGD", 10, 3], ["Square", 7, 1]],
    }  # fmt: skip
    arrays = {"forward": np.full((1, 10), 7)}
    if run == "suite":
        arrays["broken_by"] = np.array([0, 0, 0, 1, *[-1] * 6])
    cell = {"run": run, "seed": 0, "batch": 5}
    return Record(cell, np.zeros(10, int), clean, np.array([eps]), after, arrays, about=about)


def kept(**fallen):
    found = {"suite": record("suite", (0, 1, 2, 3))}
    return {"a": {**found, **{k.replace("_", "-"): record(k, v) for k, v in fallen.items()}}}


def text(some_page):
    parts = [some_page.lead]
    for section in some_page.sections:
        for block in section.blocks:
            if hasattr(block, "table"):
                parts.append(block.table.to_markdown())
            elif hasattr(block, "markdown"):
                parts.append(block.markdown)
    return "\n".join(parts)


def test_every_run_has_its_attack_and_its_title():
    setting = runs.SETTINGS["a"]
    attacks = runs.attacks_of(setting, quick=False)
    assert set(attacks) == set(names.RUNS) == set(names.TITLES)
    assert tuple(runs.SETTINGS) == names.NETWORKS
    assert attacks["suite"] == tuple(attacks[name] for name in names.MEMBERS)
    assert attacks["pgd-restarts"] == PGD(
        attacks["fgsm"].threat, steps=100, restarts=10, stop_early=True
    )
    assert isinstance(attacks["apgd-art"], APGD)
    assert attacks["square-art"] == attacks["square-short"] == Square(attacks["fgsm"].threat, 1000)


def test_what_the_suite_left_is_named():
    found = kept(apgd_ce=(0, 1), pgd_restarts=(0, 1, 5, 8), fgsm=(9,))
    assert missed(found["a"], "apgd-ce").tolist() == []
    assert missed(found["a"], "pgd-restarts").tolist() == [5, 8]
    said = text(page(found))
    assert "2 times an example that withstands the suite falls" in said
    assert "PGD-100, 10 restarts: 5, 8" in said
    clean = text(page(kept(apgd_ce=(0, 1), fgsm=(9,))))  # FGSM is not what it is held against
    assert "no example that withstands the suite falls" in clean
    assert "by test image" not in clean


def test_what_was_wrong_before_has_fallen():
    found = {"suite": record("suite", (0, 1, 2), clean_wrong=(3,))}
    found["apgd-ce"] = record("apgd-ce", (0, 3), clean_wrong=(3,))
    assert missed(found, "apgd-ce").tolist() == []
    said = text(page({"a": found}))
    assert "60.0" in said


def test_the_ladder_claims_what_the_adjusted_p_values_show():
    """Four of ten fall, one more on each rung: no p below 1 after the adjustment."""
    out = text(page(kept(fgsm=(0,), pgd=(0, 1), pgd_restarts=(0, 1, 2))))
    assert "PGD-40 80.0%" in out
    assert "do not show that any rung leaves less standing" in out
    assert "Each rung leaves" not in out
    assert "| PGD-40 | 80.0 [49.0, 94.3] | −10.0" in out
    assert out.count("| 1.000 | 1.000 |") == 3


@pytest.mark.parametrize(
    ("changes", "adjusted", "said"),
    [
        ([-0.1, -0.1, -0.1], [0.01, 0.04, 0.049], "Each rung leaves less standing than the one "),
        ([-0.04, -0.01, -0.04], [0.375, 1.0, 0.375], "do not show that any rung leaves less"),
        ([-0.1, -0.1, -0.1], [0.01, 0.3, 0.05],
         "PGD-40 leaves less standing than FGSM (adjusted p < 0.05); of the other 2 changes "
         "nothing is shown."),
        ([0.1, -0.1, -0.1], [0.01, 0.01, 0.2],
         "PGD-40 leaves more standing than FGSM; PGD-100, 10 restarts leaves less standing than "
         "PGD-40 (adjusted p < 0.05); of the other change nothing is shown."),
        ([0.1, -0.1, -0.1], [0.01, 0.01, 0.02], "leaves more standing than FGSM"),
    ],
)  # fmt: skip
def test_a_rung_is_claimed_only_where_it_is_shown(changes, adjusted, said):
    found = _rungs((*names.LADDER, "suite"), changes, adjusted)
    assert said in found
    assert ("Each rung" in found) == (said.startswith("Each rung"))


def test_square_is_called_stronger_only_where_that_is_shown():
    said = "leaves fewer standing here"
    few = kept(apgd_ce=(0,), apgd_t=(0, 1), square=(0, 1, 2))
    assert said not in text(page(few))
    many = kept(apgd_ce=(0,), apgd_t=(0,), square=tuple(range(10)))
    assert said in text(page(many))


def test_weaker_than_art_is_said():
    weak = kept(apgd_ce=(0,), apgd_art=(0, 1), square_short=(0, 1), square_art=(2,))
    (section,) = [s for s in page(weak).sections if s.title.startswith("Beside ART")]
    first, second = section.blocks[1].table.rows
    assert (first[4], first[5], first[7].text) == (0, 1, "weaker")
    assert (second[4], second[5], second[7].text) == (2, 1, "yes")


def test_nothing_kept_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"run `python -m benchmarks\.suite` first"):
        page(load(tmp_path))
    with pytest.raises(SystemExit):
        main(["--networks", "x"])


def test_runs_are_kept_and_not_repeated(monkeypatch, tmp_path):
    monkeypatch.setattr(scale, "QUICK", TINY)
    monkeypatch.setattr(runs, "RUNS", ("fgsm", "apgd-ce", "suite", "apgd-art"))
    monkeypatch.setattr(native, "uses_xla", lambda attack, classifier: False)
    folder = tmp_path / "out"
    common = ["--quick", "--networks", "d", "--out", str(folder), "--cache", str(tmp_path / "c")]
    assert main(common) == 0
    records = {p: p.stat().st_mtime_ns for p in (folder / "records").iterdir()}
    assert {p.stem for p in records} == {"d-fgsm", "d-apgd-ce", "d-suite", "d-apgd-art"}
    found = load(folder)["d"]
    assert len(found["suite"].label) == 5
    suite = found["suite"]
    assert suite.about["parts"][0][1] == suite.correct.sum()
    assert not len(missed(found, "apgd-ce"))
    readme = (folder / "README.md").read_text()
    assert "FC-100-100-10 on digits" in readme
    assert main(common) == 0
    assert {p: p.stat().st_mtime_ns for p in (folder / "records").iterdir()} == records
    assert main(["--page", "--out", str(folder)]) == 0
    assert (folder / "README.md").read_text() == readme
