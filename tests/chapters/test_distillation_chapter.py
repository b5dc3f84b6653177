"""The distillation chapter: its Cells, what its tables count, and a small run with its page."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from robustnets import cli
from robustnets.chapters.distillation import cells as distillation_cells
from robustnets.chapters.distillation import sections as page
from robustnets.chapters.distillation.results import (
    EPSILONS,
    Key,
    Results,
    all_attacks,
    gap,
    key_of,
    paired,
    robust,
    untouched,
    word,
)
from robustnets.core.record import Record
from robustnets.core.spec import to_dict
from robustnets.experiments.publish import published
from robustnets.report import reported


def record(cell, right=10, stands=(6, 3), n=12, untouched=(4, 4)):
    """A Record of a Cell: so many of n right, of which so many withstand each radius."""
    label = np.zeros(n, int)
    clean = np.where(np.arange(n) < right, 0, 1)
    adversarial = np.array([np.where(np.arange(n) < s, 0, 1) for s in stands])
    return Record(
        to_dict(cell), label, clean, np.array(EPSILONS), adversarial,
        about={"untouched": list(untouched), "data": "x"},
    )  # fmt: skip


def attacked(scale="quick", **wanted):
    """The Cells of a scale whose Keys have these values."""
    found = []
    for cell in distillation_cells.cells(scale, seeds=1):
        key = key_of(record(cell))
        if all(getattr(key, name) == value for name, value in {"double": False, **wanted}.items()):
            found.append(cell)
    return found


def test_cells_of_the_report():
    """Both radii, all images, three treatments at T = 100, through the softmax and the logits."""
    for dataset in ("mnist", "cifar10"):
        for treatment in ("soft", "removed", "hard"):
            for view in ("softmax", "logits", "logits / T"):
                wanted = {"dataset": dataset, "treatment": treatment, "view": view}
                cells = attacked("full", network="distilled", temperature=100.0, attack="FGSM",
                                 **wanted)  # fmt: skip
                white = [c for c in cells if c.knowledge != "gray-box"]
                assert len(white) == 1
                assert white[0].examples is None
                assert white[0].epsilons == (0.1, 0.2)
        (bare,) = attacked("full", network="undefended", attack="FGSM", view="softmax",
                           dataset=dataset)  # fmt: skip
        training = bare.network.training
        assert (training.rules[0].epochs, training.batch_size) == (50, 128)
        assert training.optimizer.learning_rate == {"mnist": 0.1, "cifar10": 0.01}[dataset]
        assert training.optimizer.momentum == {"mnist": 0.5, "cifar10": 0.9}[dataset]
    temperatures = {
        key_of(record(c)).temperature for c in distillation_cells.cells("full", seeds=1)
    }
    assert min(temperatures) == 1
    assert max(temperatures) == 100
    assert len(temperatures) >= 8


def test_what_may_vanish_is_measured_in_float64_on_the_same_images():
    def made(double):
        wanted = {"attack": "FGSM", "knowledge": "white-box", "double": double}
        cells = attacked("quick", **wanted)
        keys = [(key_of(record(c)), c.examples) for c in cells]
        return {
            (k.dataset, k.network, k.temperature, k.view, n)
            for k, n in keys
            if k.treatment in ("", "soft")
        }

    assert made(True) == made(False)
    assert {view for *_, view, _ in made(True)} == {"softmax", "logits"}
    r = Results([record(c) for c in distillation_cells.cells("quick", seeds=1)])
    (wide,) = r.in_float64("mnist", "distilled", 40.0, "logits")
    assert wide.cell["view"] == {"type": "InFloat64", "view": None}
    (narrow,) = r.student("mnist", "logits", t=40.0)
    assert narrow.cell["view"] is None


def test_knowledge_follows_the_view():
    for scale in distillation_cells.SCALES:
        for cell in distillation_cells.cells(scale, seeds=1):
            key = key_of(record(cell))
            if key.view == "logits / T":
                assert key.knowledge == "adaptive"
                assert cell.view.temperature == key.temperature
            if key.attack == "Square":
                assert key.knowledge == "black-box"
    kinds = {key_of(record(c)).knowledge for c in distillation_cells.cells("quick")}
    assert kinds == {"white-box", "adaptive", "gray-box", "black-box"}


def test_engine():
    assert {c.engine for c in distillation_cells.cells("demo", engine="art")} == {"art"}


def test_every_reported_number_has_a_place():
    rows = reported.load("csds440", "distillation")
    r = Results([record(c) for c in distillation_cells.cells("quick")])
    for row in rows:
        dataset, labels, attack, network = page._ours(r, row)
        assert dataset in ("mnist", "cifar10")
        assert page._group(r, dataset, network, labels, "logits")
        assert attack == "clean" or float(attack.removeprefix("eps=")) in EPSILONS
    demo = Results([record(c) for c in distillation_cells.cells("demo")])
    places = {page._ours(demo, row)[0] for row in rows}
    assert places == {"digits", ""}


def test_results_find_and_refuse():
    r = Results([record(c) for c in distillation_cells.cells("quick")])
    assert r.datasets == ["mnist", "cifar10"]
    assert r.temperatures("mnist") == [10.0, 40.0, 100.0]
    assert key_of(r.student("mnist", "logits / T", "hard")[0]) == Key(
        "mnist", "distilled", 100.0, "hard", "FGSM", "logits / T", "adaptive"
    )
    assert r.find("mnist", network="none") == []
    with pytest.raises(ValueError, match="names several groups"):
        r.find("mnist", network="distilled")


# what the tables count, by hand


def test_rates():
    (cell, *_) = attacked(network="undefended", view="logits", attack="FGSM", dataset="mnist")
    one, other = record(cell), record(cell, stands=(3, 1))
    assert robust([one], 0.1).estimate == 0.5
    assert untouched([one]).estimate == 0.4
    pair = paired([one], [other], 0.1)
    assert pair.difference.estimate == pytest.approx(0.25)
    assert pair.p == pytest.approx(0.25)  # 3 against 0 of 12: twice one eighth
    # the first so many of the longer one
    short = record(cell, n=4, right=4, stands=(0, 0))
    assert paired([one], [short], 0.1).difference.estimate == 1.0
    stands, n = all_attacks([[one], [other], [record(cell, n=8, stands=(5, 5))]], 0.1)
    assert (int(stands.sum()), n) == (3, 8)


def test_pairs_over_seeds():
    (cell,) = attacked(network="undefended", view="logits", attack="FGSM", dataset="mnist")
    cells = [replace(cell, network=replace(cell.network, seed=s)) for s in (0, 1)]
    first = [record(c, stands=(6 + i, 3)) for i, c in enumerate(cells)]
    second = [record(c, stands=(3 + 2 * i, 3)) for i, c in enumerate(cells)]
    # 3 and 2 of 12
    assert paired(first, second, 0.1).difference.estimate == pytest.approx(2.5 / 12)
    assert paired(first, second, 0.1).difference.n == 2
    assert paired(first[:1], second, 0.1).difference.n == 12
    assert "+25.0" in gap(paired(first[:1], second, 0.1))


def test_words():
    (cell, *_) = attacked(network="undefended", view="logits", attack="FGSM", dataset="mnist")
    pair = paired([record(cell)], [record(cell, stands=(0, 0))], 0.1)
    assert word(pair, 0.2).text == "no difference shown"
    assert (word(pair, 0.01).text, word(pair, 0.01).kind) == ("higher", "good")
    back = paired([record(cell, stands=(0, 0))], [record(cell)], 0.1)
    assert (word(back, 0.01).text, word(back, 0.01).kind) == ("lower", "bad")


# a small run


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Records and the text of the page of a run that takes seconds."""
    folder, store = (tmp_path_factory.mktemp(name) for name in ("pages", "store"))
    (part,) = distillation_cells.SCALES["demo"].parts
    # the slow attacks have tests of their own
    small = replace(part, n_train=600, n_test=80, epochs=60, temperatures=(8.0,), slow=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(distillation_cells.SCALES, "demo", distillation_cells.Scale((small,), 1, 1))
        patch.setattr("robustnets.training.fit.has_convolutions", lambda model: True)
        result = CliRunner().invoke(
            cli.app,
            ["run", "distillation", "--scale", "demo", "--store", str(store),
             "--out", str(folder), "--jobs", "1"],
        )  # fmt: skip
        assert result.exit_code == 0, result.output
    records, run = published(folder / "distillation")
    return Results(records), run, (folder / "distillation" / "README.md").read_text(), folder


@pytest.mark.slow
def test_page(demo):
    _, run, text, folder = demo
    assert run["scale"] == "demo"
    assert text.count("Not at the report's scale") == 1
    assert "The verdict says" not in text
    assert "lie inside" not in text
    assert "*Source: " in text
    assert "{" not in text
    assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE)
    for title in ("Reported and reproduced", "What the teacher gets wrong", "Counter-attacks"):
        assert f"## {title}" in text
    figures = {p.stem for p in (folder / "distillation" / "figures").glob("*.png")}
    assert figures == {"reported", "temperatures"}
    tables = {p.stem for p in (folder / "distillation" / "tables").glob("*.csv")}
    assert {"reported", "gains", "treatments", "temperatures", "counter-attacks"} <= tables
    assert "float64" in tables
    assert json.loads((folder / "distillation" / "run.json").read_text()) == run


@pytest.mark.slow
def test_numbers_of_the_answer_are_those_of_the_records(demo):
    r, _, text, _ = demo
    (softmax,), (scaled,) = (r.student("digits", view) for view in ("softmax", "logits / T"))
    assert f"**{100 * softmax.robust[0].mean():.1f} %" in text
    assert f"**{100 * scaled.robust[0].mean():.1f} %" in text
    zero = softmax.about["untouched"][-1] / softmax.correct.sum()
    assert f"But {100 * zero:.1f} %" in text


@pytest.mark.slow
def test_what_is_hidden(demo):
    """The softmax seems robust because gradients are zero; the scaled logits have them all."""
    r = demo[0]
    (softmax,), (scaled,) = (r.student("digits", view) for view in ("softmax", "logits / T"))
    assert untouched([softmax]).estimate > 0.3
    assert untouched([scaled]).estimate == 0
    assert paired([softmax], [scaled], 0.1).p < 1e-4
    np.testing.assert_array_equal(softmax.clean, scaled.clean)
    # no matter of rounding: the clip is there in float64 as well
    still = r.in_float64("digits", "distilled", 8.0, "softmax")
    assert untouched(still).estimate == pytest.approx(untouched([softmax]).estimate, abs=0.03)
