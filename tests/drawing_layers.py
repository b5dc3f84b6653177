"""Layers that draw at random at inference, each by other means; a module for several tests."""

import random

import keras
import numpy as np
from keras import ops

from robustnets.models.classifier import Classifier


class Drawing(keras.layers.Layer):
    """Draws by a SeedGenerator."""

    def __init__(self, seed=3, scale=0.1, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.scale = scale

    def call(self, x):
        return x + self.scale * keras.random.normal(ops.shape(x), seed=self.seed_generator)


class DrawingInBranch(Drawing):
    """Draws in a branch that is always taken."""

    def call(self, x):
        return ops.cond(ops.all(ops.isfinite(x)), lambda: super(DrawingInBranch, self).call(x),
                        lambda: x)  # fmt: skip


class Always(keras.layers.Layer):
    """Another layer in training mode, at inference too, as in Monte Carlo dropout."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, x):
        return self.inner(x, training=True)

    def get_config(self):
        return {**super().get_config(), "inner": self.inner}


class Hidden(keras.layers.Layer):
    """Draws by a SeedGenerator that Keras does not know to be the layer's."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        generator = keras.random.SeedGenerator(5)
        self.draw = lambda x: keras.random.normal(ops.shape(x), seed=generator)

    def call(self, x):
        return x + 0.1 * self.draw(x)


class Unseeded(keras.layers.Layer):
    """Draws by keras.random without a seed."""

    def call(self, x):
        return x + 0.1 * keras.random.normal(ops.shape(x))

    def compute_output_shape(self, shape):
        return shape


class SameNoise(keras.layers.Layer):
    """Adds the same noise in every pass, which is no chance."""

    def call(self, x):
        return x + 0.1 * keras.random.normal(ops.shape(x), seed=7)


class ByNumPy(keras.layers.Layer):
    """Draws anew when it is called, and so never once it is compiled."""

    def call(self, x):
        return x + np.random.default_rng().normal(size=x.shape[1:]).astype("float32")


class ByPython(keras.layers.Layer):
    """The same with Python's generator."""

    def call(self, x):
        return x * random.uniform(0.5, 1.5)


class ByBackend(keras.layers.Layer):
    """On TensorFlow by an operation that draws anew, on JAX by a key that never changes."""

    def call(self, x):
        if keras.backend.backend() == "jax":
            import jax

            return x + jax.random.normal(jax.random.key(0), x.shape[1:])
        import tensorflow as tf

        return x + tf.random.normal(tf.shape(x))


def behind(layer, shape=(4, 3, 1), classes=5):
    """A small classifier of images with a layer in front."""
    images = keras.Input(shape)
    kernel = keras.initializers.GlorotUniform(seed=0)
    logits = keras.layers.Dense(classes, kernel_initializer=kernel)
    return Classifier(keras.Model(images, logits(keras.layers.Flatten()(layer(images)))))
