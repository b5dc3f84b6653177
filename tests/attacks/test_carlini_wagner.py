"""Carlini and Wagner's l2 attack: closed form, confidence, the search for c, peers."""

import numpy as np
import pytest
from keras import ops

from robustnets import engines
from robustnets.attacks import balls
from robustnets.attacks.carlini_wagner import CarliniWagner, begin_search, next_round
from robustnets.core.threat import ThreatModel

FAR = ThreatModel("l2", 1e9)  # cuts nothing
CLOSE = 1.05  # of the closed form, after 5 rounds of 100 steps; only one c in that factor of 2


def predicted(classifier, x):
    return classifier.predict(x).argmax(axis=1)


@pytest.mark.parametrize("targeted", [False, True])
def test_comes_close_to_the_nearest_boundary_of_an_affine_model(targeted, affine, nearest):
    classifier, kernel, bias = affine(classes=3)
    x = np.random.default_rng(3).uniform(0.4, 0.6, (7, 5, 4, 3)).astype(np.float32)
    y = predicted(classifier, x)
    goal = (y + 1) % 3 if targeted else y
    attack = CarliniWagner(FAR, steps=100, rounds=5, first=0.1, targeted=targeted)
    found = engines.run(attack, classifier, x, goal)
    assert found.success.all()
    assert (predicted(classifier, found.x) == goal).all() == targeted
    expected = nearest(x, y, kernel, bias, "l2", goal if targeted else None)
    ratio = balls.distances(x, found.x)["l2"] / expected
    # towards a target, a third class can be in the way
    assert ratio.min() > 1 - 1e-3
    assert np.median(ratio) < CLOSE
    assert 0 <= found.x.min() <= found.x.max() <= 1
    assert (found.backward <= 5 * 100).all()
    assert (found.forward == found.backward + 1).all()


def test_confidence_is_a_lead_in_logits(affine):
    classifier, *_ = affine(classes=3)
    x = np.random.default_rng(3).uniform(0.4, 0.6, (5, 5, 4, 3)).astype(np.float32)
    y = predicted(classifier, x)
    attack = CarliniWagner(FAR, steps=60, rounds=3, first=1.0, confidence=2.0)
    found = engines.run(attack, classifier, x, y)
    assert found.success.all()
    z = np.sort(np.where(np.eye(3, dtype=bool)[y], -np.inf, classifier.predict(found.x)), axis=1)
    lead = z[:, -1] - classifier.predict(found.x)[np.arange(5), y]
    assert (lead >= 2.0 - 1e-3).all()


def test_what_it_calls_a_success_is_one_and_the_rest_is_x(trained_classifier, digits):
    x, y = digits[0][1500:1513], digits[1][1500:1513]
    attack = CarliniWagner(FAR, steps=10, rounds=1, first=1e-3)
    found = engines.run(attack, trained_classifier, x, y)
    assert not found.success.all()
    moved = (found.x != x).any(axis=(1, 2, 3))
    hit = predicted(trained_classifier, found.x) != y
    assert (found.success == hit).all()
    assert not moved[~hit].any()


def test_examples_do_not_see_each_other(trained_classifier, digits):
    x, y = digits[0][1500:1507], digits[1][1500:1507]
    attack = CarliniWagner(FAR, steps=30, rounds=3, first=1.0, rate=0.1, abort_early=True)
    whole = engines.run(attack, trained_classifier, x, y)
    assert whole.success.all()
    assert len(set(whole.backward)) > 1  # they end at different times
    alone = [
        engines.run(attack, trained_classifier, x[i : i + 1], y[i : i + 1], batch_size=1).x[0]
        for i in range(3)
    ]
    # Adam divides by the size of small gradients, which enlarges roundings
    np.testing.assert_allclose(alone, whole.x[:3], rtol=0, atol=5e-3)


def test_finds_a_planted_region(planted):
    classifier, x, y, distance = planted
    attack = CarliniWagner(FAR, steps=150, rounds=4, first=1.0, rate=0.03)
    found = engines.run(attack, classifier, x, y)
    assert found.success.all()
    moved = balls.distances(x, found.x)["l2"]
    assert (moved >= distance - 1e-4).all()
    assert (moved <= 1.3 * distance).all()


def test_the_search_grows_by_ten_and_then_halves():
    y = ops.convert_to_tensor(np.zeros(2, np.int32))
    state = begin_search(ops.zeros((2, 3)), y, 0.01)
    always = ops.ones_like(y, dtype="bool")
    tried = [ops.convert_to_numpy(state["c"])]
    for won in ([False, True], [False, False], [True, True], [False, True]):
        state = next_round(state, always, ops.convert_to_tensor(np.array(won)))
        tried.append(ops.convert_to_numpy(state["c"]))
    expected = [[0.01, 0.01], [0.1, 0.005], [1, 0.0075], [0.55, 0.00625], [0.775, 0.005625]]
    np.testing.assert_allclose(tried, expected, rtol=0, atol=1e-6)
    assert ops.convert_to_numpy(state["round"]).tolist() == [4, 4]


@pytest.mark.parametrize(
    "setting",
    [
        {"steps": 0},
        {"rounds": 0},
        {"rate": 0.0},
        {"first": 0.0},
        {"confidence": -1.0},
        {"abort_early": 1},
        {"inside": 0.0},
    ],
)
def test_refuses_bad_settings(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        CarliniWagner(FAR, **setting)
