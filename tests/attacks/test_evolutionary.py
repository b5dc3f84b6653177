"""Evolutionary search: it breeds towards the optimum and into a planted region."""

import numpy as np
import pytest
from asked import carry as attacked
from asked import check_counts, check_rows_alone, hits, images, linear, never
from keras import ops

from robustnets import backend
from robustnets.attacks import balls
from robustnets.attacks.evolutionary import Evolutionary
from robustnets.core.threat import ThreatModel

W = np.random.default_rng(1).normal(size=24)
QUICK = {"population": 20, "survivors": 5, "mutation": 0.05, "block": 20}
eager_only = pytest.mark.skipif(
    backend.name() != "tensorflow", reason="JAX traces its loops in eager mode too"
)


def test_finds_a_planted_region():
    """Class 1 where five values are all raised: one corner in 32, by those values."""

    def logits(x):
        flat = ops.reshape(x, (-1, 24))
        raised = ops.mean(ops.minimum(flat[:, 3:8], 0.6), axis=1, keepdims=True)
        return ops.concatenate([ops.zeros_like(raised), raised - 0.59], axis=1)

    x = np.full((5, 4, 3, 2), 0.5, np.float32)
    attack = Evolutionary(ThreatModel("linf", 0.1), budget=1000, **QUICK)
    result = attacked(attack, logits, x, np.zeros(5))
    assert hits(logits, result["x"], 0).all()
    assert balls.distances(x, result["x"])["linf"].max() <= 0.1 + 1e-6


@pytest.mark.parametrize("targeted", [False, True])
def test_nears_the_optimum_of_a_linear_model(targeted):
    x, eps = images(3, low=0.4, high=0.6), 0.2
    attack = Evolutionary(ThreatModel("linf", eps), budget=1500, **QUICK, targeted=targeted)
    result = attacked(attack, linear(W, -100.0), x, np.full(3, 1 if targeted else 0))
    moved = (result["x"] - x).reshape(3, -1) @ W
    assert (moved > 0.9 * eps * np.abs(W).sum()).all()
    assert result["forward"].tolist() == [1500] * 3


@eager_only
@pytest.mark.parametrize("budget", [1, 2, 7, 13, 20])
def test_no_query_over_budget_and_none_uncounted(budget):
    attack = Evolutionary(ThreatModel("linf", 0.1), budget, population=5, survivors=2, block=1)
    assert check_counts(attack, never) == budget


def test_stops_at_the_first_success():
    attack = Evolutionary(ThreatModel("linf", 0.3), budget=2000, **QUICK)
    x = images(5)
    logits = linear(W, -float(0.5 * W.sum()))
    y = hits(logits, x, 0).astype(int)
    result = attacked(attack, logits, x, y)
    found = hits(logits, result["x"], y)
    assert found.any()
    assert result["forward"][found].max() < 500
    as_they_stand = attacked(attack, logits, x, 1 - y)
    assert as_they_stand["x"].tobytes() == x.tobytes()
    assert as_they_stand["forward"].tolist() == [1] * 5


def test_each_example_on_its_own_and_in_the_box():
    attack = Evolutionary(ThreatModel("linf", 0.3), budget=70, **QUICK)
    result = check_rows_alone(attack, linear(W, -10.0))
    assert 0 <= result["x"].min() <= result["x"].max() <= 1
    assert balls.distances(images(7), result["x"])["linf"].max() <= 0.3 + 1e-6
    still = attacked(attack, linear(W, -10.0), images(7), np.zeros(7), eps=np.zeros(7))
    assert still["x"].tobytes() == images(7).tobytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"survivors": 1}, "survivors must be an int >= 2, got 1"),
        ({"population": 10}, "population must be an int >= 11, got 10"),
        ({"mutation": 1.5}, r"mutation must lie in \[0, 1\], got 1.5"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Evolutionary(ThreatModel("linf", 0.1), **settings)
