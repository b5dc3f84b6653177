"""FAB: closed forms, the box, targets, restarts, counts, a comparison with DeepFool."""

import numpy as np
import pytest
from art_peer import right_digits
from asked import carry, check_rows_alone, images, linear
from test_projections import shortest

from robustnets import engines
from robustnets.attacks import APGD, FAB, DeepFool, balls
from robustnets.core.threat import ThreatModel

FAR = 1e9  # a radius that cuts nothing
W = np.random.default_rng(1).normal(size=24)
each_norm = pytest.mark.parametrize("norm", ["linf", "l2", "l1"])


@each_norm
@pytest.mark.parametrize("targets", [None, 9])
def test_reaches_the_nearest_boundary_of_an_affine_model(norm, targets, affine, nearest):
    classifier, kernel, bias = affine()
    x = np.random.default_rng(3).uniform(-1, 1, (7, 5, 4, 3)).astype(np.float32)
    y = classifier.predict(x).argmax(axis=1)
    attack = FAB(ThreatModel(norm, FAR, -50.0, 50.0), steps=10, targets=targets)
    found = engines.run(attack, classifier, x, y)
    assert found.success.all()
    distance, best = balls.distances(x, found.x)[norm], nearest(x, y, kernel, bias, norm)
    assert (distance > best - 1e-5).all()
    assert (distance < 1.01 * best + 1e-5).all()
    # already wrong?, the start; two looks a step, with five classes to leave for
    runs = 1 if targets is None else 5
    assert found.forward.tolist() == [2 + 20 * runs] * 7
    assert found.backward.tolist() == [50] * 7


@each_norm
def test_the_nearest_point_of_a_half_space_in_the_box(norm):
    x, offset = images(6, seed=4), -0.5 * W.sum() - 2.0
    x[x < 0.3], x[x > 0.8] = 0.0, 1.0
    x = x[[W @ v.reshape(-1) + offset < 0 for v in x]]
    found = carry(FAB(ThreatModel(norm, FAR), steps=20), linear(W, offset), x, np.zeros(len(x)))
    moved = balls.distances(x, found["x"])[norm]
    assert len(x) >= 4
    for image, distance in zip(x, moved):
        flat = image.reshape(-1).astype(float)
        best = shortest(flat, W, -offset - W @ flat, norm, 0.0, 1.0)
        assert best - 1e-5 <= distance <= 1.01 * best + 1e-4


@pytest.mark.parametrize("norm", ["linf", "l2"])  # steps along one axis miss so small a ball
def test_finds_a_planted_region(norm, planted):
    classifier, x, y, distance = planted
    found = engines.run(FAB(ThreatModel(norm, FAR), steps=30), classifier, x, y)
    assert found.success.all()
    if norm == "l2":
        moved = balls.distances(x, found.x)["l2"]
        assert (moved >= distance - 1e-4).all()
        assert (moved <= 1.05 * distance).all()


@each_norm
def test_no_farther_than_deepfool(norm, trained_classifier, digits):
    x, y = right_digits(trained_classifier, digits, 100)
    ours = engines.run(FAB(ThreatModel(norm, FAR), steps=20), trained_classifier, x, y)
    assert ours.success.all()
    distance = balls.distances(x, ours.x)[norm]
    if norm != "l1":
        theirs = engines.run(DeepFool(ThreatModel(norm, FAR)), trained_classifier, x, y)
        other = balls.distances(x, theirs.x)[norm]
        print(f"FAB {norm}: median {np.median(distance):.4f}, DeepFool {np.median(other):.4f}")
        assert (distance <= 1.02 * other + 1e-4).mean() > 0.95
        assert np.median(distance) <= np.median(other)
    # at the median radius, what gradient steps inside the ball find
    eps = float(np.median(distance))
    inside = engines.run(APGD(ThreatModel(norm, eps), steps=20), trained_classifier, x, y)
    print(f"FAB {norm}: {(distance <= eps).mean():.3f}, APGD {inside.success.mean():.3f}")
    assert (distance <= eps).mean() >= inside.success.mean() - 0.05


@each_norm
def test_targets_are_as_near_and_restarts_no_farther(norm, trained_classifier, digits):
    x, y = right_digits(trained_classifier, digits, 30)
    threat = ThreatModel(norm, FAR)
    specs = (FAB(threat, steps=10), FAB(threat, steps=10, restarts=3))
    specs += (FAB(threat, steps=10, targets=9),)
    once, thrice, aimed = (engines.run(spec, trained_classifier, x, y) for spec in specs)
    one, three, nine = (balls.distances(x, f.x)[norm] for f in (once, thrice, aimed))
    assert (three <= one + 1e-6).all()
    assert (three < one - 1e-6).any()
    assert np.median(nine) <= 1.02 * np.median(one)
    assert set(thrice.forward) == {2 + 2 * 30}
    assert set(aimed.forward) == {2 + 2 * 90}
    assert set(aimed.backward) == {90}


@each_norm
def test_each_example_on_its_own_and_in_the_box(norm):
    spec = FAB(ThreatModel(norm, FAR), steps=4, restarts=2)
    found = check_rows_alone(spec, linear(W, -1.0))
    assert 0 <= found["x"].min() <= found["x"].max() <= 1


def test_what_is_a_success_already_comes_back_and_costs_one_pass():
    x = images(3)
    found = carry(FAB(ThreatModel("l2", FAR), steps=5), linear(W, 100.0), x, np.zeros(3))
    assert found["x"].tobytes() == x.tobytes()
    assert found["forward"].tolist() == [1] * 3


def test_nothing_found_gives_back_x():
    x = images(3)
    found = carry(FAB(ThreatModel("l2", FAR), steps=5), linear(W, -1000.0), x, np.zeros(3))
    assert found["x"].tobytes() == x.tobytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be an int >= 1, got 0"),
        ({"restarts": 0}, "restarts must be an int >= 1, got 0"),
        ({"targets": 0}, "targets must be an int >= 1, got 0"),
        ({"alpha_max": 1.5}, "alpha_max must be in 0..1, got 1.5"),
        ({"beta": -0.1}, "beta must be in 0..1, got -0.1"),
        ({"eta": 0.9}, "eta must be finite and >= 1, got 0.9"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        FAB(ThreatModel("l2", 1.0), **settings)
