"""Gradients of another network: in no norm does the number stand; that of a fair model does."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import convolving, dense_classifier

from robustnets.attacks import APGD, FGSM, PGD, Noise, Square
from robustnets.core.threat import ThreatModel
from robustnets.evaluation import evaluate, verdict
from robustnets.evaluation.outcome import Part, WorstCase
from robustnets.evaluation.sanity import OWN_GRADIENTS, Check, sanity_block
from robustnets.evaluation.suites import NORMS, SUITES
from robustnets.models.classifier import Classifier

EPS = {"linf": 0.1, "l2": 0.6, "l1": 1.0}


class Masked(keras.layers.Layer):
    """The first of two logits, with the gradient of the second."""

    def call(self, true, other):
        return other + ops.stop_gradient(true - other)


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1580], digits[1][1500:1580]


@pytest.fixture(scope="module")
def fair(trained_classifier):
    return convolving(trained_classifier)


@pytest.fixture(scope="module")
def masked(fair):
    other = dense_classifier(20, 10, shape=fair.image_shape, seed=5)
    images = keras.Input(fair.image_shape)
    outputs = Masked()(fair.model(images), other.model(images))
    return Classifier(keras.Model(images, outputs, name="masked"))


@pytest.mark.slow
def test_the_number_of_a_fair_model_stands_in_l1(fair, held_out):
    """A whole evaluation, sanity block included, because all of it must pass together."""
    x, y = held_out
    done = evaluate(fair, x[:64], y[:64], eps=EPS["l1"], norm="l1", suite="quick")
    assert done.upper_bound == ()
    assert done.headline.startswith("Robust accuracy in l1 at eps 1: **")
    assert 0.1 < done.robust_accuracy.estimate < 0.8
    (queries,) = [a for a in done.attackers if a.row.key == "queries"]
    assert queries.took_part
    assert queries.case.robust.sum() < queries.case.right.sum(), "queries find something"


@pytest.mark.parametrize("norm", [pytest.param("l1", marks=pytest.mark.slow), "l2"])
def test_the_number_of_a_masked_model_does_not_stand(norm, masked, held_out, monkeypatch):
    """What no attack is needed for says so."""
    whole = verdict.checks_of
    monkeypatch.setattr(
        verdict, "checks_of", lambda *args, **kwargs: whole(*args, **{**kwargs, "examples": 0})
    )
    x, y = held_out
    done = evaluate(masked, x[:40], y[:40], eps=EPS[norm], norm=norm, suite="quick")
    assert done.headline.startswith("Upper bound only")
    assert OWN_GRADIENTS in {check.name for check in done.checks if check.level == "FAIL"}
    assert any(OWN_GRADIENTS in why for why in done.upper_bound)


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_of_its_own(norm, fair, masked, held_out):
    found = {}
    for name, model in (("fair", fair), ("masked", masked)):
        (check,) = sanity_block(
            model, *held_out, None, threat=ThreatModel(norm, EPS[norm]), seed=0,
            examples=64, only=[OWN_GRADIENTS],
        )  # fmt: skip
        found[name] = check
    assert (found["fair"].level, found["fair"].against) == ("PASS", 0)
    assert found["masked"].level == "FAIL"
    assert found["masked"].against > 0.5 * found["masked"].of > 25


def test_a_network_that_is_scaled_still_has_its_own_gradients(fair, held_out):
    """Steps are judged by what float32 shows, not by the size of logits or gradients."""
    for scale in (1e-4, 1e4):
        images = keras.Input(fair.image_shape)
        model = Classifier(keras.Model(images, scale * fair.model(images)))
        (check,) = sanity_block(
            model, *held_out, None, threat=ThreatModel("linf", 0.1), seed=0, only=[OWN_GRADIENTS]
        )
        assert check.level == "PASS"
        assert check.of > 40


@pytest.mark.parametrize("eps", [5.0, 20.0])
def test_the_quick_list_finds_what_was_planted_in_l1(eps):
    threat = ThreatModel("l1", eps)
    shape = (28, 28, 1)
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(10, name="logits")]
    )
    x = np.random.default_rng(0).uniform(size=(2, *shape)).astype(np.float32)
    (check,) = sanity_block(
        Classifier(model), x, np.zeros(2, np.int64), None, threat=threat, seed=0,
        attack=SUITES["quick"].tested(threat), only=["planted example found"],
    )  # fmt: skip
    assert (check.level, check.number) == ("PASS", "of 16: APGD 16")


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("norm", NORMS)
def test_every_suite_asks_queries_and_can_pass_in_every_norm(name, norm):
    suite, threat = SUITES[name], ThreatModel(norm, 1.0)
    assert any(isinstance(attack, Square) for attack in suite.black_box(threat, 10))
    assert all(norm in type(a).norms for a in suite.black_box(threat, 10))
    if norm == "l1":
        for attack in (suite.tested(threat), suite.curve(threat)):
            assert isinstance(attack, APGD) or name != "quick"
        assert any(isinstance(attack, APGD) for attack in suite.gradient(threat, 10))


def case(*parts):
    y = np.zeros(3, np.int64)
    x = np.zeros((3, 1, 1, 1), np.float32)
    return WorstCase(x, y, np.full(3, -1, np.int32), y, y, parts, x)


def test_without_a_comparison_with_queries_it_is_an_upper_bound():
    threat = ThreatModel("l2", 1.0)

    def said(*parts):
        return verdict.reasons((), (True, ""), case(*parts), ())

    gradients = Part(PGD(threat), 3, 0, finished=True)
    queried = Part(Square(threat), 3, 0, finished=True)
    assert said(gradients, queried) == ()
    (why,) = said(gradients, Part(FGSM(threat), 3, 0, finished=True))
    assert why.startswith("No attack by queries was compared")
    # noise asks, but learns nothing
    assert said(gradients, Part(Noise(threat), 3, 0, finished=True)) == (why,)
    assert why in said(gradients, Part(Square(threat)))


def test_a_verdict_that_hangs_on_little_says_so():
    queried = case(Part(Square(ThreatModel("l2", 1.0)), 3, 0, finished=True))

    def said(*checks):
        (why,) = verdict.reasons(checks, (True, ""), queried, ())
        return why

    few = Check("no probe", "FAIL", "", "", 3, 64)
    assert said(few) == (
        "1 sanity check fails: no probe. The verdict rests on this one check, on 3 of 64 "
        "examples, which is few: look at more of them."
    )
    assert said(few, Check("a", "WARN", "", "", 1, 9)) == said(few)
    many = Check("no probe", "FAIL", "", "", 40, 64)
    assert said(many).endswith("rests on this one check, on 40 of 64 examples.")
    assert said(few, many) == "2 sanity checks fail: no probe, no probe."
    assert said(Check("logits", "FAIL", "", "")) == "1 sanity check fails: logits."
