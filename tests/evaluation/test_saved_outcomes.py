"""Every rate on an evaluation's page comes out of its saved files, also where the model draws."""

import contextlib
import csv
import json
import re
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import convolving, dense_classifier

from robustnets import backend
from robustnets.attacks import PGD, Square
from robustnets.core.record import Record
from robustnets.evaluation import evaluate, suites, verdict
from robustnets.evaluation.judged import judged_classes
from robustnets.evaluation.subject import Subject
from robustnets.stats.intervals import rate

EPS = 0.06


class Noisy(keras.layers.Layer):
    """Noise so large that two judgements of an example often differ."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.draws = keras.random.SeedGenerator(3)

    def call(self, x):
        return x + keras.random.normal(ops.shape(x), stddev=0.4, seed=self.draws)


@pytest.fixture(scope="module")
def classifier(trained_classifier):
    return convolving(trained_classifier)


def saved(classifier, digits, defense, folder):
    """A short evaluation's files: one size of batch, one attack each, no sanity block."""
    x, y = digits[0][1500:1532], digits[1][1500:1532]
    short = replace(
        suites.SUITES["quick"],
        gradient=lambda threat, classes: (PGD(threat, steps=5, stop_early=True),),
        black_box=lambda threat, classes: (Square(threat, 30),),
        transfer=lambda threat, classes: (PGD(threat, steps=5),),
        curve=lambda threat: PGD(threat, steps=5, stop_early=True),
        radii=(0.5, 1.0, 2.0),
        draws=3,
        convergence=(1, 3),
    )
    # knows nothing but the means of the classes
    means = np.stack([digits[0][digits[1] == k].mean(axis=0).ravel() for k in range(10)])
    apart = dense_classifier(10, shape=x.shape[1:])
    apart.model.set_weights([means.T, -0.5 * (means**2).sum(axis=1)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict, "checks_of", lambda *args, **kwargs: ())
        patch.setitem(suites.SUITES, "quick", short)
        done = evaluate(
            classifier, x, y, eps=EPS, suite="quick", defense=defense, surrogate=convolving(apart)
        )
    done.save(folder)
    return folder


@pytest.fixture(scope="module", params=["deterministic", "stochastic"])
def folder(request, classifier, digits, tmp_path_factory):
    if request.param == "stochastic" and backend.name() == "jax":
        pytest.skip("random layers run on TensorFlow")
    defense = Noisy() if request.param == "stochastic" else None
    return saved(classifier, digits, defense, tmp_path_factory.mktemp(request.param))


def table(folder, name):
    with (folder / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def loaded(folder):
    with np.load(folder / "outcomes.npz") as file:
        return dict(file)


def records_of(folder):
    return {p.stem: Record.load(p) for p in (folder / "records").glob("*.npz")}


def assert_is(line, column, bits):
    expected = rate(int(bits.sum()), len(bits))
    found = [float(line[f"{column}{end}"]) for end in ("", " low", " high", " n")]
    wanted = [expected.estimate, expected.low, expected.high, expected.n]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_the_headline(folder):
    kept, curve = loaded(folder), records_of(folder)["curve"]
    robust, right = kept["robust"], kept["distance"] > 0
    assert (robust == curve.robust[curve.at(EPS)]).all()
    assert (right == curve.correct).all()
    text = (folder / "README.md").read_text()
    assert f"**{robust.mean():.1%}** (95 %" in text
    assert f"accuracy without an attack {right.mean():.1%} (" in text
    info = json.loads((folder / "model_info.json").read_text())
    assert float(info["clean_acc"]) == pytest.approx(100 * right.mean(), abs=0.0051)
    assert float(info["external"]) == pytest.approx(100 * robust.mean(), abs=0.0051)


def test_every_attacker(folder):
    records, kept = records_of(folder), loaded(folder)
    info = json.loads((folder / "model_info.json").read_text())["robustnets"]["attackers"]
    lines = table(folder, "attackers")
    by_label = {
        "undefended": "undefended", "gray-box": "gray", "white-box": "white",
        "adaptive": "adaptive", "black-box, queries": "queries", "black-box, transfer": "transfer",
    }  # fmt: skip
    assert {by_label[line["attacker"]] for line in lines[:-1]} == set(records) - {"curve"}
    for line, facts in zip(lines[:-1], info, strict=True):
        record = records[by_label[line["attacker"]]]
        assert_is(line, "robust accuracy, percent", record.robust[0])
        assert facts["robust_acc"]["estimate"] == record.robust[0].mean()
        counted = line["attacker"] != "undefended"
        if counted:
            assert (record.correct == (kept["distance"] > 0)).all(), "clean is judged once"
            assert not (kept["robust"] & ~record.robust[0]).any()
            more = float(line["above the worst of all, points"])
            assert more == pytest.approx(record.robust[0].mean() - kept["robust"].mean())
        if "source" in record.arrays:
            hit = record.arrays["source"] == record.label
            assert_is(line, "accuracy of the model crafted on, percent", hit)
            assert facts["source_acc"]["estimate"] == hit.mean()
            assert hit.mean() > 0.5
        else:
            assert line["accuracy of the model crafted on, percent"] == ""
            assert facts["source_acc"] is None
    assert "source" in records["transfer"].arrays
    assert "source" not in records["white"].arrays
    assert_is(lines[-1], "robust accuracy, percent", kept["robust"])
    left = {key: int(record.correct.sum()) for key, record in records.items()}
    for line in table(folder, "attacks"):
        key = by_label[line["attacker"]]
        left[key] -= int(line["broke"])
        assert float(line["still robust, percent"]) == left[key] / len(kept["y"])


def test_the_curve(folder):
    curve = records_of(folder)["curve"]
    lines = table(folder, "curve")
    assert len(lines) == len(curve.epsilons)
    for line, bits in zip(lines, curve.robust):
        assert_is(line, "robust accuracy, percent", bits)
    shares = curve.robust.mean(axis=1)
    assert (np.diff(shares) <= 0).all()
    assert shares[0] > shares[-1]


def test_no_class_is_broken_into_itself(folder):
    kept = loaded(folder)
    y, right, names = kept["y"], kept["distance"] > 0, json.loads(
        (folder / "model_info.json").read_text()
    )["robustnets"]["class_names"]  # fmt: skip
    known = np.isfinite(kept["distance"])
    assert ((kept["predicted"] != y) == known).all()
    lines = {line["class"]: line for line in table(folder, "classes")}
    assert len(lines) == len(set(y))
    for k in set(y):
        line, own = lines[names[k]], y == k
        assert_is(line, "accuracy, percent", right[own])
        assert_is(line, "robust accuracy, percent", kept["robust"][own])
        into = kept["predicted"][own & right & ~kept["robust"]]
        if len(into):
            name, count, of = re.fullmatch(
                r"(\d+) \((\d+) of (\d+)\)", line["most often broken into"]
            ).groups()
            assert name != names[k]
            assert (int(count), int(of)) == (np.bincount(into).max(), len(into))


def test_no_attacker_is_below_the_worst_of_all(folder):
    kept = loaded(folder)
    if "draws" not in kept:
        assert "convergence" not in {p.stem for p in (folder / "figures").iterdir()}
        return
    by_draws = kept["robust_by_draws"]
    worst = kept["robust"][: by_draws.shape[1]]
    assert not (worst & ~by_draws).any()
    text = (folder / "README.md").read_text()
    said = ", ".join(
        f"{d} draws: {share:.1%}" for d, share in zip(kept["draws"], by_draws.mean(axis=1))
    )
    assert f"![{said}]" in text
    assert f"worst of all attackers on these examples, {worst.mean():.1%}" in text


class Says:
    """A victim that says what it is told, pass by pass, and has seven classes."""

    classes = 7

    def __init__(self, *passes):
        self.passes = [np.array(p, np.float32) for p in passes]

    def seeded(self, seed):
        return contextlib.nullcontext()

    def predict(self, x):
        return self.passes.pop(0)[: len(x)]


def test_a_wrong_outcome_is_the_likeliest_other_class():
    sure = 9.0 * np.eye(7, dtype=np.float32)
    drawing = Subject(None, None, True, True, None, None, ())
    # the label in 11 of 20 passes, class 5 in 5, class 2 in 4
    passes = [sure[[3, 3]]] * 11 + [sure[[5, 3]]] * 5 + [sure[[2, 3]]] * 4
    passes = [p + np.array([[0] * 7, [0, 0, 0, 0, 0, 0, 1]], np.float32) for p in passes]
    x, y = np.zeros((3, 1, 1, 1), np.float32), np.array([3, 3, 4])
    wrong = np.array([True, True, False])
    found = judged_classes(drawing, x, y, wrong, 0, Says(*passes))
    # nobody votes for another class than 3 in the second row, where 6 comes next
    assert found.tolist() == [5, 6, 4]
    still = Subject(None, None, False, True, None, None, ())
    assert judged_classes(still, x, y, wrong, 0, Says(sure[[3, 1]])).tolist()[1:] == [1, 4]
