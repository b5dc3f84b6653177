"""A surrogate: a network of the attacker's own, trained apart, to craft examples on.

Source: Papernot et al. 2017, arXiv:1602.02697.
Deviation: trained on labelled examples of the same kind instead of the victim's answers.
"""

import hashlib

import keras
import numpy as np

from robustnets.core.dataset import Split
from robustnets.core.seeds import derive
from robustnets.core.spec import digest
from robustnets.core.store import Store, read_or_set_aside, write_atomically
from robustnets.models.classifier import Classifier
from robustnets.models.stored import read_stored
from robustnets.training import FixedEpochs, Training
from robustnets.training.fit import fit

MOST = 5000  # examples
STEPS = 1200  # of training, about
BATCH = 50


def trained_surrogate(
    examples: Split,
    classes: int,
    seed: int,
    store: Store | None = None,
    box: tuple[float, float] = (0.0, 1.0),
) -> Classifier:
    """Train a small convolutional network in some seconds, or take it from a store.

    Args:
        examples: x float32 (M, H, W, C), y int64 (M,), none of which is attacked later; the
            first `MOST` are used.
        classes: of the victim.
        seed: of the weights and the order of the examples.
        store: where it is kept, or None.
        box: the smallest and the largest value of an image.

    Raises:
        ValueError: for fewer than two examples.
    """
    x, y = examples.x[:MOST], examples.y[:MOST]
    if len(x) < 2:
        raise ValueError(f"a surrogate needs at least 2 examples to learn from, got {len(x)}")
    sha = hashlib.sha256(np.ascontiguousarray(x).data)
    sha.update(np.ascontiguousarray(y).data)
    scaled = () if box == (0, 1) else (list(box),)
    key = digest(sha.hexdigest(), classes, seed, STEPS, BATCH, *scaled)
    path = None if store is None else store.path("surrogates", key, ".keras")
    kept = None if path is None else read_or_set_aside(path, read_stored)
    if kept is not None:
        return Classifier(kept)
    model = small_cnn(x.shape[1:], classes, derive(seed, "surrogate"), box)
    epochs = max(1, round(STEPS * BATCH / len(x)))
    training = Training((FixedEpochs(epochs),), batch_size=BATCH, max_epochs=epochs)
    fit(model, Split(x, y), Split(x[:BATCH], y[:BATCH]), training, derive(seed, "surrogate order"))
    if path is not None:
        write_atomically(path, model.save)
    return Classifier(model)


def small_cnn(
    image_shape: tuple[int, ...], classes: int, seed: int, box: tuple[float, float] = (0.0, 1.0)
) -> keras.Model:
    """Two strided convolutions and a hidden layer, logits out; any image of 4 x 4 or more.

    Images of another box than [0, 1] are brought to it first, so that it learns as well.
    """
    layers = keras.layers

    def initial(name: str) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=derive(seed, name))

    def conv(name: str, filters: int) -> keras.layers.Layer:
        return layers.Conv2D(
            filters, 3, strides=2, padding="same", activation="relu",
            kernel_initializer=initial(name), name=name,
        )  # fmt: skip

    low, high = box
    scaling = [layers.Rescaling(1 / (high - low), -low / (high - low), name="scaling")]
    return keras.Sequential(
        [
            keras.Input(image_shape, name="images"),
            *([] if box == (0, 1) else scaling),
            conv("conv_1", 16),
            conv("conv_2", 32),
            layers.Flatten(name="flatten"),
            layers.Dense(64, "relu", kernel_initializer=initial("hidden"), name="hidden"),
            layers.Dense(classes, kernel_initializer=initial("logits"), name="logits"),
        ],
        name="surrogate",
    )
