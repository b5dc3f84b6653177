"""The logits behind every way to end in a softmax, and by a layer's name."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from robustnets.models.logits import at_layer, layer_names, without_head

SHAPE = (5, 4, 3)
X = np.random.default_rng(0).uniform(0, 1, (6, *SHAPE)).astype(np.float32)


def images():
    return keras.Input(SHAPE, name="images")


def dense(*more, name="inner"):
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), *more], name=name)


def functional(end):
    x = images()
    return keras.Model(x, end(layers.Flatten()(layers.Rescaling(3.0, offset=-1.0)(x))))


def nested(inner, *after):
    x = images()
    y = inner(layers.Rescaling(3.0, offset=-1.0)(x))
    for layer in after:
        y = layer(y)
    return keras.Model(x, y, name="outer")


HEADS = {
    "activation": lambda: dense(layers.Dense(7, "softmax", name="last")),
    "layer": lambda: dense(layers.Dense(7), layers.Softmax(name="last")),
    "activation layer": lambda: dense(layers.Dense(7), layers.Activation("softmax", name="last")),
    "operation": lambda: functional(lambda x: ops.softmax(layers.Dense(7)(x))),
    "temperature": lambda: functional(lambda x: ops.softmax(layers.Dense(7)(x) / 20.0)),
    "nested": lambda: nested(dense(layers.Dense(7, "softmax", name="last"))),
    "twice nested": lambda: nested(nested(dense(layers.Dense(7), layers.Softmax(name="last")))),
    "functional in sequential": lambda: keras.Sequential(
        [images(), layers.Rescaling(2.0), functional(lambda x: layers.Dense(7, "softmax")(x))]
    ),
    "reshaped": lambda: nested(
        dense(layers.Dense(7), layers.Reshape((1, 1, 7)), layers.Softmax(name="last")),
        layers.Flatten(),
    ),
    "followed by nothing": lambda: nested(
        dense(layers.Dense(7, "softmax", name="last")),
        layers.Activation("linear", dtype="float32"),
        layers.Dropout(0.5),
        layers.Reshape((7,)),
        layers.Identity(),
    ),
    "sigmoid": lambda: dense(layers.Dense(7, "sigmoid", name="last")),
    "sigmoid operation": lambda: functional(lambda x: ops.sigmoid(layers.Dense(7)(x))),
}


@pytest.mark.parametrize("case", HEADS)
def test_the_head_is_taken_off(case):
    model = HEADS[case]()
    bare, what = without_head(model)
    kind = "sigmoid" if "sigmoid" in case else "softmax"
    assert what.startswith(f"{kind} (")
    z = bare(X, training=False)
    assert ops.convert_to_numpy(z).min() < 0  # no probabilities
    again = {"softmax": ops.softmax, "sigmoid": ops.sigmoid}[kind](z)
    expected = ops.convert_to_numpy(model(X, training=False))
    np.testing.assert_allclose(ops.convert_to_numpy(again), expected, rtol=0, atol=1e-6)
    assert without_head(bare) == (bare, None)


class Softmax(layers.Layer):
    """Not what its name says."""

    def call(self, x):
        return ops.softmax(10.0 * x)


NO_HEADS = {
    "namesake": lambda: dense(layers.Dense(7), Softmax()),
    "logits": lambda: dense(layers.Dense(7)),
    "inside": lambda: dense(layers.Dense(7, "softmax"), layers.Dense(5)),
    "scaled": lambda: nested(dense(layers.Dense(7, "softmax")), layers.Rescaling(2.0)),
    "other axis": lambda: dense(layers.Dense(6), layers.Reshape((3, 2)), layers.Softmax(axis=1)),
    "tanh": lambda: dense(layers.Dense(7, "tanh")),
}


@pytest.mark.parametrize("case", NO_HEADS)
def test_what_is_no_head_stays(case):
    model = NO_HEADS[case]()
    assert without_head(model) == (model, None)


def test_a_layer_by_name_at_any_depth():
    scores = layers.Dense(7, name="scores")
    model = nested(dense(scores, layers.Dense(4, "softmax", name="last")))
    for name in ("scores", "inner/scores"):
        found = at_layer(model, name)
        expected = (3.0 * X - 1.0).reshape(6, -1) @ scores.get_weights()[0]
        np.testing.assert_allclose(ops.convert_to_numpy(found(X)), expected, rtol=0, atol=1e-4)
    assert layer_names(model).endswith("inner/scores, inner/last")


def test_one_of_two_outputs_by_name():
    x = images()
    flat = layers.Flatten()(x)
    side = layers.Dense(4, name="side")(flat)
    model = keras.Model(x, [layers.Dense(7, name="main")(flat), side])
    assert at_layer(model, "side").outputs[0].shape == (None, 4)
    assert at_layer(model, "main").outputs[0].shape == (None, 7)


def test_names_that_will_not_do():
    model = nested(dense(layers.Dense(7, name="scores"), name="a"), name_of_none := layers.ReLU())
    with pytest.raises(ValueError, match=r"outer has no layer 'score'; it has .*a/scores"):
        at_layer(model, "score")
    assert name_of_none.name in layer_names(model)
    shared = dense(layers.Dense(7, name="scores"))
    x = images()
    both = keras.Model(x, layers.Add()([shared(x), shared(layers.Rescaling(2.0)(x))]))
    with pytest.raises(ValueError, match="has 2 calls of layers named 'scores'"):
        at_layer(both, "scores")
    many = dense(*(layers.Dense(3) for _ in range(20)))
    assert layer_names(many).endswith(" and 9 before these")
