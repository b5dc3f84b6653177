"""The planted region is there, as near as it says, and an attack that falls short misses it."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from robustnets.attacks import APGD, FGSM, PGD, Noise
from robustnets.core.threat import ThreatModel
from robustnets.engines import run
from robustnets.evaluation.sanity.planted import plant, reach

SHAPE = (7, 6, 3)
THREATS = (
    ThreatModel("linf", 0.05),
    ThreatModel("linf", 0.8),  # the box binds
    ThreatModel("l2", 1.5, low=-1, high=2),
    ThreatModel("l1", 8.0),
)


@pytest.fixture(scope="module", params=THREATS, ids=str)
def planted(request):
    return request.param, *plant(request.param, SHAPE, classes=5, seed=3)


def test_all_are_right_and_in_the_box(planted):
    threat, classifier, x, y = planted
    assert classifier.predict(x).argmax(axis=1).tolist() == y.tolist() == [0] * 16
    assert threat.low < x.min() < x.max() < threat.high
    assert classifier.classes == 5


def test_what_should_find_it_finds_it_and_less_does_not(planted):
    threat, classifier, x, y = planted
    assert run(APGD(threat), classifier, x, y).success.all()
    less = APGD(replace(threat, eps=0.7 * min(threat.eps, 0.4 * len(SHAPE) * 100)))
    if threat.eps < 0.5:
        assert not run(less, classifier, x, y).success.any()
    if threat.norm != "l1":
        assert run(FGSM(threat), classifier, x, y).success.all()
        assert run(PGD(threat), classifier, x, y).success.all()
        if threat.eps < 0.5:
            assert not run(Noise(threat, draws=20), classifier, x, y).success.any()


@dataclass(frozen=True)
class Short:
    """FGSM at half the radius."""

    norms: ClassVar[tuple[str, ...]] = ("linf",)
    minimal: ClassVar[bool] = False
    targeted: ClassVar[bool] = False
    passes: ClassVar[tuple[int, int]] = (1, 1)
    threat: ThreatModel

    def perturb(self, logits, x, y, seeds, eps):
        return FGSM(self.threat).perturb(logits, x, y, seeds, eps / 2)


def test_half_a_step_misses_it():
    threat = THREATS[0]
    assert not run(Short(threat), *plant(threat, SHAPE, 5, seed=3)).success.any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_reach_is_the_best_of_many(norm):
    """Against random perturbations in the ball and the box, and one that attains it."""
    rng = np.random.default_rng(0)
    w, room = rng.uniform(0.5, 1.5, 6), rng.uniform(0.1, 0.6, 6)
    threat = ThreatModel(norm, 0.7)
    best = reach(w, room, threat)
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    d = rng.uniform(0, 1, (20000, 6)) ** rng.uniform(0.2, 5, (20000, 1)) * room
    d *= np.minimum(1, 0.7 / np.linalg.norm(d, order, axis=1))[:, None]
    assert 0.93 * best < (d @ w).max() <= best + 1e-9
