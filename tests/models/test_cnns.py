"""The convolutional networks: the shapes their sources give, and weights from their seeds."""

import keras
import numpy as np
import pytest

from robustnets.models import (
    Classifier,
    cifar10_cnn,
    mnist_cnn,
    papernot_cifar10_cnn,
    papernot_mnist_cnn,
)

# (input shape, parameters, what each layer gives), from CSCE496 table 2, CSDS440 figure 5 and
# Papernot et al. 2016, table I
REPORTED = {
    mnist_cnn: (
        (28, 28, 1),
        832 + 51_264 + 819_328 + 1_290,
        [(24, 24, 32), (20, 20, 64), (10, 10, 64), (10, 10, 64), (6400,), (128,), (128,), (10,)],
    ),
    cifar10_cnn: (
        (32, 32, 3),
        1_250_858,
        [
            *((32, 32, 32), (30, 30, 32), (15, 15, 32), (15, 15, 32)),
            *((15, 15, 64), (13, 13, 64), (6, 6, 64), (6, 6, 64)),
            *((2304,), (512,), (512,), (10,)),
        ],
    ),
    papernot_mnist_cnn: (
        (28, 28, 1),
        320 + 9_248 + 18_496 + 36_928 + 205_000 + 40_200 + 2_010,
        [
            *((26, 26, 32), (24, 24, 32), (12, 12, 32), (10, 10, 64), (8, 8, 64), (4, 4, 64)),
            *((1024,), (200,), (200,), (200,), (10,)),
        ],
    ),
    papernot_cifar10_cnn: (
        (32, 32, 3),
        1_792 + 36_928 + 73_856 + 147_584 + 819_456 + 65_792 + 2_570,
        [
            *((30, 30, 64), (28, 28, 64), (14, 14, 64), (12, 12, 128), (10, 10, 128)),
            *((5, 5, 128), (3200,), (256,), (256,), (256,), (10,)),
        ],
    ),
}
SMALL = (17, 16, 2)
builders = pytest.mark.parametrize("build", REPORTED)


@builders
def test_architecture(build):
    shape, parameters, shapes = REPORTED[build]
    model = build(shape, 10, seed=0)
    assert model.count_params() == parameters
    assert [layer.output.shape[1:] for layer in model.layers] == shapes
    hidden = [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")]
    assert hidden == ["relu"] * (len(hidden) - 1) + ["linear"]


@pytest.mark.parametrize(
    ("build", "rates"),
    [
        (mnist_cnn, [0.25, 0.5]),
        (cifar10_cnn, [0.25, 0.25, 0.5]),
        (papernot_mnist_cnn, [0.5]),
        (papernot_cifar10_cnn, [0.5]),
    ],
)
def test_dropout(build, rates):
    model = build(SMALL, 3, seed=0)
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in drops] == rates
    assert len({layer.seed for layer in drops}) == len(drops)
    x = np.random.default_rng(0).random((4, *SMALL), np.float32)
    one, again = (keras.ops.convert_to_numpy(model(x, training=False)) for _ in range(2))
    np.testing.assert_array_equal(one, again)


@builders
def test_weights_come_from_the_seed(build):
    one, again, other = (build(SMALL, 3, seed).get_weights() for seed in (1, 1, 2))
    for a, b, c in zip(one[::2], again[::2], other[::2]):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0.01
    for bias in one[1::2]:
        np.testing.assert_array_equal(bias, 0)


@builders
def test_digest_is_that_of_the_weights(build):
    digests = [Classifier(build(SMALL, 3, seed)).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


@builders
def test_saved_and_loaded(build, tmp_path):
    model = build(SMALL, 3, seed=4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    x = np.random.default_rng(0).random((5, *SMALL), np.float32)
    np.testing.assert_array_equal(Classifier(model).predict(x), Classifier(loaded).predict(x))
    assert Classifier(model).digest == Classifier(loaded).digest


@builders
def test_too_small_an_image_is_refused(build):
    least = 16 if build in (papernot_mnist_cnn, papernot_cifar10_cnn) else 10
    build((least, least, 1), 10, seed=0)
    with pytest.raises(ValueError, match=r"negative dimension|Computed output size"):
        build((least - 1, least - 1, 1), 10, seed=0)
