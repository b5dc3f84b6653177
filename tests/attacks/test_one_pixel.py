"""One Pixel and its exhaustive form: they find planted pixels and change no more than allowed."""

import numpy as np
import pytest
from asked import SHAPE, check_counts, check_rows_alone, hits, images, never
from asked import carry as attacked
from keras import ops

from robustnets import backend
from robustnets.attacks import balls
from robustnets.attacks.every_pixel import EveryPixel
from robustnets.attacks.one_pixel import OnePixel
from robustnets.core.threat import ThreatModel

SMALL = {"population": 20, "generations": 15, "block": 20}
every_form = pytest.mark.parametrize(
    ("attack", "settings"), [(OnePixel, SMALL), (EveryPixel, {"block": 16})]
)
eager_only = pytest.mark.skipif(
    backend.name() != "tensorflow", reason="JAX traces its loops in eager mode too"
)


def planted(*places):
    """Class 1 where these pixels, (row, column), are all bright in channel 0, dark in 1."""

    def logits(x):
        parts = [x[:, r, c, 0] - x[:, r, c, 1] for r, c in places]
        score = sum(ops.minimum(part, 0.6) for part in parts) - 0.55 * len(places)
        return ops.stack([ops.zeros_like(score), 10.0 * score], axis=1)

    return logits


@every_form
@pytest.mark.parametrize("targeted", [False, True])
def test_finds_a_planted_pixel(attack, settings, targeted):
    logits, x = planted((3, 1)), np.full((6, *SHAPE), 0.5, np.float32)
    spec = attack(ThreatModel("l0", 1), targeted=targeted, **settings)
    moved = attacked(spec, logits, x, np.full(6, int(targeted)))["x"]
    assert hits(logits, moved, 0).all()
    assert balls.pixels(x, moved).tolist() == [1] * 6
    assert (x != moved).any(axis=3)[:, 3, 1].all()


@every_form
def test_two_pixels_where_one_is_not_enough(attack, settings):
    logits, x = planted((3, 1), (0, 2)), np.full((6, *SHAPE), 0.5, np.float32)
    more = {"population": 60, "generations": 40} if attack is OnePixel else {}
    spec = attack(ThreatModel("l0", 2), **{**settings, "pixels": 2, **more})
    moved = attacked(spec, logits, x, np.zeros(6))["x"]
    assert hits(logits, moved, 0).mean() >= 0.8
    assert balls.pixels(x, moved).max() <= 2
    one = attacked(spec, logits, x, np.zeros(6), eps=np.ones(6))["x"]
    assert not hits(logits, one, 0).any()
    assert balls.pixels(x, one).max() == 1


@every_form
def test_eps_counts_pixels_of_each_example(attack, settings):
    x, eps = images(5), np.array([0, 0.9, 1, 2.5, 100])
    spec = attack(ThreatModel("l0", 0), **{**settings, "pixels": 3})
    moved = attacked(spec, never, x, np.zeros(5), eps=eps)["x"]
    assert moved[:2].tobytes() == x[:2].tobytes()
    assert (balls.pixels(x, moved) <= [0, 0, 1, 2, 3]).all()
    assert (balls.pixels(x, moved)[2:] > 0).all()
    assert 0 <= moved.min() <= moved.max() <= 1


@eager_only
@pytest.mark.parametrize("budget", [1, 2, 9, 21])
def test_no_query_over_budget_and_none_uncounted(budget):
    one = OnePixel(ThreatModel("l0", 1), population=5, block=1, budget=budget)
    assert check_counts(one, never) == budget
    every = EveryPixel(ThreatModel("l0", 1), block=1, budget=budget)
    assert check_counts(every, never) == budget


def test_costs_what_the_docstrings_say():
    x = images(3)
    one = OnePixel(ThreatModel("l0", 1), population=8, generations=3)
    assert attacked(one, never, x, np.zeros(3))["forward"].tolist() == [1 + 8 * 4] * 3
    every = EveryPixel(ThreatModel("l0", 1), levels=3, block=50)
    assert attacked(every, never, x, np.zeros(3))["forward"].tolist() == [1 + 12 * 9] * 3
    # two pixels, greedily: two rounds, unless the first one gains nothing
    every = EveryPixel(ThreatModel("l0", 2), levels=3, block=50)
    assert attacked(every, never, x, np.zeros(3))["forward"].tolist() == [1 + 2 * 12 * 9] * 3
    assert attacked(one, never, x, np.ones(3))["forward"].tolist() == [1] * 3


def test_the_exhaustive_form_misses_no_pixel_and_no_colour():
    """The score is linear, so the best candidate is known."""
    w = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)

    def logits(x):
        score = ops.sum(x * ops.convert_to_tensor(w), axis=(1, 2, 3))
        return ops.stack([score * 0, score - 100.0], axis=1)

    x = images(4)
    moved = attacked(EveryPixel(ThreatModel("l0", 1)), logits, x, np.zeros(4))["x"]
    gain = np.maximum(w * (1 - x), -w * x).sum(axis=3).max(axis=(1, 2))
    np.testing.assert_allclose(((moved - x) * w).sum(axis=(1, 2, 3)), gain, atol=1e-5)


@every_form
def test_each_example_on_its_own(attack, settings):
    check_rows_alone(attack(ThreatModel("l0", 1), **{**settings, "budget": 50}), never)


def test_any_box():
    x = images(3, low=-3.0, high=5.0)
    for attack, settings in ((OnePixel, SMALL), (EveryPixel, {})):
        spec = attack(ThreatModel("l0", 1, -3.0, 5.0), **settings)
        moved = attacked(spec, never, x, np.zeros(3))["x"]
        assert -3 <= moved.min() <= moved.max() <= 5


@pytest.mark.parametrize(
    ("attack", "settings", "message"),
    [
        (OnePixel, {"population": 3}, "population must be an int >= 4, got 3"),
        (OnePixel, {"weight": 0.0}, "weight must be finite and > 0"),
        (OnePixel, {"pixels": 0}, "pixels must be an int >= 1, got 0"),
        (EveryPixel, {"levels": 1}, "levels must be an int >= 2, got 1"),
    ],
)
def test_refuses_bad_settings(attack, settings, message):
    with pytest.raises(ValueError, match=message):
        attack(ThreatModel("l0", 1), **settings)
