"""Whether a model draws at random is found out, whatever it draws by; on either backend."""

import itertools

import keras
import numpy as np
import pytest
from drawing_layers import (
    Always,
    ByBackend,
    ByNumPy,
    ByPython,
    Drawing,
    DrawingInBranch,
    Hidden,
    SameNoise,
    Unseeded,
    behind,
)

from robustnets import backend

X = np.random.default_rng(0).uniform(0, 1, (6, 4, 3, 1)).astype(np.float32)
AUGMENTING = {
    "flip": lambda: keras.layers.RandomFlip(),
    "rotation": lambda: keras.layers.RandomRotation(0.2),
    "zoom": lambda: keras.layers.RandomZoom(0.2),
    "contrast": lambda: keras.layers.RandomContrast(0.5),
    "translation": lambda: keras.layers.RandomTranslation(0.2, 0.2),
    "brightness": lambda: keras.layers.RandomBrightness(0.5, value_range=(0, 1)),
    "dropout": lambda: keras.layers.Dropout(0.5),
    "noise": lambda: keras.layers.GaussianNoise(0.5),
}


@pytest.mark.parametrize(
    "make",
    [
        Drawing,
        DrawingInBranch,
        Hidden,
        lambda: Always(keras.layers.Dropout(0.5, seed=1)),
        lambda: Always(keras.layers.GaussianNoise(0.5, seed=1)),
        lambda: Always(keras.layers.RandomContrast(0.9, seed=1)),
    ],
    ids=["generator", "branch", "hidden", "dropout", "noise", "contrast"],
)
def test_what_draws_by_a_generator_draws_anew_and_again_from_a_seed(make):
    classifier = behind(make())
    assert classifier.randomness
    assert len(classifier.randomness.states) == 1
    assert not classifier.randomness.unseeded
    digest = classifier.digest
    passes = [classifier.predict(X) for _ in range(3)]
    assert min(np.abs(one - two).max() for one, two in itertools.pairwise(passes)) > 1e-3
    assert classifier.digest == digest
    drawn = {}
    for seed in (1, 2, 1):
        with classifier.seeded(seed):
            found = np.stack([classifier.predict(X), classifier.predict(X)])
        np.testing.assert_array_equal(found, drawn.setdefault(seed, found))
        assert np.abs(found[0] - found[1]).max() > 1e-3
    assert np.abs(drawn[1] - drawn[2]).max() > 1e-3


def test_a_seed_ends_where_its_block_ends():
    one, two = behind(Drawing()), behind(Drawing())
    with one.seeded(1):
        one.predict(X)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))


@pytest.mark.parametrize("kind", AUGMENTING)
def test_what_draws_in_training_alone_draws_nothing(kind):
    classifier = behind(AUGMENTING[kind]())
    assert not classifier.randomness
    np.testing.assert_array_equal(classifier.predict(X), classifier.predict(X))


def test_training_true_in_a_graph_is_what_keras_makes_of_it():
    """Keras' predict overrules it: such a model draws nothing."""
    images = keras.Input((4, 3, 1))
    dropped = keras.layers.Dropout(0.5)(images, training=True)
    model = keras.Model(images, keras.layers.Dense(5)(keras.layers.Flatten()(dropped)))
    one, two = (model.predict(X, verbose=0) for _ in range(2))
    classifier = behind(keras.Model(images, dropped))
    assert bool(classifier.randomness) == (np.abs(one - two).max() > 0)


def test_the_same_noise_in_every_pass_is_no_chance():
    classifier = behind(SameNoise())
    assert not classifier.randomness
    np.testing.assert_array_equal(classifier.predict(X), classifier.predict(X))


@pytest.mark.parametrize("kind", [ByNumPy, ByPython])
def test_draws_that_compiling_freezes_are_refused_by_name(kind):
    inner = behind(kind(name="culprit"))
    with pytest.raises(ValueError, match=r"layer culprit of \w+ draws .* by NumPy or Python"):
        _ = inner.randomness


def test_a_callback_of_jax_that_is_said_to_be_pure_is_refused():
    if backend.name() != "jax":
        pytest.skip("is of JAX")
    import jax

    class Callback(keras.layers.Layer):
        def call(self, x):
            kind = jax.ShapeDtypeStruct(x.shape[1:], "float32")
            draw = lambda: np.random.default_rng().normal(size=kind.shape).astype("float32")  # noqa: E731
            return x + jax.pure_callback(draw, kind)

    with pytest.raises(ValueError, match=r"layer callback\w* of \w+ draws at random"):
        _ = behind(Callback()).randomness


def test_no_seed_at_all():
    classifier = behind(Unseeded(name="culprit"))
    if backend.name() == "jax":
        with pytest.raises(ValueError, match=r"layer culprit of .* set KERAS_BACKEND=tensorflow"):
            _ = classifier.randomness
    else:
        assert classifier.randomness
        assert np.abs(classifier.predict(X) - classifier.predict(X)).max() > 1e-3


def test_operations_of_the_backend():
    classifier = behind(ByBackend())
    fresh = backend.name() == "tensorflow"
    assert classifier.randomness.unseeded == fresh
    assert (np.abs(classifier.predict(X) - classifier.predict(X)).max() > 1e-3) == fresh


def test_batch_statistics_are_no_chance():
    classifier = behind(Always(keras.layers.BatchNormalization()))
    assert not classifier.randomness
