"""Rough counts of work and memory, which no model makes raise."""

import keras
import numpy as np
import pytest
from keras import layers

from robustnets.models.size import activations, multiply_adds

SHAPE = (8, 6, 3)


def sequential(*more):
    return keras.Sequential([keras.Input(SHAPE), *more])


class Block(layers.Layer):
    """Holds layers that nobody has called on symbols."""

    def __init__(self, width=4, wide=3):
        super().__init__()
        self.body = [layers.Conv2D(width, wide, padding="same") for _ in range(2)]
        self.kernel = "not an array"

    def call(self, x):
        for conv in self.body:
            x = conv(x)
        return x


def test_convolutions_and_dense_layers():
    model = sequential(layers.Conv2D(5, 3), layers.Flatten(), layers.Dense(7))
    assert multiply_adds(model) == 9 * 3 * 5 * (6 * 4) + (6 * 4 * 5) * 7
    assert activations(model) == 8 * 6 * 3 + 6 * 4 * 5 * 2 + 7


def test_layers_inside_count_as_those_outside():
    inside = sequential(layers.Conv2D(4, 1), Block())
    outside = sequential(
        layers.Conv2D(4, 1),
        layers.Conv2D(4, 3, padding="same"),
        layers.Conv2D(4, 3, padding="same"),
    )
    assert multiply_adds(inside) == multiply_adds(outside)
    assert activations(outside) <= activations(inside) <= 2 * activations(outside)


def test_shared_and_nested_models_count_each_call():
    inner = sequential(layers.Flatten(), layers.Dense(7))
    images = keras.Input(SHAPE)
    twice = keras.Model(images, inner(images) + inner(layers.Rescaling(2.0)(images)))
    assert multiply_adds(twice) == 2 * multiply_adds(inner) == 2 * 144 * 7


def test_attention_and_recurrence():
    rows = layers.Reshape((8, 18))
    lstm = multiply_adds(sequential(rows, layers.LSTM(5)))
    assert lstm == 8 * 18 * 20 + 8 * 5 * 20  # at each of 8 steps
    images = keras.Input(SHAPE)
    tokens = rows(images)
    model = keras.Model(images, layers.MultiHeadAttention(2, 9)(tokens, tokens))
    # query, key, value and output: 18 values to 2 heads of 9, and back, at 8 places
    assert 0.5 < multiply_adds(model) / (4 * 8 * 18 * 18) < 1.1
    assert activations(model) > 2 * 8 * 8  # the scores


class Opaque(keras.Model):
    """Its code cannot be written down as a graph."""

    def __init__(self):
        super().__init__()
        self.conv, self.flat = layers.Conv2D(4, 3), layers.Flatten()
        self.last = layers.Dense(7)

    def call(self, x):
        return self.last(self.flat(self.conv(x)))


@pytest.mark.parametrize("make", [Opaque, Block])
def test_what_shows_no_shapes_is_guessed(make):
    images = keras.Input(SHAPE)
    layer = make()
    model = keras.Model(images, layer(images))
    at_least = sum(np.prod(w.shape) for w in layer.trainable_weights if len(w.shape) > 1)
    assert at_least <= multiply_adds(model) <= 48 * at_least
    assert activations(model) > 144
