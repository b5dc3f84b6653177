"""HopSkipJump: near the closed form, never over budget, no worse than the peers."""

import numpy as np
import pytest
from asked import carry as attacked
from asked import check_counts, check_rows_alone, hits, images, linear, never

from robustnets import backend
from robustnets.attacks import balls
from robustnets.attacks.hop_skip_jump import HopSkipJump
from robustnets.attacks.starts import Starts
from robustnets.core.threat import ThreatModel

W = np.random.default_rng(1).normal(size=24)
QUICK = {"max_iter": 4, "max_eval": 40, "init_eval": 8}
DUAL = {"linf": 1, "l2": 2}
TENSORFLOW = backend.name() == "tensorflow"
eager_only = pytest.mark.skipif(not TENSORFLOW, reason="JAX traces its loops in eager mode too")


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_comes_near_the_smallest_distance_of_a_linear_model(norm, targeted):
    x = images(6, low=0.35, high=0.65)
    logits = linear(W, -float(0.5 * W.sum()))
    margin = (x.reshape(6, -1) - 0.5) @ W
    y = (margin > 0).astype(int)
    attack = HopSkipJump(ThreatModel(norm, 9.0), 10, 100, 30, targeted=targeted)
    result = attacked(attack, logits, x, 1 - y if targeted else y)
    assert hits(logits, result["x"], y).all()
    factor = balls.distances(x, result["x"])[norm] / (
        np.abs(margin) / np.linalg.norm(W, DUAL[norm])
    )
    assert factor.min() >= 1 - 1e-3
    assert factor.max() <= (1.15 if norm == "l2" else 1.4)


@eager_only
@pytest.mark.parametrize("budget", [1, 2, 9, 33, 60])
def test_no_query_over_budget_and_none_uncounted(budget):
    attack = HopSkipJump(ThreatModel("l2", 9.0), **QUICK, block=1, budget=budget)
    assert check_counts(attack, linear(W, -float(0.5 * W.sum())), y=1) <= budget


@eager_only
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_counts_what_the_model_sees(norm):
    attack = HopSkipJump(ThreatModel(norm, 9.0), 2, 8, 4, block=1)
    logits = linear(W, -float(0.5 * W.sum()))
    assert check_counts(attack, logits, y=int(hits(logits, images(1), 0)[0])) > 20


def test_a_budget_is_spent_to_the_last_query():
    attack = HopSkipJump(ThreatModel("l2", 9.0), 64, 40, 8, budget=150)
    x = images(5)
    logits = linear(W, -float(0.5 * W.sum()))
    y = hits(logits, x, 0).astype(int)
    assert attacked(attack, logits, x, y)["forward"].tolist() == [150] * 5


def test_ends_where_there_is_nothing_to_find():
    attack = HopSkipJump(ThreatModel("l2", 9.0), **QUICK, init_size=7)
    x = images(3)
    result = attacked(attack, never, x, np.zeros(3))
    assert result["x"].tobytes() == x.tobytes()
    assert result["forward"].tolist() == [8] * 3
    # class 1 as the label: a success as it stands
    result = attacked(attack, never, x, np.ones(3))
    assert result["x"].tobytes() == x.tobytes()
    assert result["forward"].tolist() == [1] * 3


def test_targets_that_no_draw_reaches_come_from_starts():
    """Class 1 is a corner of the box: the mean of an image must be above 0.9."""
    logits = linear(np.full(24, 1 / 24), -0.9)
    x, given = images(4), np.stack([np.full((4, 3, 2), v, np.float32) for v in (0.0, 1.0, 0.1)])
    settings = {**QUICK, "init_size": 9, "targeted": True}
    without = attacked(HopSkipJump(ThreatModel("l2", 9.0), **settings), logits, x, np.ones(4))
    assert without["x"].tobytes() == x.tobytes()
    starts = Starts.of(given, [0, 1, 0])
    attack = HopSkipJump(ThreatModel("l2", 9.0), **settings, starts=starts)
    found = attacked(attack, logits, x, np.ones(4))["x"]
    assert hits(logits, found, 0).all()
    mean = x.mean(axis=(1, 2, 3))
    whole = balls.distances(x, np.ones_like(x))["l2"]
    blend = (0.9 - mean) / (1 - mean) * whole
    # where a line to the start crosses the boundary, up to the share where bisection stops
    assert (balls.distances(x, found)["l2"] <= blend + 0.01 / 24**0.5 * whole).all()


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_each_example_on_its_own_and_in_the_box(norm):
    logits = linear(W, -float(0.5 * W.sum()))
    y = hits(logits, images(7), 0).astype(int)
    result = check_rows_alone(HopSkipJump(ThreatModel(norm, 9.0), **QUICK), logits, y)
    assert 0 <= result["x"].min() <= result["x"].max() <= 1
    assert hits(logits, result["x"], y).all()


def test_any_box():
    x = images(4, low=-3.0, high=5.0)
    logits = linear(W, -float(W.sum()))
    y = hits(logits, x, 0).astype(int)
    result = attacked(HopSkipJump(ThreatModel("l2", 9.0, -3.0, 5.0), **QUICK), logits, x, y)
    assert -3 <= result["x"].min() <= result["x"].max() <= 5
    assert hits(logits, result["x"], y).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_iter": 0}, "max_iter must be an int >= 1, got 0"),
        ({"init_eval": 50, "max_eval": 40}, "max_eval must be an int >= 50, got 40"),
        ({"budget": 0}, "budget must be an int >= 1, got 0"),
        ({"starts": Starts.of(np.full((1, 4, 3, 2), 2.0), [1])}, "starts must lie in the box"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        HopSkipJump(ThreatModel("l2", 1.0), **settings)
