"""NES from labels: from a start outside of the ball down into it."""

import numpy as np
import pytest
from asked import carry as attacked
from asked import check_counts, check_rows_alone, hits, images, linear, never

from robustnets import backend
from robustnets.attacks import balls
from robustnets.attacks.label_only_nes import LabelOnlyNES
from robustnets.attacks.starts import Starts
from robustnets.core.threat import ThreatModel

W = np.random.default_rng(1).normal(size=24)
QUICK = {"samples": 10, "copies": 3, "budget": 1500}
eager_only = pytest.mark.skipif(
    backend.name() != "tensorflow", reason="JAX traces its loops in eager mode too"
)


def test_finds_a_success_in_thrice_the_smallest_ball_of_a_linear_model():
    x = images(6, low=0.3, high=0.7)
    logits = linear(W, -float(0.5 * W.sum()))
    margin = (x.reshape(6, -1) - 0.5) @ W
    smallest = np.abs(margin) / np.abs(W).sum()
    y = (margin > 0).astype(int)
    attack = LabelOnlyNES(ThreatModel("linf", 0.0), **QUICK)
    result = attacked(attack, logits, x, y, eps=3 * smallest)
    assert hits(logits, result["x"], y).all()
    assert (balls.distances(x, result["x"])["linf"] <= 3 * smallest + 1e-6).all()
    half = attacked(attack, logits, x, y, eps=smallest / 2)
    assert (balls.distances(x, half["x"])["linf"] <= smallest / 2 + 1e-6).all()
    assert half["forward"].max() <= 1500
    assert half["forward"].min() > 1500 - 8


@eager_only
@pytest.mark.parametrize("budget", [1, 2, 9, 30, 70])
def test_no_query_over_budget_and_none_uncounted(budget):
    attack = LabelOnlyNES(ThreatModel("linf", 0.01), samples=4, copies=3, budget=budget, block=1)
    logits = linear(W, -float(0.5 * W.sum()))
    assert check_counts(attack, logits, y=int(hits(logits, images(1), 0)[0])) <= budget


def test_begins_at_given_images():
    logits = linear(np.full(24, 1 / 24), -0.9)
    x, starts = images(3), Starts.of(np.ones((1, 4, 3, 2)), [1])
    settings = {**QUICK, "init_size": 5, "targeted": True, "starts": starts}
    result = attacked(LabelOnlyNES(ThreatModel("linf", 0.95), **settings), logits, x, np.ones(3))
    assert hits(logits, result["x"], 0).all()


def test_ends_where_there_is_nothing_to_find():
    x = images(3)
    attack = LabelOnlyNES(ThreatModel("linf", 0.1), **QUICK, init_size=6)
    result = attacked(attack, never, x, np.zeros(3))
    assert result["x"].tobytes() == x.tobytes()
    assert result["forward"].tolist() == [7] * 3


def test_each_example_on_its_own_and_in_the_box():
    logits = linear(W, -float(0.5 * W.sum()))
    y = hits(logits, images(7), 0).astype(int)
    attack = LabelOnlyNES(ThreatModel("linf", 0.05), samples=4, copies=2, budget=60)
    result = check_rows_alone(attack, logits, y)
    assert 0 <= result["x"].min() <= result["x"].max() <= 1
    assert balls.distances(images(7), result["x"])["linf"].max() <= 0.05 + 1e-6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"copies": 0}, "copies must be an int >= 1, got 0"),
        ({"noise": -1.0}, "noise must be finite and > 0"),
        ({"samples": 3}, "samples must be even, got 3"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        LabelOnlyNES(ThreatModel("linf", 0.1), **settings)
