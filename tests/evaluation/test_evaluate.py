"""`evaluate`: one number, all attackers behind it, the files, and going on after a kill."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import convolving

from robustnets import backend
from robustnets.attacks.balls import distances
from robustnets.core.dataset import Split
from robustnets.core.record import Record
from robustnets.core.store import Store
from robustnets.evaluation import Declared, evaluate, export, verdict
from robustnets.evaluation.evaluation import radius_text
from robustnets.evaluation.export import records
from robustnets.evaluation.outcome import combined

EPS = 0.1


class Quantise(keras.layers.Layer):
    def call(self, x):
        return ops.round(3 * x) / 3


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1548], digits[1][1500:1548]


@pytest.fixture(scope="module")
def found(classifier, held_out):
    seen = []
    done = evaluate(
        classifier, *held_out, eps=EPS, suite="quick", progress=seen.append,
        about={"model": "tiny", "data": "digits", "command": "robustnets evaluate <tiny>"},
    )  # fmt: skip
    return done, seen


@pytest.fixture(scope="module")
def classifier(trained_classifier):
    return convolving(trained_classifier)


@pytest.fixture
def unchecked(monkeypatch):
    """Without the sanity block, which has tests of its own."""
    monkeypatch.setattr(verdict, "checks_of", lambda *args, **kwargs: ())


def test_the_number_is_that_of_the_examples(found, classifier, held_out):
    done, _ = found
    x, y = held_out
    assert (done.right == (classifier.predict(x).argmax(axis=1) == y)).all()
    wrong = classifier.predict(done.nearest.x).argmax(axis=1) != y
    far = distances(x, done.nearest.x)["linf"]
    known = np.isfinite(done.nearest.distance)
    assert wrong[known].all()
    both = known & done.right
    np.testing.assert_allclose(done.nearest.distance[both], far[both], rtol=0, atol=1e-6)
    assert (done.robust == (done.nearest.distance > EPS)).all()
    assert done.robust_accuracy.estimate == done.robust.mean()
    assert 0 < done.robust_accuracy.estimate < done.accuracy.estimate
    assert all(done.robust_accuracy.estimate <= a.accuracy.estimate for a in done.attackers)
    assert (done.predicted == classifier.predict(done.nearest.x).argmax(axis=1)).all()


def test_printed_rates_can_be_recomputed_from_the_frame(found, classifier, held_out):
    done, _ = found
    frame = done.to_frame()
    x, y = held_out
    assert frame.index.name == "example"
    assert frame["label"].tolist() == y.tolist()
    assert frame["clean"].tolist() == classifier.predict(x).argmax(axis=1).tolist()
    assert f"**{frame['robust'].mean():.1%}**" in done.headline
    assert f"without an attack {(frame['clean'] == frame['label']).mean():.1%}" in done.headline
    assert (frame["clean_correct"] == (frame["clean"] == frame["label"])).all()
    assert (frame["robust"] == (frame["distance"] > EPS)).all()
    assert (frame["nearest"] == done.predicted).all()
    for a in done.attackers:
        outcome = frame[f"{a.row.key}: outcome"]
        assert (outcome == "robust").mean() == a.accuracy.estimate
        assert ((outcome == "wrong") == ~frame["clean_correct"]).all()
        assert ((outcome == "broken") == (frame[f"{a.row.key}: broken by"] != "")).all()
        assert ((frame[f"{a.row.key}: predicted"] == y) == (outcome == "robust")).all()
        assert (frame[f"{a.row.key}: forward"] == a.case.forward).all()
        assert (frame[f"{a.row.key}: backward"] == a.case.backward).all()
        broken = frame.loc[outcome == "broken", f"{a.row.key}: broken by"]
        for part in a.case.parts:
            name = type(part.attack).__name__
            same = [p.broke for p in a.case.parts if type(p.attack).__name__ == name]
            assert (broken == name).sum() == sum(same)


def test_the_curve_never_rises_and_passes_through_the_number(found):
    done, _ = found
    rates = [r.estimate for r in done.curve.rates]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == done.accuracy.estimate
    assert rates[done.curve.epsilons.tolist().index(EPS)] == done.robust_accuracy.estimate
    assert rates[-1] < done.robust_accuracy.estimate


def test_a_sound_evaluation_stands(found):
    done, _ = found
    assert len(done.checks) > 10
    assert [c.name for c in done.checks if c.level == "FAIL"] == []
    assert done.upper_bound == ()
    assert done.headline.startswith("Robust accuracy in linf at eps 0.1: **")


def test_progress_names_every_stage(found):
    _, seen = found
    assert list(dict.fromkeys(m.stage for m in seen)) == [
        "white-box", "black-box", "curve", "checks",
    ]  # fmt: skip
    assert {m.of for m in seen} == {4}
    assert [m.number for m in seen] == sorted(m.number for m in seen)
    assert all(0 <= m.standing.done <= m.standing.examples for m in seen)


def test_the_files(found, tmp_path, held_out):
    done, _ = found
    index = done.save(tmp_path)
    text = index.read_text()
    assert f"{done.robust_accuracy.estimate:.1%}" in text
    assert "&lt;tiny&gt;" in text
    assert "Upper bound" not in text
    for title in ("Who attacks", "Over the radius", "Class by class", "May the number be believed"):
        assert title in text
    assert (tmp_path / "figures" / "nearest.png").is_file()
    records = {p.stem: Record.load(p) for p in (tmp_path / "records").glob("*.npz")}
    assert set(records) == {"white", "queries", "curve"}
    for attacker in done.attackers:
        record = records[attacker.row.key]
        assert (record.robust[0] == attacker.case.robust).all()
        assert (record.correct == done.right).all()
    assert (records["curve"].robust == done.curve.robust).all()
    with np.load(tmp_path / "outcomes.npz") as outcomes:
        assert (outcomes["robust"] == done.robust).all()
        assert outcomes["x"].tobytes() == held_out[0].tobytes()
    info = json.loads((tmp_path / "model_info.json").read_text())
    # the names of RobustBench's own files
    assert list(info) == [
        "link", "name", "authors", "additional_data", "number_forward_passes", "dataset", "venue",
        "architecture", "eps", "clean_acc", "reported", "autoattack_acc", "external", "footnote",
        "unreliable", "robustnets",
    ]  # fmt: skip
    assert (info["name"], info["dataset"], info["eps"]) == ("tiny", "digits", "0.1")
    assert float(info["clean_acc"]) == pytest.approx(100 * done.accuracy.estimate, abs=0.005)
    assert info["autoattack_acc"] is None, "another suite"
    assert float(info["external"]) == pytest.approx(100 * done.robust_accuracy.estimate, abs=0.005)
    assert info["robustnets"]["robust_acc"]["estimate"] == done.robust_accuracy.estimate


def test_only_its_own_list_counts_as_autoattack(found):
    """The same attackers as if they were the list, and one more who breaks what that left."""
    whole = replace(found[0], suite="autoattack")
    info = export.model_info(whole)
    own = combined([a.case for a in whole.attackers])
    assert float(info["autoattack_acc"]) == pytest.approx(100 * own.robust_accuracy, abs=0.005)
    nearer = replace(whole.nearest, distance=np.zeros_like(whole.nearest.distance))
    beaten = export.model_info(replace(whole, nearest=nearer))
    assert beaten["autoattack_acc"] == info["autoattack_acc"]
    assert beaten["external"] == "0.00"
    cut = replace(whole, left_out=("FAB: left out",))
    assert export.model_info(cut)["autoattack_acc"] is None


def test_a_notebook_shows_the_number_and_the_attackers(found):
    shown = found[0]._repr_html_()
    assert f"<strong>{found[0].robust_accuracy.estimate:.1%}</strong>" in shown
    assert "black-box" in shown


def test_a_layer_that_rounds_is_seen_through(classifier, held_out, unchecked):
    done = evaluate(classifier, *held_out, eps=EPS, suite="quick", defense=Quantise())
    by = {a.row.knowledge: a.accuracy.estimate for a in done.attackers}
    assert by["white-box"] > by["adaptive"] + 0.1, "the layer hides its gradient"
    assert done.robust_accuracy.estimate <= min(by["gray-box"], by["adaptive"], by["black-box"])
    assert not done.upper_bound
    assert done.undefended.accuracy.estimate == by["undefended"]
    text = str([block.markdown for s in done.page().sections for block in s.blocks
                if hasattr(block, "markdown")])  # fmt: skip
    assert "Without the defense" in text
    assert repr(done).startswith("<Evaluation of quantise_")
    assert len(repr(done)) < 400
    assert {block.stem for block in done.page().tables} >= {"defense", "attackers"}
    (informed,) = [c for c in done.checks if c.name == verdict.INFORMED]
    assert informed.level == "PASS"


def test_hidden_gradients_without_a_recipe_are_an_upper_bound(classifier, held_out, unchecked):
    from robustnets.layers import prepend

    whole = prepend(classifier.model, Quantise())
    done = evaluate(whole, *held_out, eps=EPS, suite="quick", defense=Declared(name="rounding"))
    assert done.headline.startswith("Upper bound only: robust accuracy")
    assert "nothing stands in for them" in done.upper_bound[0]
    assert json.dumps(done.upper_bound[0])[1:-1] in done.page().lead


@pytest.mark.skipif(backend.name() == "jax", reason="random layers run on TensorFlow")
def test_a_layer_that_draws_is_averaged_over(classifier, held_out, unchecked):
    class Noisy(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.draws = keras.random.SeedGenerator(3)

        def call(self, x):
            return x + keras.random.normal(ops.shape(x), stddev=0.05, seed=self.draws)

    x, y = held_out
    done = evaluate(classifier, x[:16], y[:16], eps=EPS, suite="quick", defense=Noisy())
    assert {a.case.evaluations for a in done.attackers if a.row.counts} == {20}
    assert done.convergence.robust.shape == (3, 16)
    assert "convergence" in {figure.stem for figure in done.page().figures}
    assert "fresh evaluations" in str(done.page().sections[-1])


def test_a_surrogate_is_another_attacker(classifier, digits, held_out, unchecked):
    x, y = held_out
    apart = Split(digits[0][:400], digits[1][:400])
    done = evaluate(classifier, x, y, eps=0.2, suite="quick", surrogate=apart)
    last = done.attackers[-1]
    assert (last.row.knowledge, last.row.key) == ("black-box", "transfer")
    assert last.row.source.classes == 10
    assert last.accuracy.estimate < done.accuracy.estimate


def test_a_second_run_reads_what_the_first_kept(classifier, held_out, unchecked, tmp_path):
    x, y = held_out
    settings = {"eps": EPS, "suite": "quick", "store": Store(tmp_path)}
    first = evaluate(classifier, x, y, **settings)
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npz")}
    assert kept
    second = evaluate(classifier, x, y, **settings)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npz")} == kept
    assert second.nearest.x.tobytes() == first.nearest.x.tobytes()
    assert (second.curve.robust == first.curve.robust).all()


def test_a_budget_says_what_it_left_out(classifier, held_out, unchecked):
    done = evaluate(classifier, *held_out, eps=EPS, suite="quick", time_budget=0.5)
    assert "checks that run attacks: left out" in done.left_out
    assert len(done.left_out) > 1
    assert "A budget left something out or cut it short." in done.upper_bound
    assert done.headline.startswith("Upper bound only")
    assert "Left out or cut down" in str(done.page().sections[-1])
    idle = [a for a in done.attackers if not a.took_part]
    assert idle, "no time for all of them"
    assert {a.row.key for a in idle}.isdisjoint(records(done))
    with pytest.raises(ValueError, match="time_budget must be seconds > 0"):
        evaluate(classifier, *held_out, eps=EPS, time_budget=-1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suite": "slow"}, "suite must be one of quick, standard, autoattack, got 'slow'"),
        ({"norm": "l0"}, "an evaluation needs norm 'linf' or 'l2' or 'l1', got 'l0'"),
        ({"eps": 0.0}, "eps must be > 0"),
        ({"defense": Quantise}, "make an instance of it"),
        ({"class_names": ["a", "b"]}, "class_names must be 10, one per class, got 2"),
        ({"seed": -1}, "seed must be an int >= 0"),
    ],
)
def test_what_is_wrong_is_named(classifier, held_out, changes, message):
    with pytest.raises(ValueError, match=message):
        evaluate(classifier, *held_out, **{"eps": EPS, "suite": "quick", **changes})


def test_radii_are_written_as_people_write_them():
    assert [radius_text(e) for e in (8 / 255, 4 / 255, 0.3, 0.5, 0.2, 2.0, 1e-3)] == [
        "8/255", "4/255", "0.3", "0.5", "0.2", "2", "0.001",
    ]  # fmt: skip
