"""The smoothing chapter: its Cells, its statistics by hand, and its page from a small run."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from robustnets import cli
from robustnets.chapters.smoothing import cells as smoothing_cells
from robustnets.chapters.smoothing import results as results
from robustnets.chapters.smoothing import sections as sections
from robustnets.core.record import Record
from robustnets.data.imagenet import DOWNLOAD, WEIGHTS
from robustnets.experiments.publish import published
from robustnets.models import imagenet_resnet50

# one process runs the demo once for all of these tests
pytestmark = pytest.mark.xdist_group("smoothing demo")


def test_cells_of_the_figures():
    cells = [c for c in smoothing_cells.cells("full") if c.target is None]
    # six attacks on two networks; bare, and two smoothings gray-box and through them
    assert len(cells) == 6 * 2 * (1 + 2 * 2)
    assert {c.examples for c in cells if c.network.dataset.name == "cifar10"} == {500}
    # the whole of MNIST's test split where an attack is cheap
    assert {c.examples for c in cells if c.network.dataset.name == "mnist"} == {None, 10_000, 500}
    jumps = [c.attack for c in cells if type(c.attack).__name__ == "HopSkipJump"]
    assert {(a.max_iter, a.max_eval, a.init_eval) for a in jumps} == {(8, 100, 10)}
    assert {c.knowledge for c in cells if c.attack in jumps} == {"gray-box", "black-box"}
    for name, eps in (("mnist", 0.1), ("cifar10", 8 / 255)):
        found = [c for c in cells if c.network.dataset.name == name]
        assert {c.epsilons for c in found if type(c.attack).__name__ == "PGD"} == {(eps,)}


def test_cells_of_table_3():
    cells = [c for c in smoothing_cells.cells("full") if c.target is not None]
    assert {c.network.dataset.name for c in cells} == {"cifar10", "tiny_imagenet"}
    smoothed = [c.network.defense.layer for c in cells if c.knowledge == "gray-box"]
    # listing 3 takes what is outside for 0, ART mirrors it; both for windows of 3 and 7
    counts = Counter((d.kind, d.window, d.border) for d in smoothed)
    own = {"mean": "constant", "0.5mean": "constant", "median": "reflect"}
    other = {"constant": "reflect", "reflect": "constant"}
    assert counts == {
        **{(kind, window, own[kind]): 2 for kind in own for window in (2, 3, 4, 5, 7)},
        **{(kind, window, other[own[kind]]): 2 for kind in own for window in (3, 7)},
    }
    assert all(c.attack.targeted and c.probabilities for c in cells)


def test_resnet50_is_there_where_its_weights_are_named(tmp_path, monkeypatch):
    def given(scale="full"):
        return [c for c in smoothing_cells.cells(scale) if c.network.model == "imagenet_resnet50"]

    monkeypatch.delenv(WEIGHTS, raising=False)
    assert given() == []
    (tmp_path / "mine.h5").write_bytes(b"weights")
    monkeypatch.setenv(WEIGHTS, str(tmp_path / "mine.h5"))
    cells = given()
    # bare; three kinds in five windows and two with the other border gray-box; 3 through it
    assert len(cells) == 1 + 3 * (5 + 2) + 3
    assert {c.examples for c in cells} == {100}
    assert {c.network.dataset.name for c in cells} == {"imagenet"}
    assert len({c.network.training.weights for c in cells}) == 1
    assert set(smoothing_cells.cells("full", "mnist")).isdisjoint(cells)
    monkeypatch.setenv(WEIGHTS, DOWNLOAD)

    def offline():
        raise imagenet_resnet50.WeightsUnavailable("no network")

    monkeypatch.setattr(imagenet_resnet50, "named_weights", offline)
    with pytest.warns(UserWarning, match="no network; the rows of ResNet-50 are left out"):
        assert given() == []


def record(kind, attack, knowledge, wrong, n=4, eps=(0.1, 1.0)):
    """A Record on the digits with the first `wrong` examples wrong after the attack."""
    defense = None
    if kind is not None:
        layer = {"type": "SmoothingSpec", "kind": kind, "window": 3, "border": "constant"}
        defense = {"type": "InFront", "layer": layer}
    adversarial = np.zeros((len(eps), n), int)
    adversarial[:, :wrong] = 1
    network = {"dataset": {"name": "digits"}, "defense": defense, "seed": 0}
    return Record(
        cell={"network": network, "attack": {"type": attack}, "knowledge": knowledge},
        label=np.zeros(n, int),
        clean=np.zeros(n, int),
        epsilons=np.array(eps),
        adversarial=adversarial,
        arrays={"linf": np.tile(np.linspace(0.1, 0.4, n), (len(eps), 1))},
    )


def test_gain_is_the_mean_over_four_attacks_image_by_image():
    made = []
    for attack in results.FOUR:
        known = results.through(attack)
        n = 3 if attack == "DeepFool" else 4  # the fourth image was not attacked by all
        made += [record(None, attack, known, 3, n), record("mean", attack, "gray-box", 3, n)]
    made[1] = record("mean", "FGSM", "gray-box", 1)  # images 1 and 2 come back
    r = results.Results(made)
    assert r.names == ["digits"]
    np.testing.assert_allclose(results.gains(r, "digits", ("mean", 3)), [0, 0.25, 0.25])
    assert results.gain(r, "digits", ("mean", 3)).estimate == pytest.approx(0.5 / 3)


def test_the_worst_attacker_counts_for_each_image():
    made = [
        record("mean", "PGD", "white-box", 1),
        record("mean", "PGD", "gray-box", 0),
        record("mean", "HopSkipJump", "black-box", 0, 3),
        record("mean", "HopSkipJump", "gray-box", 2, 3),
    ]
    found, n = results.worst(results.Results(made), "digits", ("mean", 3), 0.1)
    # of the three images that all attacked, the third alone stands
    assert (n, found.estimate) == (3, pytest.approx(1 / 3))


def test_budget_takes_channels_where_there_are_several():
    one = record(None, "FGSM", "white-box", 0)
    assert results.budget([one], "linf").estimate == pytest.approx(0.25)
    both = replace(one, arrays={**one.arrays, "linf_channels": 3 * one.arrays["linf"]})
    assert results.budget([both], "linf").estimate == pytest.approx(0.75)


def test_gains_and_costs_are_one_family_with_the_clean_accuracy():
    made = []
    for attack in results.ROWS:
        known = results.through(attack)
        made.append(record(None, attack, known, 20, 20))
        for kind, border, left in (("mean", "constant", 4), ("median", "reflect", 19)):
            for knowledge in ("gray-box", known):
                one = record(kind, attack, knowledge, left, 20)
                one.cell["network"]["defense"]["layer"]["border"] = border
                # the mean loses three clean images
                clean = (np.arange(20) >= (17 if kind == "mean" else 20)).astype(int)
                made.append(replace(one, clean=clean))
    r = results.Results(made)
    found = results.worth(r)
    assert len(found) == 2 * 3
    mean, median = (("digits", front) for front in (results.MEAN, results.MEDIAN))
    assert found[(*mean, results.CLEAN)].difference.estimate == pytest.approx(-0.15)
    assert found[(*mean, results.GAIN)].difference.estimate == pytest.approx(0.8)
    assert found[(*mean, results.GAIN)].more
    # 13 of 20 are right before and after it, against none
    assert found[(*mean, results.WORST)].difference.estimate == pytest.approx(13 / 20)
    assert not found[(*mean, results.CLEAN)].shown
    assert not found[(*median, results.GAIN)].shown
    table = sections.worth_table(r)
    assert {row[2] for row in table.rows} == {
        results.CLEAN, results.GAIN, f"{results.WORST} within 0.1",
    }  # fmt: skip
    answer = sections.answer(r)
    assert "by **+80.0 (" in answer
    assert "from 100.0 % to 85.0 %" in answer
    assert "Of the first 20 alone, on which HopSkipJump was run as well" in answer


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Folder of the page, with fewer images than at demo scale."""
    folder = tmp_path_factory.mktemp("pages")
    small = replace(
        smoothing_cells.SCALES["demo"], digits=24, pgd=24, deepfool=16, hsj=8, table=16, steps=4
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(smoothing_cells.SCALES, "demo", small)
        arguments = ["run", "smoothing", "--scale", "demo", "--out", str(folder)]
        store = str(tmp_path_factory.mktemp("store"))
        result = CliRunner().invoke(cli.app, [*arguments, "--store", store, "--jobs", "1"])
        assert result.exit_code == 0, result.output
        yield folder


@pytest.mark.slow
def test_the_page_says_what_was_measured(demo):
    text = (demo / "smoothing" / "README.md").read_text()
    assert text.count("Not at the report's scale") == 1
    assert "*Source: Shaochen (Henry) Zhong" in text
    assert "{" not in text
    assert "ImageNet (ResNet-50) | imagenet_resnet50 | left out: no weights were named" in text
    assert f"set {WEIGHTS} to `imagenet`" in text
    assert "24 for FGSM, I-FGSM and PGD, 8 for HSJ, 16 for DeepFool and D-DeepFool" in text
    assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE)
    r = results.Results(published(demo / "smoothing")[0])
    pgd = r.of("digits", "PGD", ("mean", 3), "white-box")[0]
    left = 100 * (pgd.adversarial[0] == pgd.label).mean()
    assert f"**{left:.1f} %** when it goes through the mean" in text
    gray = r.of("digits", "targeted", ("median", 7), "gray-box")[0]
    p = gray.probabilities(gray.at(8 / 255))[np.arange(16), gray.label].mean()
    row = re.search(r"window 7 / ART median / adversarial \| 90 \| ([\d.]+)", text)
    assert float(row[1]) == pytest.approx(100 * p, abs=0.006)


@pytest.mark.slow
def test_the_page_has_its_figures_and_tables(demo):
    page = demo / "smoothing"
    figures = {p.stem for p in (page / "figures").glob("*.png")}
    assert figures == {"effectiveness-digits", "budget", "pictures"}
    tables = {p.stem for p in (page / "tables").glob("*.csv")}
    expected = {"effectiveness", "attacked", "worst", "table-3-digits", "borders-digits"}
    expected |= {"table-3-networks"}
    assert tables == expected | {"worth", "gains-reported", "table-3-reported"}
    for stem in ("gains-reported", "table-3-reported"):
        assert "verdict" not in (page / "tables" / f"{stem}.csv").read_text()
    assert "smoothing/figures/effectiveness-digits.png" in (demo / "index.html").read_text()
