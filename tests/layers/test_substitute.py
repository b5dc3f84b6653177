"""Values of one function, gradient of another."""

import keras
import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks import BIM
from robustnets.core.threat import ThreatModel
from robustnets.engines import run
from robustnets.layers.substitute import with_gradient_of
from robustnets.models.classifier import Classifier


def coarse(x):
    return ops.floor(x * 7.0) / 7.0


def test_values_are_exact_and_the_gradient_is_that_of_the_substitute():
    x = np.random.default_rng(0).uniform(0, 1, (5, 4, 3, 2)).astype(np.float32)
    x = ops.convert_to_tensor(x)
    mixed = with_gradient_of(lambda v: ops.square(v), coarse)
    assert ops.convert_to_numpy(mixed(x)).tobytes() == ops.convert_to_numpy(coarse(x)).tobytes()
    run_it = backend.compiled(backend.value_and_grad(lambda v: ops.sum(mixed(v), axis=(1, 2, 3))))
    _, gradient = run_it(x)
    np.testing.assert_allclose(
        ops.convert_to_numpy(gradient), 2 * ops.convert_to_numpy(x), rtol=0, atol=1e-6
    )


class Coarse(keras.layers.Layer):
    """Rounds down; with the gradient of the identity if told so."""

    def __init__(self, declared):
        super().__init__()
        self.declared = declared

    def call(self, x):
        return with_gradient_of(lambda v: v, coarse)(x) if self.declared else coarse(x)


def test_an_attack_through_a_layer_uses_what_it_declares(trained_classifier, digits):
    x, y = digits[0][1500:1600], digits[1][1500:1600]
    won = []
    for declared in (False, True):
        model = keras.Sequential(
            [keras.Input(x.shape[1:]), Coarse(declared), trained_classifier.model]
        )
        attack = BIM(ThreatModel("linf", 0.2), steps=5)
        found = run(attack, Classifier(model), x, y)
        won.append(found.success.mean())
        assert (found.x[~found.success] == x[~found.success]).all() or declared
    assert won[0] < 0.3 < 0.7 < won[1]
