"""Models of every kind become graphs of their layers."""

import keras
import numpy as np
import pytest

from robustnets.models import Classifier
from robustnets.models.functional import as_functional, within

SHAPE = (5, 4, 3)
X = np.random.default_rng(0).uniform(0, 1, (6, *SHAPE)).astype(np.float32)


class Net(keras.Model):
    """Subclassed: its graph is nowhere but in its code."""

    def __init__(self):
        super().__init__(name="net")
        self.flatten, self.drop = keras.layers.Flatten(), keras.layers.Dropout(0.5)
        self.dense = keras.layers.Dense(7, name="scores")

    def call(self, x, training=False):
        return keras.ops.softmax(self.dense(self.drop(self.flatten(x), training=training)))


class Opaque(Net):
    """Its code cannot be written down as a graph."""

    def call(self, x, training=False):
        if isinstance(x, keras.KerasTensor) and x.name == "images":
            raise TypeError("no values")
        return super().call(x, training)


def called(model):
    model(X)
    return model


def values(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_a_subclassed_model_shows_its_layers():
    net = called(Net())
    graph = as_functional(net)
    assert [layer.name for layer in graph.layers if layer.name == "scores"] == ["scores"]
    np.testing.assert_allclose(values(graph(X)), values(net(X)), rtol=0, atol=1e-6)
    with pytest.warns(UserWarning, match="net ends in a softmax"):
        classifier = Classifier(net)
    z = classifier.predict(X)
    np.testing.assert_allclose(values(keras.ops.softmax(z)), values(net(X)), rtol=0, atol=1e-6)
    assert classifier.image_shape == SHAPE


def test_an_opaque_model_is_one_layer():
    net = called(Opaque())
    graph = as_functional(net)
    assert within(net) is None
    np.testing.assert_allclose(values(graph(X)), values(net(X)), rtol=0, atol=1e-6)
    assert Classifier(net).classes == 7  # and its softmax stays where it is


def test_graphs_stay_as_they_are():
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])
    assert as_functional(model) is model
    assert within(model) is model
    assert within(keras.layers.Dense(2)) is None


def test_any_number_of_images():
    model = called(keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)]))
    graph = as_functional(model)
    assert tuple(graph.inputs[0].shape) == (None, *SHAPE)
    np.testing.assert_allclose(values(graph(X[:2])), values(model(X))[:2], rtol=0, atol=1e-6)


def test_a_dictionary_of_one():
    images = keras.Input(SHAPE, name="images")
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(images))
    classifier = Classifier(keras.Model({"images": images}, {"scores": scores}))
    assert classifier.predict(X).shape == (6, 3)


@pytest.mark.parametrize(
    "model", [Net(), keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])]
)
def test_a_model_without_a_shape_is_refused(model):
    with pytest.raises(ValueError, match=r"does not know the shape of its input; take keras\.M"):
        as_functional(model)
