"""A layer in front of a model: what it declares, what is found, and what attacks make of it."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest
from keras import ops

from robustnets import backend
from robustnets.attacks.losses import margin
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.subject import Declared, subject_of
from robustnets.evaluation.suites import SUITES
from robustnets.evaluation.threats import recipe, rows_of
from robustnets.layers import prepend

THREAT = ThreatModel("linf", 0.1)
TF_ONLY = pytest.mark.skipif(backend.name() == "jax", reason="random layers run on TensorFlow")


class Halve(keras.layers.Layer):
    def call(self, x):
        return 0.5 * x + 0.25


class Quantise(keras.layers.Layer):
    def call(self, x):
        return ops.round(4 * x) / 4


class Noisy(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.draws = keras.random.SeedGenerator(3)

    def call(self, x):
        return x + keras.random.normal(ops.shape(x), stddev=0.1, seed=self.draws)


class NoisyQuantise(Noisy):
    def call(self, x):
        return ops.round(4 * super().call(x)) / 4


@dataclass(frozen=True)
class Lead:
    """A loss of one's own."""

    weight: float = 2.0

    def __call__(self, logits, y):
        return self.weight * margin(logits, y)


class Declaring(Quantise):
    differentiable = False
    stochastic = False
    adaptive_loss = Lead(3.0)

    def substitute(self, x):
        return 0.9 * x


class Boasting(Quantise):
    differentiable = True


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1540], digits[1][1500:1540]


@pytest.fixture(scope="module")
def look(trained_classifier, held_out):
    return lambda defense: subject_of(trained_classifier, defense, *held_out)


def knowledge(subject, surrogate=None):
    return [row.knowledge for row in rows_of(subject, SUITES["quick"], THREAT, surrogate)]


def trait(subject, name):
    (found,) = [t for t in subject.traits if t.name == name]
    return found


def test_no_defense(look, trained_classifier):
    seen = look(None)
    assert seen.classifier is trained_classifier
    assert (seen.stochastic, seen.differentiable, seen.substitute) == (False, True, None)
    assert knowledge(seen) == ["white-box", "black-box"]
    assert knowledge(seen, trained_classifier) == ["white-box", "black-box", "black-box"]
    assert recipe(seen)[0]


def test_a_layer_with_gradients_needs_no_adaptive_row(look, trained_classifier):
    seen = look(Halve())
    assert (seen.stochastic, seen.differentiable, seen.substitute) == (False, True, None)
    assert seen.without is trained_classifier
    assert knowledge(seen) == ["undefended", "gray-box", "white-box", "black-box"]
    assert recipe(seen) == (
        True,
        "The defense is deterministic and has gradients, so that the white-box attacker needs "
        "nothing else.",
    )


def test_without_gradients_the_identity_stands_in(look, held_out):
    seen = look(Quantise())
    assert (seen.stochastic, seen.differentiable) == (False, False)
    assert trait(seen, "differentiable").found.startswith("gradient zero or missing on 100%")
    assert trait(seen, "gradient that stands for its own").used == "the identity (BPDA)"
    assert knowledge(seen) == ["undefended", "gray-box", "white-box", "adaptive", "black-box"]
    x, y = held_out
    np.testing.assert_array_equal(seen.substitute.predict(x), seen.classifier.predict(x))
    tensors = ops.convert_to_tensor(x), ops.convert_to_tensor(y.astype(np.int32))
    slopes = [
        ops.convert_to_numpy(
            backend.value_and_grad(lambda v, c=c: margin(c.logits(v), tensors[1]))(tensors[0])[1]
        )
        for c in (seen.classifier, seen.substitute)
    ]
    assert np.abs(slopes[0]).max() == 0
    assert (np.abs(slopes[1]).reshape(len(x), -1).max(axis=1) > 0).all()


@TF_ONLY
def test_a_layer_that_draws_is_averaged_over(look):
    seen = look(Noisy())
    assert (seen.stochastic, seen.differentiable, seen.substitute) == (True, True, None)
    assert "random generator" in trait(seen, "draws at random").found
    (adaptive,) = [
        row for row in rows_of(seen, SUITES["quick"], THREAT) if row.knowledge == "adaptive"
    ]
    assert [attack.expectation for attack in adaptive.attacks] == [SUITES["quick"].draws]
    assert not adaptive.attacks[0].stop_early
    both = look(NoisyQuantise())
    assert (both.stochastic, both.differentiable) == (True, False)
    assert both.substitute is not None


def test_noise_that_is_for_training_only_draws_nothing(look):
    seen = look(keras.layers.GaussianNoise(0.5))
    assert not seen.stochastic
    assert trait(seen, "draws at random").found == "8 passes agree"


def test_what_a_layer_declares_is_used_and_said(look, trained_classifier, held_out):
    seen = look(Declaring())
    assert seen.loss == Lead(3.0)
    assert trait(seen, "gradient that stands for its own").used == "the declared substitute"
    assert trait(seen, "differentiable").declared == "no"
    assert trait(seen, "loss of its own").declared == "Lead"
    row = next(r for r in rows_of(seen, SUITES["standard"], THREAT) if r.knowledge == "adaptive")
    own = [attack for attack in row.attacks if getattr(attack, "loss", None) == Lead(3.0)]
    assert [type(attack).__name__ for attack in own] == ["PGD", "APGD"]
    assert row.source is seen.substitute
    assert row.how == "substitute gradient and the defense's own loss, Lead"


def test_a_loss_that_is_climbed_already_adds_no_attack_twice(trained_classifier, held_out):
    declared = Declared(adaptive_loss="cross_entropy")
    seen = subject_of(trained_classifier, declared, *held_out)
    row = next(r for r in rows_of(seen, SUITES["standard"], THREAT) if r.knowledge == "adaptive")
    assert len(set(row.attacks)) == len(row.attacks) == 5


def test_of_two_words_the_worse_is_taken(look):
    seen = look(Boasting())
    assert not seen.differentiable
    found = trait(seen, "differentiable")
    assert (found.declared, found.used, found.contradicted) == ("yes", "no", True)


def test_a_model_that_hides_its_gradients_has_no_recipe(trained_classifier, held_out):

    whole = prepend(trained_classifier.model, Quantise())
    seen = subject_of(whole, None, *held_out)
    assert not seen.differentiable
    known, why = recipe(seen)
    assert not known
    assert "nothing stands in for them" in why
    declared = subject_of(whole, Declared(without=trained_classifier, name="steps"), *held_out)
    assert declared.defense == "steps"
    assert knowledge(declared) == ["undefended", "gray-box", "white-box", "black-box"]
    assert not recipe(declared)[0]
    mended = subject_of(whole, Declared(substitute=trained_classifier), *held_out)
    assert recipe(mended)[0]


def test_what_is_no_defense_is_refused(look):
    with pytest.raises(ValueError, match="make an instance of it"):
        look(Quantise)
    with pytest.raises(ValueError, match="stochastic must be True, False or None, got 'often'"):
        Declared(stochastic="often")
    with pytest.raises(ValueError, match="a frozen dataclass that is called"):
        Declared(adaptive_loss=lambda logits, y: y)
    crops = keras.layers.Cropping2D(1)
    with pytest.raises(ValueError, match="turns that into"):
        look(crops)
