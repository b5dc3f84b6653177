"""NES from probabilities: the gradient of a linear model, the budget, the ball."""

import numpy as np
import pytest
from asked import carry as attacked
from asked import check_counts, check_rows_alone, hits, images, linear, never
from keras import ops

from robustnets import backend
from robustnets.attacks import balls, queries
from robustnets.attacks.nes import NES, estimate
from robustnets.core.threat import ThreatModel

W = np.random.default_rng(1).normal(size=24)
DUAL = {"linf": 1, "l2": 2}
eager_only = pytest.mark.skipif(
    backend.name() != "tensorflow", reason="JAX traces its loops in eager mode too"
)


def test_estimates_the_gradient_of_a_linear_model():
    """2000 antithetic samples in 24 dimensions: every row within 20 degrees, most signs right."""
    spec, x = NES(ThreatModel("linf", 0.1), samples=2000, block=250), images(3)
    n = np.arange(3, dtype=np.int32)
    state = {"seeds": n, "step": 0 * n, "forward": 0 * n, "broken": n < 0, "y": 0 * n}
    state = {name: ops.convert_to_tensor(value) for name, value in state.items()}
    logits = linear(W, 0.3)

    def score(s, points, counts, number):
        z, s = queries.ask(logits, s, points, counts)
        return queries.wanted(z, s["y"], False, "margin"), s

    at = ops.convert_to_tensor(x)
    gradient, state = estimate(spec, score, state, at, ops.convert_to_tensor(0 * n + 1000))
    gradient = ops.convert_to_numpy(gradient).reshape(3, -1).astype(float)
    cosine = gradient @ W / np.linalg.norm(gradient, axis=1) / np.linalg.norm(W)
    assert cosine.min() > np.cos(np.radians(20))
    np.testing.assert_allclose(np.linalg.norm(gradient, axis=1), np.linalg.norm(W), rtol=0.2)
    large = np.abs(W) > 0.5
    assert (np.sign(gradient) == np.sign(W))[:, large].all()
    assert ops.convert_to_numpy(state["forward"]).tolist() == [2000] * 3


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_nears_the_optimum_of_a_linear_model(norm, targeted):
    """A label that cannot be left, so that the whole budget goes into the climb."""
    x, eps = images(3, low=0.4, high=0.6), 0.2
    logits = linear(W, -100.0)
    attack = NES(ThreatModel(norm, eps), budget=2000, samples=100, targeted=targeted)
    result = attacked(attack, logits, x, np.full(3, 1 if targeted else 0))
    moved = (result["x"] - x).reshape(3, -1) @ W
    assert (moved > 0.9 * eps * np.linalg.norm(W, DUAL[norm])).all()
    assert balls.distances(x, result["x"])[norm].max() <= eps + 1e-6
    assert result["forward"].max() <= 2000
    assert result["forward"].min() >= 1998


@eager_only
@pytest.mark.parametrize("budget", [1, 2, 3, 12, 30])
def test_no_query_over_budget_and_none_uncounted(budget):
    attack = NES(ThreatModel("linf", 0.1), budget=budget, samples=6, block=1)
    assert budget - 3 < check_counts(attack, never) <= budget


def test_stops_at_the_first_success():
    attack = NES(ThreatModel("linf", 0.2), budget=1000, samples=20)
    x = images(5)
    logits = linear(W, -float(0.5 * W.sum()))
    y = hits(logits, x, 0).astype(int)
    result = attacked(attack, logits, x, y)
    found = hits(logits, result["x"], y)
    assert found.any()
    assert result["forward"][found].max() < 500
    assert attacked(attack, logits, x, 1 - y)["forward"].tolist() == [1] * 5


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_each_example_on_its_own_and_in_the_box(norm):
    attack = NES(ThreatModel(norm, 0.3), budget=100, samples=10, sigma=0.1)
    result = check_rows_alone(attack, linear(W, -10.0))
    assert 0 <= result["x"].min() <= result["x"].max() <= 1
    assert balls.distances(images(7), result["x"])[norm].max() <= 0.3 + 1e-6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 5}, "samples must be even, got 5"),
        ({"budget": 0}, "budget must be an int >= 1, got 0"),
        ({"sigma": 0.0}, "sigma must be finite and > 0"),
        ({"momentum": 1}, "momentum must be >= 0 and < 1, got 1"),
        ({"loss": "hinge"}, "loss must be one of cross_entropy, margin"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        NES(ThreatModel("linf", 0.1), **settings)
