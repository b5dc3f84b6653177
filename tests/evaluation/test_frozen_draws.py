"""A model that draws at random: averaged over on TensorFlow, refused where draws are frozen."""

import keras
import pytest
from tiny_models import dense_classifier

from robustnets import backend
from robustnets.evaluation import evaluate
from robustnets.evaluation.subject import subject_of
from robustnets.models import Classifier


class Noise(keras.layers.Layer):
    """Draws in every pass, at inference too."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(3)

    def call(self, x):
        return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seed_generator)


@pytest.fixture(scope="module")
def examples():
    images = keras.random.uniform((12, 4, 3, 1), seed=0)
    return keras.ops.convert_to_numpy(images), keras.ops.convert_to_numpy(keras.ops.arange(12)) % 5


@pytest.fixture(scope="module")
def classifier():
    return dense_classifier(5, shape=(4, 3, 1))


@pytest.mark.parametrize("where", ["in front", "inside"])
def test_draws_are_seen_or_refused(classifier, examples, where):
    images = keras.Input((4, 3, 1))
    inside = Classifier(keras.Model(images, classifier.model(Noise()(images))))
    model, defense = (classifier, Noise()) if where == "in front" else (inside, None)
    if backend.name() == "jax":
        with pytest.raises(ValueError, match="draws the same numbers in every pass, which would"):
            subject_of(model, defense, *examples)
        with pytest.raises(ValueError, match="evaluate it with KERAS_BACKEND=tensorflow"):
            evaluate(model, *examples, eps=0.1, suite="quick", defense=defense)
    else:
        assert subject_of(model, defense, *examples).stochastic


def test_dropout_draws_nothing_at_inference(examples):
    images = keras.Input((4, 3, 1))
    flat = keras.layers.Flatten()(keras.layers.Dropout(0.5, seed=1)(images))
    model = Classifier(keras.Model(images, keras.layers.Dense(5)(flat)))
    assert not subject_of(model, None, *examples).stochastic
