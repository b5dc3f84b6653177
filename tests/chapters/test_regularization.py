"""The chapter on penalties: its Cells, its statistics by hand, and its page from a small run."""

import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from robustnets import cli
from robustnets.chapters.regularization import cells as regularization_cells
from robustnets.chapters.regularization import paired as paired
from robustnets.chapters.regularization import results as results
from robustnets.core.record import Record
from robustnets.core.spec import to_dict
from robustnets.experiments.publish import published
from robustnets.report import reported, seeds

# one process runs the demo once for all of these tests
pytestmark = pytest.mark.xdist_group("regularization demo")
NONE, CHOSEN = results.NONE, results.CHOSEN


def test_cells_at_full_scale_are_the_reports():
    cells = regularization_cells.cells("full", seeds=1)
    networks = {c.network for c in cells if c.network.defense is None}
    pairs = Counter((n.training.l1, n.training.l2) for n in networks)
    values = (1e-3, 1e-4, 1e-5)
    assert pairs == {NONE: 1, **{(a, b): 1 for a in values for b in values}}
    for network in networks:
        training = network.training
        assert (network.model, network.rule.epochs) == ("fc_625_625_10", 50)
        assert (training.batch_size, training.reduce_lr_patience) == (128, None)
        assert to_dict(training.optimizer) == {
            "type": "RMSProp",
            "learning_rate": 0.001,
            "rho": 0.9,
            "epsilon": 1e-6,
        }
        # 468 whole batches, the report's; the 96 images left over are held out
        held = max(1, round(training.validation * 60_000))
        assert (60_000 - held) == 468 * 128


def test_attacks_of_each_network():
    cells = regularization_cells.cells("full", seeds=2)
    kinds = {}
    for cell in cells:
        record = blank(cell)
        pair = results.penalties(record), cell.network.seed
        kinds.setdefault(pair, []).append(results.measured(record))
    assert len(kinds) == 10 + 2  # the grid for the first seed alone
    every = {
        results.FREE,
        results.FREE_NOISE,
        results.BOX,
        results.BOX_NOISE,
        results.ITERATED,
        results.DEEPFOOL,
    }
    for (pair, _), found in kinds.items():
        more = (
            {results.ROUNDED, results.CARLINI, results.ASKED} if pair in (NONE, CHOSEN) else set()
        )
        more |= {results.LENT} if pair == CHOSEN else set()
        assert len(found) == len(set(found))
        assert set(found) == every | more
    for cell in cells:
        threat, kind = cell.attack.threat, results.measured(blank(cell))
        free = kind in (results.FREE, results.FREE_NOISE, results.ROUNDED, results.LENT)
        # no value that eps 0.25 can reach is cut, or the box is that of images
        assert (threat.low <= -0.25 and threat.high >= 1.25) if free else (threat.low == 0)


def test_reported_rows_have_a_place():
    rows = reported.load("lacok2016", "regularization")
    assert Counter(row.table for row in rows) == {"1": 8, "2": 8}
    assert {row.metric for row in rows} == {"error_rate", "confidence"}


def blank(cell):
    n = 3
    return Record(
        cell=to_dict(cell),
        label=np.zeros(n, int),
        clean=np.zeros(n, int),
        epsilons=np.array(cell.epsilons),
        adversarial=np.zeros((len(cell.epsilons), n), int),
    )


# statistics, by hand


def record(attack, seed=0, pair=NONE, **arrays):
    """Six examples of class 0: the first wrong before, the first three after the attack."""
    low = -1.0 if attack == "FGSM" else 0.0
    return Record(
        cell={
            "network": {
                "dataset": {"name": "digits", "n_train": None},
                "training": {"l1": pair[0], "l2": pair[1]},
                "rule": {"epochs": 1},
                "defense": None,
                "seed": seed,
            },
            "attack": {"type": attack, "threat": {"low": low}},
        },
        label=np.zeros(6, int),
        clean=np.array([1, 0, 0, 0, 0, 0]),
        epsilons=np.array([0.1]),
        adversarial=np.array([[1, 2, 2, 0, 0, 0]]),
        arrays=arrays,
    )


def test_errors_and_distances():
    l2 = np.array([[0.0, 0.5, 1.5, 9.0, 9.0, 9.0]], np.float32)
    r = results.Results([record("DeepFool", l2=l2), record("FGSM")])
    assert (r.seeds, r.n, r.unit, r.like_for_like) == (1, 6, "test examples", False)
    assert r.errors(NONE, results.FREE)[0].tolist() == [True] + 5 * [False]
    assert r.errors(NONE, results.FREE, 0.1)[0].tolist() == 3 * [True] + 3 * [False]
    assert r.errors(NONE, results.FREE, 0.1, 2)[0].tolist() == [True, True]
    # wrong from the start is at distance zero, an attack that failed at none
    (distances,) = r.distances(NONE, results.DEEPFOOL)
    assert distances.tolist() == [0.0, 0.5, 1.5, math.inf, math.inf, math.inf]
    assert math.isinf(seeds.median([distances]).estimate)
    assert seeds.median([distances[:3]]).estimate == 0.5


def test_one_seed_is_compared_by_examples_and_several_by_seeds():
    first = [np.array(8 * [True] + 2 * [False])]
    second = [np.array(4 * [True] + 6 * [False])]
    difference, p = seeds.paired_share(first, second)
    assert difference.estimate == pytest.approx(0.4)
    assert p == pytest.approx(2 * 0.5**4)  # four discordant pairs, all one way
    assert difference.n == 10
    assert results.one_run(first) is None
    more, p = seeds.paired_share(first + second, second + second)
    assert (more.n, more.estimate) == (2, pytest.approx(0.2))
    assert 0.05 < p < 1
    near, far = [np.array([0.1, 0.2, 0.4])], [np.array([0.3, 0.5, math.inf])]
    assert seeds.paired_median(far, near)[0].estimate == pytest.approx(0.3)


def test_the_grid_is_of_the_seeds_that_all_penalties_have():
    both = [record("FGSM", seed=s, pair=p) for s in (0, 1) for p in (NONE, CHOSEN)]
    assert results.Results(both).of_the_grid().seeds == 2
    r = results.Results([*both, record("FGSM", seed=1, pair=(1e-3, 1e-3))])
    assert (r.seeds, r.grid_seeds) == (2, 1)
    few = r.of_the_grid()
    assert [x.cell["network"]["seed"] for x in few.of(NONE, results.FREE)] == [1]


def test_each_training_alone(monkeypatch):
    monkeypatch.setattr(paired, "FAMILY", paired.FAMILY[4:5])  # FGSM at 0.1
    made = []
    for seed, (bare, penalised) in enumerate(((30, 5), (30, 29), (5, 30))):
        for pair, wrong in ((NONE, bare), (CHOSEN, penalised)):
            one = record("FGSM", seed, pair)
            adversarial = (np.arange(40) < wrong).astype(int)
            made.append(
                replace(one, label=np.zeros(40, int), clean=np.zeros(40, int),
                        adversarial=adversarial[None])
            )  # fmt: skip
    r = results.Results(made)
    assert paired.alone(r, results.FREE, results.FREE, 0.1) == (1, 1)
    assert paired._alone(r, results.FREE, results.FREE, 0.1) == "1 better and 1 worse of 3"


def test_risk_at():
    sure, wrong = np.array([0.9, 0.8, 0.8, 0.1]), np.array([False, True, False, True])
    risk = results.risk_at(sure, wrong, np.array([0.25, 0.5, 0.75, 1.0]))
    # of two examples of one confidence half of the error counts for each
    np.testing.assert_allclose(risk, [0.0, 0.25, 1 / 3, 0.5], rtol=0, atol=1e-12)


def test_threshold_keeping():
    sure = np.linspace(0.01, 1.0, 100)
    for share in (0.95, 0.5, 1.0):
        assert share <= (sure >= results.threshold_keeping(sure, share)).mean() <= share + 0.02


def test_what_is_published_is_what_the_page_needs():
    names = ("clean_confidence", "adversarial_confidence", "l2", "linf")
    assert set(results.kept(record("DeepFool"))) == {"l2"}
    assert set(results.kept(record("FGSM"))) == set(names[:2])
    assert results.kept(record("FGSM", pair=(1e-3, 1e-3))) == ()


# the page, from a small run


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Folder of the page, with fewer images, epochs and penalties than at demo scale."""
    folder = tmp_path_factory.mktemp("pages")
    small = replace(
        regularization_cells.SCALES["demo"],
        epochs=3,
        penalties=(1e-4,),
        pair=40,
        grid=40,
        nearest=40,
        carlini=10,
        carlini_steps=60,
        queries=30,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(regularization_cells.SCALES, "demo", small)
        # a plain graph, which compiles faster than XLA
        patch.setattr("robustnets.engines.native.has_convolutions", lambda model: True)
        arguments = ["run", "regularization", "--scale", "demo", "--seeds", "1"]
        store = str(tmp_path_factory.mktemp("store"))
        result = CliRunner().invoke(
            cli.app, [*arguments, "--out", str(folder), "--store", store, "--jobs", "1"]
        )
        assert result.exit_code == 0, result.output
        yield folder


@pytest.mark.slow
def test_the_page_says_what_was_measured(demo):
    text = (demo / "regularization" / "README.md").read_text()
    assert text.count("Not at the report's scale") == 1
    assert "The verdict says" not in text
    assert "lie inside" not in text
    assert "*Source: Robert Lacok" in text
    assert "{" not in text
    assert "There is one training seed" in text
    assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE)
    r = results.Results(published(demo / "regularization")[0])
    for kind in (results.FREE, results.ITERATED):
        before, after = (100 * r.errors(p, kind, 0.1)[0].mean() for p in (NONE, CHOSEN))
        assert f"**from {before:.1f} % to {after:.1f} %**" in text
    row = re.search(r"no penalty / original \| confidence \| 99\.31 \| ([\d.]+)", text)
    sure = r.confidences(NONE, results.FREE)[0]
    assert float(row[1]) == pytest.approx(100 * sure.mean(dtype=float), abs=0.006)


@pytest.mark.slow
def test_the_page_has_its_figures_and_tables(demo):
    page = demo / "regularization"
    figures = {p.stem for p in (page / "figures").glob("*.png")}
    assert figures == {"digits", "grid", "radius", "distance", "confidence", "risk-coverage"}
    tables = {p.stem for p in (page / "tables").glob("*.csv")}
    assert tables == {
        *("table-1", "table-2", "table-2-lent"),
        *("grid", "paired", "distances", "refusals"),
    }
    assert "regularization/figures/grid.png" in (demo / "index.html").read_text()
