"""A network with an adversarial region planted at the edge of the ball: attacks must find it.

Source: Zimmermann et al. 2022, arXiv:2206.13991 (tests of attacks by planted examples).
"""

import keras
import numpy as np
import pytest

from robustnets.attacks import APGD, BIM, FGSM, PGD, Noise
from robustnets.core.threat import ThreatModel
from robustnets.engines import run
from robustnets.models import Classifier

DIRECTIONS = {"linf": 1, "l2": 2, "l1": np.inf}
RADIUS = {"linf": 0.1, "l2": 0.5, "l1": 0.3}  # within the box even in one value


@pytest.fixture(params=DIRECTIONS)
def planted(request):
    """Class 1 only where the hidden unit relu(<w, x> - b) is on, 10 % from the best point.

    The first layer squashes the score, so that gradients differ by orders of magnitude
    between examples and the last step counts.
    """
    norm, shape = request.param, (5, 4, 3)
    rng = np.random.default_rng(4)
    w = rng.normal(size=60)
    eps = RADIUS[norm]
    x = rng.uniform(0.4, 0.6, (9, *shape)).astype(np.float32)
    # every example is moved along w until it needs 90 % of the radius
    flat = x.reshape(9, 60).astype(float)
    wanted = -0.9 * eps * np.linalg.norm(w, DIRECTIONS[norm])
    flat += ((wanted - flat @ w) / (w @ w))[:, None] * w
    x = flat.reshape(x.shape).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(1, activation="tanh", name="score"),
            keras.layers.Dense(2, name="logits"),
        ]
    )
    score, logits = model.layers[-2:]
    score.set_weights([(0.5 * w[:, None]).astype(np.float32), np.zeros(1, np.float32)])
    logits.set_weights([np.array([[-5.0, 5.0]], np.float32), np.zeros(2, np.float32)])
    assert 0 < x.min() < x.max() < 1
    return Classifier(model), x, np.zeros(9, np.int64), ThreatModel(norm, eps)


@pytest.mark.parametrize(
    "attack",
    [
        FGSM,
        lambda threat: BIM(threat, steps=10),
        lambda threat: BIM(threat, steps=40, stop_at_boundary=True),
        PGD,
        APGD,
        lambda threat: PGD(threat, loss="margin", restarts=2, stop_early=True),
    ],
    ids=["FGSM", "BIM", "BIM stopping", "PGD", "APGD", "PGD margin"],
)
def test_gradient_attacks_find_the_planted_region(attack, planted):
    classifier, x, y, threat = planted
    if threat.norm == "l1" and attack not in (FGSM, PGD, APGD):
        pytest.skip("not an attack in l1, or one whose like is tested")
    out = run(attack(threat), classifier, x, y)
    assert out.success.all()
    smaller = ThreatModel(threat.norm, 0.8 * threat.eps)
    assert not run(attack(smaller), classifier, x, y).success.any()


def test_noise_does_not(planted):
    classifier, x, y, threat = planted
    if threat.norm != "l1":
        assert not run(Noise(threat, draws=20), classifier, x, y).success.any()
