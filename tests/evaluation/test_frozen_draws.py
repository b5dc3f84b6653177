"""A model that draws at random: averaged over, on either backend."""

import keras
import numpy as np
import pytest
from drawing_layers import Drawing, behind
from tiny_models import dense_classifier

from robustnets.evaluation.judged import judged_classes
from robustnets.evaluation.subject import subject_of


@pytest.fixture(scope="module")
def examples():
    images = keras.random.uniform((12, 4, 3, 1), seed=0)
    return keras.ops.convert_to_numpy(images), keras.ops.convert_to_numpy(keras.ops.arange(12)) % 5


@pytest.fixture(scope="module")
def classifier():
    return dense_classifier(5, shape=(4, 3, 1))


@pytest.mark.parametrize("where", ["in front", "inside"])
def test_draws_are_seen(classifier, examples, where):
    inside = behind(Drawing())
    model, defense = (classifier, Drawing()) if where == "in front" else (inside, None)
    subject = subject_of(model, defense, *examples)
    assert subject.stochastic
    assert "passes differ" in subject.traits[0].found
    assert "it uses its random generator" in subject.traits[0].found


@pytest.mark.parametrize("where", ["in front", "inside"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.Dropout(0.5, seed=1),
        lambda: keras.layers.RandomFlip(seed=1),
        lambda: keras.layers.RandomContrast(0.9, seed=1),
    ],
    ids=["dropout", "flip", "contrast"],
)
def test_what_draws_in_training_alone_draws_nothing_at_inference(classifier, examples, where, make):
    model, defense = (classifier, make()) if where == "in front" else (behind(make()), None)
    subject = subject_of(model, defense, *examples)
    assert not subject.stochastic
    assert subject.traits[0].found == "8 passes agree"


def test_votes_over_draws_can_be_repeated(examples):
    x, y = examples
    subject = subject_of(behind(Drawing(scale=2.0)), None, x, y)
    wrong = np.ones(len(x), bool)
    one, again, other = (judged_classes(subject, x, y, wrong, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
