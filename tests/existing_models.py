"""Models as people have them: small, untrained, of every kind that is built today."""

import keras
import numpy as np
from keras import layers, ops

SHAPE = (16, 12, 3)
CLASSES = 4


class Block(layers.Layer):
    """A residual block that leaves building its layers to their first call."""

    def __init__(self, filters, **options):
        super().__init__(**options)
        self.filters = filters
        self.first = layers.Conv2D(filters, 3, padding="same", activation="relu")
        self.norm = layers.BatchNormalization()
        self.second = layers.Conv2D(filters, 3, padding="same")

    def call(self, x, training=False):
        return x + self.second(self.norm(self.first(x), training=training))


class BuiltBlock(Block):
    """One that builds its layers itself."""

    def build(self, shape):
        self.first.build(shape)
        self.norm.build((*shape[:-1], self.filters))
        self.second.build((*shape[:-1], self.filters))
        super().build(shape)


class Positions(layers.Layer):
    """Learned positions are added to tokens."""

    def build(self, shape):
        self.position = self.add_weight(shape=(1, *shape[1:]), name="position")

    def call(self, x):
        return x + self.position


class Encoder(layers.Layer):
    """A transformer's encoder, before its norms."""

    def __init__(self, width=12, heads=3, **options):
        super().__init__(**options)
        self.norms = [layers.LayerNormalization() for _ in range(2)]
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.mlp = keras.Sequential([layers.Dense(2 * width, "gelu"), layers.Dense(width)])
        self.dropout = layers.Dropout(0.1)

    def call(self, x, training=False):
        y = self.norms[0](x)
        x = x + self.attention(y, y, training=training)
        return x + self.dropout(self.mlp(self.norms[1](x)), training=training)


class Subclassed(keras.Model):
    """A model of layers and models, called once."""

    def __init__(self):
        super().__init__(name="subclassed")
        self.body = sequential(layers.Conv2D(4, 3), Block(4), name="body")
        self.flatten, self.scores = layers.Flatten(), layers.Dense(CLASSES, name="scores")

    def call(self, x, training=False):
        return self.scores(self.flatten(self.body(x, training=training)))


class Opaque(Subclassed):
    """Its code cannot be written down as a graph."""

    def call(self, x, training=False):
        if isinstance(x, keras.KerasTensor) and x.name == "images":
            raise TypeError("no values")
        return super().call(x, training)


def sequential(*more, name=None):
    return keras.Sequential([keras.Input(SHAPE), *more], name=name)


def rows(*more):
    """Each image as a sequence of its rows."""
    return sequential(layers.Reshape((16, 36)), *more, layers.Dense(CLASSES))


def called(make):
    model = make()
    model(np.zeros((1, *SHAPE), np.float32))
    return model


def transformer():
    images = keras.Input(SHAPE)
    x = layers.Conv2D(12, 4, strides=4)(layers.Rescaling(2.0, offset=-1.0)(images))
    x = Positions()(layers.Reshape((12, 12))(x))
    for _ in range(2):
        x = Encoder()(x)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(images, layers.Dense(CLASSES, "softmax")(x), name="transformer")


def attention(make):
    images = keras.Input(SHAPE)
    tokens = layers.Reshape((16, 36))(images)
    return keras.Model(images, layers.Dense(CLASSES)(layers.Flatten()(make()(tokens, tokens))))


def over_views():
    one = sequential(layers.Flatten(), layers.Dense(CLASSES, "softmax"))
    images = keras.Input(SHAPE)
    views = [one(images), one(ops.flip(images, axis=2))]
    return keras.Model(images, layers.Average()(views), name="over_views")


# by name: a function without arguments
MODELS = {
    "transformer": transformer,
    "attention": lambda: attention(lambda: layers.MultiHeadAttention(2, 4)),
    "grouped attention": lambda: attention(lambda: layers.GroupQueryAttention(4, 4, 2)),
    "residual": lambda: sequential(
        layers.Conv2D(6, 3, padding="same"),
        Block(6),
        layers.MaxPooling2D(),
        BuiltBlock(6),
        layers.GlobalAveragePooling2D(),
        layers.Dense(CLASSES),
    ),
    "spectral norm": lambda: sequential(
        layers.SpectralNormalization(layers.Conv2D(4, 3)),
        layers.Flatten(),
        layers.SpectralNormalization(layers.Dense(CLASSES)),
    ),
    "lstm": lambda: rows(layers.LSTM(8)),
    "gru": lambda: rows(layers.GRU(8, return_sequences=True), layers.GlobalMaxPooling1D()),
    "cells": lambda: rows(layers.RNN([layers.LSTMCell(5), layers.GRUCell(4)])),
    "bidirectional": lambda: rows(layers.Bidirectional(layers.SimpleRNN(5))),
    "time distributed": lambda: sequential(
        layers.Reshape((4, 4, 12, 3)),
        layers.TimeDistributed(layers.Conv2D(4, 3)),
        layers.TimeDistributed(layers.Flatten()),
        layers.SimpleRNN(5),
        layers.Dense(CLASSES),
    ),
    "convolutional lstm": lambda: sequential(
        layers.Reshape((4, 4, 12, 3)),
        layers.ConvLSTM2D(3, 3),
        layers.Flatten(),
        layers.Dense(CLASSES),
    ),
    "separable": lambda: sequential(
        layers.DepthwiseConv2D(3),
        layers.SeparableConv2D(5, 3),
        layers.GroupNormalization(5),
        layers.ReLU(),
        layers.Conv2DTranspose(4, 3),
        layers.GlobalAveragePooling2D(),
        layers.Dense(CLASSES, "softmax"),
    ),
    "mixer": lambda: sequential(
        layers.Reshape((48, 12)),
        layers.Permute((2, 1)),
        layers.Dense(48, "gelu"),
        layers.Permute((2, 1)),
        layers.EinsumDense("btc,cd->btd", (48, 8), bias_axes="d"),
        layers.Flatten(),
        layers.Dense(CLASSES),
    ),
    "subclassed": lambda: called(Subclassed),
    "opaque": lambda: called(Opaque),
    "nested": lambda: sequential(
        sequential(Block(3), layers.Conv2D(4, 3), layers.PReLU()),
        layers.Flatten(),
        layers.Dense(CLASSES, "softmax"),
    ),
    "over views": over_views,
    "one sigmoid": lambda: sequential(
        layers.Flatten(), layers.Dense(6, "relu"), layers.Dense(1, "sigmoid")
    ),
}

# of keras.applications, untrained: the smallest images that each takes
APPLICATIONS = {
    "MobileNet": 32,
    "MobileNetV2": 32,
    "ResNet50": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "VGG16": 32,
}


def application(name):
    size = APPLICATIONS[name]
    return getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classes=CLASSES
    )
