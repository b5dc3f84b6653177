"""Each doubt is raised by the model that deserves it, and by no other."""

import keras
import numpy as np
import pytest
from keras import ops

from robustnets.attacks import BIM, Square
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.doubts import doubts
from robustnets.evaluation.worst_case import worst_case
from robustnets.models.classifier import Classifier

SUITE = (
    BIM(ThreatModel("linf", 0.1), steps=4),
    Square(ThreatModel("linf", 0.1), budget=60),
)


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1560], digits[1][1500:1560]


def raised(classifier, held_out, **settings):
    found = worst_case(SUITE, classifier, *held_out, batch_size=30, **settings)
    return {doubt.name for doubt in doubts(classifier, found) if doubt.level == "WARN"}


def before(trained_classifier, layer, shape):
    return Classifier(keras.Sequential([keras.Input(shape), layer, trained_classifier.model]))


class Coarse(keras.layers.Layer):
    def call(self, x):
        return ops.floor(x * 9.0 + 0.5) / 9.0


class Noisy(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, x):
        return x + 0.1 * keras.random.normal(ops.shape(x), seed=self.seeds)


def test_a_plain_model_raises_none(trained_classifier, held_out):
    assert raised(trained_classifier, held_out) == set()


def test_rounding_hides_the_gradient_and_queries_find_it_out(trained_classifier, held_out):
    model = before(trained_classifier, Coarse(), held_out[0].shape[1:])
    assert raised(model, held_out) == {"zero gradients", "black-box beats white-box"}


def test_chance_is_noticed(trained_classifier, held_out):
    model = before(trained_classifier, Noisy(), held_out[0].shape[1:])
    assert "stochastic forward pass" in raised(model, held_out)


def test_a_cut_is_noticed(trained_classifier, held_out):
    assert "whole suite" in raised(trained_classifier, held_out, time_budget=1e-9)


def test_few_classes_are_noticed(digits):
    x, y = digits[0][:40], digits[1][:40] % 3
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    assert "few classes" in raised(Classifier(model), (x, np.asarray(y)))
