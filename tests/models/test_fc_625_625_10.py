"""FC-625-625-10: shape, dropout and initial weights as Lacok's appendix has them."""

import keras
import numpy as np

from robustnets.models import MODELS, Classifier, fc_625_625_10
from robustnets.models.classifier import draws_in_training

SHAPE = (6, 5, 2)


def test_architecture():
    model = MODELS["fc_625_625_10"]((28, 28, 1), 10, seed=0)
    assert [tuple(w.shape) for w in model.weights] == [(784, 625), (625, 625), (625, 10)]
    assert model.count_params() == 784 * 625 + 625 * 625 + 625 * 10 == 886_875
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.activation.__name__ for layer in dense] == ["relu", "relu", "linear"]
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Flatten", *["Dropout", "Dense"] * 3]


def test_dropout():
    model = fc_625_625_10(SHAPE, 4, seed=0)
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in drops] == [0.2, 0.5, 0.5]
    assert len({layer.seed for layer in drops}) == 3
    assert draws_in_training(model)
    x = np.ones((200, 60), np.float32)
    for layer in drops:
        kept = keras.ops.convert_to_numpy(layer(x, training=True))
        # inverted, as in the appendix: what stays is larger by 1 / (1 - p)
        values = np.unique(np.round(kept, 4)).tolist()
        assert values == [0.0, round(1 / (1 - layer.rate), 4)]
        assert abs((kept == 0).mean() - layer.rate) < 0.02


def test_weights_come_from_the_seed():
    one, again, other = (fc_625_625_10(SHAPE, 4, seed).get_weights() for seed in (1, 1, 2))
    for a, b, c in zip(one, again, other):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0.01
        # 0.01 is the standard deviation: numpy's randn times 0.01
        assert abs(a.std() - 0.01) < 0.001
        assert abs(a.mean()) < 0.001
    # normal and not truncated: three in a thousand lie beyond three deviations
    assert 0.001 < (np.abs(one[1]) > 0.03).mean() < 0.005
    digests = [Classifier(fc_625_625_10(SHAPE, 4, seed)).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_logits():
    model = fc_625_625_10(SHAPE, 4, seed=0)
    x = np.random.default_rng(0).random((3, *SHAPE), np.float32)
    z = x.reshape(3, -1)
    for kernel in model.get_weights()[:-1]:
        z = np.maximum(z @ kernel, 0)
    np.testing.assert_allclose(
        Classifier(model).predict(x), z @ model.get_weights()[-1], rtol=0, atol=1e-5
    )
