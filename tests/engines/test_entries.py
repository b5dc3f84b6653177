"""What stands for a model, an attack and examples where these are wanted, on every path."""

import keras
import numpy as np
import pytest
from tiny_models import dense_classifier

from robustnets import engines
from robustnets.attacks import FGSM, PGD, AutoAttack
from robustnets.core.threat import ThreatModel
from robustnets.evaluation import measure
from robustnets.evaluation.sanity import sanity_block
from robustnets.evaluation.worst_case import worst_case
from robustnets.models.accept import classifier_of

THREAT = ThreatModel("linf", 0.1)
ATTACK = FGSM(THREAT)
X = np.random.default_rng(0).uniform(0, 1, (9, 5, 4, 3)).astype(np.float32)
Y = np.arange(9) % 7
COLUMN = Y[:, None].astype(np.uint8)  # as keras.datasets.cifar10 gives them


@pytest.fixture(scope="module")
def classifier():
    return dense_classifier(11, 7)


@pytest.fixture(scope="module")
def plain(classifier):
    return engines.run(ATTACK, classifier, X, Y)


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_labels_in_a_column_on_every_engine(classifier, engine):
    if engine != "native" and keras.backend.backend() != "tensorflow":
        pytest.skip("the peers run on TensorFlow")
    flat, column = (engines.run(ATTACK, classifier, X, y, engine=engine) for y in (Y, COLUMN))
    np.testing.assert_array_equal(column.x, flat.x)
    np.testing.assert_array_equal(column.success, flat.success)


def test_labels_in_a_column_on_every_path(classifier, plain):
    (eps, swept), *_ = engines.sweep(ATTACK, classifier, X, COLUMN, [0.1])
    assert eps == 0.1
    np.testing.assert_array_equal(
        swept.x, dict(engines.sweep(ATTACK, classifier, X, Y, [0.1]))[0.1].x
    )
    flat, column = (worst_case((ATTACK,), classifier, X, y) for y in (Y, COLUMN))
    np.testing.assert_array_equal(column.broken_by, flat.broken_by)
    record = measure({}, classifier, X, COLUMN, [(0.1, plain)])
    np.testing.assert_array_equal(record.label, Y)
    expected = measure({}, classifier, X, Y, [(0.1, plain)])
    assert record.about["untouched"] == expected.about["untouched"]
    checks = [
        sanity_block(classifier, X, y, flat, threat=THREAT, seed=0, only=("outcomes reproduced",))
        for y in (Y, COLUMN)
    ]
    assert checks[0] == checks[1]
    assert checks[0][0].level == "PASS"


def test_a_bare_model_and_a_path_stand_for_a_classifier(classifier, plain, tmp_path):
    classifier.model.save(tmp_path / "model.keras")
    for model in (classifier.model, tmp_path / "model.keras", str(tmp_path / "model.keras")):
        np.testing.assert_array_equal(engines.run(ATTACK, model, X, Y).x, plain.x)
    alone = worst_case(ATTACK, classifier.model, X, Y)
    np.testing.assert_array_equal(
        alone.broken_by, worst_case((ATTACK,), classifier, X, Y).broken_by
    )
    assert classifier_of(classifier) is classifier


@pytest.mark.parametrize(
    ("model", "problem", "message"),
    [
        ("nothing.keras", FileNotFoundError, "there is no file nothing.keras"),
        (None, ValueError, "classifier must be a Keras model, .* got NoneType$"),
        (keras.layers.Dense, ValueError, "got the class Dense; make an instance of it"),
        (np.zeros(3), ValueError, "got ndarray"),
    ],
)
def test_what_is_no_model_is_named(model, problem, message):
    with pytest.raises(problem, match=message):
        engines.run(ATTACK, model, X, Y)


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (FGSM, "got the class FGSM; make an instance of it"),
        ("pgd", "attack must be an attack such as .*, got 'pgd'"),
        (AutoAttack(THREAT), r"got AutoAttack, which is several: give its attacks\(classes\)"),
        (None, "got None"),
    ],
)
def test_what_is_no_attack_is_named(classifier, attack, message):
    for carry_out in (
        lambda: engines.run(attack, classifier, X, Y),
        lambda: list(engines.sweep(attack, classifier, X, Y, [0.1])),
        lambda: worst_case([attack], classifier, X, Y),
    ):
        with pytest.raises(ValueError, match=message):
            carry_out()


def test_a_norm_is_no_threat_model():
    for make, remedy in (
        (lambda: PGD("linf", 0.1), r"PGD needs a ThreatModel, got 'linf'; such as PGD\(Th.*'linf'"),
        (lambda: FGSM("l2"), r"FGSM\(ThreatModel\('l2', 0.5\)\)"),
        (lambda: AutoAttack("linf"), "AutoAttack needs a ThreatModel"),
        (lambda: PGD(("linf", 0.1)), "PGD needs a ThreatModel"),
        (lambda: PGD(None), "PGD needs a ThreatModel, got None"),
    ):
        with pytest.raises(ValueError, match=remedy) as problem:
            make()
        eval(str(problem.value).partition("such as ")[2])


def test_radii_in_words_and_alone(classifier):
    words, number = (
        engines.run(ATTACK, classifier, X, Y, epsilons=[eps])[0] for eps in ("8/255", 8 / 255)
    )
    np.testing.assert_array_equal(words.x, number.x)
    for radii in (0.1, [], "8/255"):
        with pytest.raises(ValueError, match="epsilons must be a list of at least one radius"):
            engines.run(ATTACK, classifier, X, Y, epsilons=radii)


@pytest.mark.parametrize(
    ("x", "remedy"),
    [
        (
            255 * X,
            "divide x by 255, or, if the model takes .* give the ThreatModel low=0, high=255",
        ),
        (2 * X - 1, r"use \(x \+ 1\) / 2, or, .* give the ThreatModel low=-1, high=1"),
        (X / 0.3 - 1, "rescale x, or, .* give the ThreatModel as low and high the smallest and"),
    ],
)
def test_images_outside_the_box(classifier, x, remedy):
    with pytest.raises(ValueError, match=remedy):
        engines.run(ATTACK, classifier, x, Y)


def test_a_box_that_float32_cannot_hold(classifier):
    """-0.1 in float32 is below -0.1 in float64; attacks clip to the former."""
    low, high = -0.1, 1.1
    assert float(np.float32(low)) < low
    edge = np.clip(2 * X - 0.5, np.float32(low), np.float32(high))
    made = engines.run(FGSM(ThreatModel("linf", 0.1, low, high)), classifier, edge, Y)
    assert made.x.min() == np.float32(low)
