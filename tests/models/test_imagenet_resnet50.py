"""ResNet-50 with weights of the user: preprocessing and wiring, a small network in its place."""

import keras
import numpy as np
import pytest
from keras.applications.resnet50 import preprocess_input

from robustnets.core.dataset import Dataset, Split
from robustnets.core.store import Store
from robustnets.data.imagenet import DOWNLOAD, WEIGHTS
from robustnets.defenses import InFront
from robustnets.experiments.cell import DatasetRef, Network, describe
from robustnets.experiments.network_cache import NetworkCache, apply_layer
from robustnets.layers import FilterSpec, SmoothingSpec
from robustnets.models.imagenet_resnet50 import (
    FILE,
    WeightsUnavailable,
    imagenet_resnet50,
    named_weights,
    weights_digest,
)
from robustnets.training import Pretrained

SIDE = 6
X = np.random.default_rng(0).random((5, SIDE, SIDE, 3), np.float32)


def small(weights=None, classifier_activation="softmax", input_shape=(SIDE, SIDE, 3), name=None):
    """What `keras.applications.ResNet50` does, by one dense layer."""
    images = keras.Input(input_shape)
    dense = keras.layers.Dense(1000, activation=classifier_activation, name="predictions")
    model = keras.Model(images, dense(keras.layers.Flatten()(images)), name=name)
    if weights is not None:
        model.load_weights(weights)
    return model


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A weights file, named in the environment."""
    monkeypatch.setattr(keras.applications, "ResNet50", small)
    path = tmp_path / "mine.weights.h5"
    model = small()
    kernel = np.random.default_rng(1).normal(0, 1e-3, (3 * SIDE**2, 1000))
    model.set_weights([kernel, np.zeros(1000)])
    model.save_weights(path)
    monkeypatch.setenv(WEIGHTS, str(path))
    return path


def test_images_are_prepared_as_keras_prepares_them(weights):
    model = imagenet_resnet50(weights, SIDE)
    given = small(weights, None)
    expected = given(preprocess_input(255 * X.copy()))
    found = model(X)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found), keras.ops.convert_to_numpy(expected), rtol=0, atol=1e-3
    )


def network(weights, defense=None):
    training = Pretrained(weights_digest(weights))
    ref = DatasetRef("imagenet")
    return Network(ref, "imagenet_resnet50", training, training.rules[0], 0, defense)


@pytest.fixture
def cache(tmp_path):
    names = tuple(str(k) for k in range(1000))
    split = Split(X, np.arange(len(X)))
    return NetworkCache(Dataset("imagenet", split, split, names), Store(tmp_path / "store"))


def test_the_cache_takes_it_as_given(weights, cache):
    bare = network(weights)
    assert describe(bare) == "imagenet_resnet50 as given"
    trained = cache.network(bare)
    assert trained.curves == {}
    assert trained.about == {"weights": weights_digest(weights)}
    smoothed = network(weights, InFront(SmoothingSpec("mean", 3, "constant")))
    behind = cache.network(smoothed).classifier
    front = cache.front(smoothed)
    expected = trained.classifier.predict(apply_layer(front, X))
    np.testing.assert_allclose(behind.predict(X), expected, rtol=0, atol=1e-3)
    assert np.abs(behind.predict(X) - trained.classifier.predict(X)).max() > 0.01
    assert not list((cache.store.root).rglob("*.keras"))  # it is the user's, and not kept


def test_it_is_refused_where_it_would_be_another(weights, cache, monkeypatch):
    bare, fitted = network(weights), network(weights, InFront(FilterSpec("pca", 3)))
    kept = NetworkCache(cache.dataset, cache.store)
    with pytest.raises(ValueError, match="trains or is fitted"):
        kept.network(fitted)
    weights.write_bytes(weights.read_bytes() + b"0")
    with pytest.raises(ValueError, match="are not those of"):
        cache.network(bare)
    monkeypatch.delenv(WEIGHTS)
    with pytest.raises(ValueError, match=f"set {WEIGHTS} to `imagenet`"):
        cache.network(bare)


def test_a_file_of_something_else_is_refused(weights):
    weights.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="holds no weights of"):
        imagenet_resnet50(weights, SIDE)


def test_where_weights_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv(WEIGHTS, raising=False)
    assert named_weights() is None
    monkeypatch.setenv(WEIGHTS, str(tmp_path / "nowhere.h5"))
    with pytest.raises(FileNotFoundError, match=rf"nowhere\.h5, .*set {WEIGHTS}"):
        named_weights()
    monkeypatch.setenv(WEIGHTS, DOWNLOAD)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def offline(weights):
        raise Exception(f"URL fetch failure on {weights}")

    monkeypatch.setattr(keras.applications, "ResNet50", offline)
    with pytest.raises(WeightsUnavailable, match=r"could not download .*URL fetch failure"):
        named_weights()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / FILE).write_bytes(b"kept")
    assert named_weights() == tmp_path / "models" / FILE
