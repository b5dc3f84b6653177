"""Distillation through the network cache: students share a teacher, and what is kept of them."""

from dataclasses import replace

import numpy as np
import pytest

from robustnets import data
from robustnets.attacks import FGSM
from robustnets.core.dataset import held_out
from robustnets.core.seeds import derive
from robustnets.core.spec import from_dict, to_dict
from robustnets.core.store import Store
from robustnets.core.threat import ThreatModel
from robustnets.defenses import DEFENSES, Distillation, InFront, Tempered
from robustnets.experiments import runner
from robustnets.experiments.cell import Cell, DatasetRef, Network
from robustnets.experiments.network_cache import NetworkCache
from robustnets.layers import FilterSpec
from robustnets.models import ScaledLogits, SoftmaxOutput
from robustnets.training import Adam, FixedEpochs, Training
from robustnets.training.distillation import lesson
from robustnets.training.fit import fit

T = 20.0
TRAINING = Training((FixedEpochs(30),), Adam(0.01), batch_size=20)
BASE = Network(DatasetRef("digits", 240, 60), "fc_100_100_10", TRAINING, TRAINING.rules[0], 3)
TEACHER = replace(BASE, defense=Tempered(T))
SOFT = replace(BASE, defense=Distillation(T))
STUDENTS = (SOFT, *(replace(BASE, defense=Distillation(T, how)) for how in ("removed", "hard")))
FAST = FGSM(ThreatModel("linf", 0.1))


def cells():
    out = [Cell(BASE), Cell(TEACHER)]
    for view in (None, SoftmaxOutput(), ScaledLogits(T)):
        out.append(Cell(SOFT, FAST, (0.05, 0.1), knowledge="white-box", view=view))
    out += [Cell(network) for network in STUDENTS]
    return out


@pytest.fixture(scope="module")
def plain_graphs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("robustnets.training.fit.has_convolutions", lambda model: True)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory, plain_graphs):
    """The Records, a NetworkCache on their store, and the labels of the tasks in their order."""
    folder = tmp_path_factory.mktemp("store")
    events = []
    records = runner.run(cells(), runner.Settings(str(folder)), show=events.append)
    cache = NetworkCache(data.load("digits").take(240, 60), Store(folder))
    return records, cache, list(dict.fromkeys(label for label, *_ in events))


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(p, q) for p, q in zip(a, b))


def test_the_teacher_is_trained_once_and_first(made):
    records, cache, labels = made
    order = [label for label in labels if label.startswith("fc_100")]
    assert order == [
        "fc_100_100_10, seed 3",
        "fc_100_100_10, Tempered T 20, seed 3",
        *(
            f"fc_100_100_10, Distillation T 20, {how}, seed 3"
            for how in ("soft", "removed", "hard")
        ),
    ]
    kept = list((cache.store.root / "networks").rglob("*.keras"))
    assert len(kept) == 5
    before = {p: p.stat().st_mtime_ns for p in kept}

    def report(*what):
        raise AssertionError(f"trained again: {what}")

    again = NetworkCache(cache.dataset, cache.store, report)
    for network in (BASE, TEACHER, *STUDENTS):
        again.network(network)
    assert {p: p.stat().st_mtime_ns for p in kept} == before
    assert not list((cache.store.root / "checkpoints").rglob("*.npz"))
    told = {r.about["teacher"]["misclassified"] for r in records if "teacher" in r.about}
    assert len(told) == 1
    assert {r.about["teacher"]["examples"] for r in records if "teacher" in r.about} == {200}


def test_a_student_is_trained_on_what_its_teacher_says(made, plain_graphs):
    """By hand, with `fit` alone."""
    _, cache, _ = made
    train, validation = held_out(cache.dataset.train, TRAINING.validation)
    logits = cache.network(TEACHER).classifier.predict(train.x)
    seed = derive(BASE.seed, "training")
    for network in STUDENTS[:2]:
        examples, labels = lesson(train, logits, T, network.defense.misclassified)
        alone = fit(
            cache._fresh(BASE), examples, validation, TRAINING, seed,
            temperature=T, soft_labels=labels,
        )  # fmt: skip
        assert same(alone.stops[0].weights, cache.network(network).model.get_weights())
    teacher = fit(cache._fresh(BASE), train, validation, TRAINING, seed, temperature=T)
    assert same(teacher.stops[0].weights, cache.network(TEACHER).model.get_weights())


def test_treatments_differ_if_the_teacher_errs(made):
    _, cache, _ = made
    weights = [cache.network(n).model.get_weights() for n in (BASE, TEACHER, *STUDENTS)]
    for i, one in enumerate(weights):
        assert not any(same(one, other) for other in weights[:i])


def test_views_measure_the_network_itself(made):
    records, _, _ = made
    plain, softmax, scaled = (r for r in records if r.cell["attack"] is not None)
    for record in (softmax, scaled):
        np.testing.assert_array_equal(record.clean, plain.clean)
        np.testing.assert_array_equal(
            record.arrays["clean_confidence"], plain.arrays["clean_confidence"]
        )
    assert softmax.cell["view"] == {"type": "SoftmaxOutput", "temperature": 1.0, "clip": 1e-7}

    def unmoved(record):
        return (record.arrays["linf"][0] == 0).mean()

    assert unmoved(softmax) > 0.3
    assert unmoved(softmax) > unmoved(plain)
    assert unmoved(scaled) == 0
    assert scaled.robust[1].mean() < softmax.robust[1].mean() - 0.1


def test_teachers():
    assert Distillation(T).teacher == Tempered(T)
    assert Distillation(1).teacher is None
    assert Distillation(1, training=TRAINING).teacher == Tempered(1, TRAINING)
    assert Distillation(T).recipe.misclassified == "soft"
    for other in (Tempered(T), InFront(FilterSpec("pca", 4))):
        assert other.recipe.misclassified is None


def test_a_distillation_at_temperature_1_learns_from_the_undefended_network(tmp_path, plain_graphs):
    network = replace(BASE, defense=Distillation(1.0))
    events = []
    (record,) = runner.run([Cell(network)], runner.Settings(str(tmp_path)), show=events.append)
    trained = dict.fromkeys(label for label, *_ in events if label.startswith("fc_100"))
    assert list(trained) == [
        "fc_100_100_10, seed 3",
        "fc_100_100_10, Distillation T 1, soft, seed 3",
    ]
    assert record.correct.mean() > 0.7


@pytest.mark.parametrize("spec", [Tempered(T), Distillation(T, "hard", TRAINING)])
def test_specs_go_to_dictionaries_and_back(spec):
    types = (*DEFENSES, Training, FixedEpochs, Adam)
    assert from_dict(to_dict(spec), types) == spec
    assert type(spec) in DEFENSES


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tempered(0), "temperature must be finite and > 0, got 0"),
        (lambda: Distillation(-1.0), "temperature must be finite and > 0, got -1.0"),
        (lambda: Distillation(T, "kept"), r"misclassified must be one of .*, got 'kept'"),
        (
            lambda: Tempered(T, replace(TRAINING, rules=(FixedEpochs(1), FixedEpochs(2)))),
            "the training of a defense ends by one rule, got",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_view_needs_an_attack():
    with pytest.raises(ValueError, match="a view needs an attack that looks through it"):
        Cell(BASE, view=SoftmaxOutput())
    with pytest.raises(
        ValueError, match=r"view must be one of ScaledLogits, .*, InFloat64, Substitute, got"
    ):
        Cell(BASE, FAST, (0.1,), knowledge="white-box", view="softmax")
