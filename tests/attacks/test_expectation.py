"""Averaging over a model that draws at random."""

import numpy as np
import pytest
from keras import ops

from robustnets.attacks import BIM, PGD, draws, losses
from robustnets.core.threat import ThreatModel
from robustnets.engines import run


def noisy(classifier, scale):
    """Logits with noise that is large, and another one for each row of a batch."""

    def logits(x):
        z = classifier.logits(x)
        rows = ops.arange(z.shape[0], dtype="int32")
        return z + scale * draws.normal(rows, (z.shape[1],), 0)

    return logits


def test_the_average_of_many_draws_approaches_the_quiet_model(small_classifier):
    rng = np.random.default_rng(0)
    x = ops.convert_to_tensor(rng.uniform(0, 1, (6, 5, 4, 3)).astype(np.float32))
    y = ops.convert_to_tensor(np.arange(6, dtype=np.int32))
    quiet = losses.ascent(small_classifier.logits, x, y, False)
    logits = noisy(small_classifier, 0.01)
    errors = []
    for n in (1, 400):
        value, hit, gradient = losses.ascent(logits, x, y, False, expectation=n)
        assert value.shape == hit.shape == (6,)
        errors.append(np.abs(ops.convert_to_numpy(value - quiet[0])).mean())
    assert errors[1] < 0.25 * errors[0]
    np.testing.assert_allclose(
        ops.convert_to_numpy(gradient), ops.convert_to_numpy(quiet[2]), atol=1e-2
    )


@pytest.mark.parametrize("attack", [BIM, PGD])
def test_a_model_without_chance_gives_the_same_examples_at_n_times_the_price(
    attack, trained_classifier, digits
):
    x, y = digits[0][1500:1520], digits[1][1500:1520]
    once = attack(ThreatModel("l2", 0.3), steps=3)
    thrice = attack(ThreatModel("l2", 0.3), steps=3, expectation=3)
    one, three = (run(spec, trained_classifier, x, y, attack_wrong=True) for spec in (once, thrice))
    np.testing.assert_allclose(three.x, one.x, rtol=0, atol=1e-5)
    assert three.forward.tolist() == (3 * one.forward).tolist()
    assert three.backward.tolist() == (3 * one.backward).tolist()
