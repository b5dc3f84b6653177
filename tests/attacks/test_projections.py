"""Projections that keep to the box, against scipy's solvers."""

import numpy as np
import pytest
from keras import ops
from scipy import optimize

from robustnets.attacks import projections

RNG = np.random.default_rng(0)


def test_level_by_hand():
    mass = np.array([[1, 2, 3], [1, 1, 1], [1, 1, 1], [1, 0, 2]], np.float32)
    height = np.array([[3, 1, 2], [0, 1, 2], [0, 0, 0], [5, 9, 1]], np.float32)
    wanted = np.array([7, 9, 1, 3.5], np.float32)
    # 7 = 1 t + 2 + 3 t; more than there is; nothing to rise; 3.5 = t + 2
    found = ops.convert_to_numpy(projections.level(mass, height, wanted))
    np.testing.assert_allclose(found, [1.25, 2, 0, 1.5], rtol=0, atol=1e-6)
    assert ops.convert_to_numpy(projections.level(mass, height, -wanted)).tolist() == [0] * 4


@pytest.mark.parametrize("scale", [0.01, 0.2, 1.0])
def test_the_l1_ball_in_a_box_against_a_solver(scale):
    n, shape, low, high = 6, (3, 2, 1), -1.0, 2.0
    x = RNG.uniform(low, high, (n, *shape)).astype(np.float32)
    x[0, 0], x[1, 1] = low, high
    delta = (scale * RNG.normal(size=x.shape)).astype(np.float32)
    eps = np.array([0, 0.01, 0.3, 0.5, 1, 50], np.float32)
    found = ops.convert_to_numpy(projections.l1_ball_in_box(x, delta, eps, low, high))
    assert (np.abs(found).reshape(n, -1).sum(axis=1) <= eps + 1e-6).all()
    assert (x + found).min() >= low - 1e-6
    assert (x + found).max() <= high + 1e-6
    for i in range(n):
        # the parts above and below zero, each >= 0
        flat, wanted = x[i].reshape(-1).astype(float), delta[i].reshape(-1).astype(float)
        bounds = [(0, high - v) for v in flat] + [(0, v - low) for v in flat]

        def away(parts, wanted=wanted):
            return 1e3 * np.sum((parts[:6] - parts[6:] - wanted) ** 2)

        best = optimize.minimize(
            away,
            np.zeros(12),
            bounds=bounds,
            constraints={"type": "ineq", "fun": lambda p, i=i: eps[i] - p.sum()},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 500},
        )
        distance = np.sum((found[i].reshape(-1) - wanted) ** 2)
        assert distance <= best.fun / 1e3 + 1e-5


def test_the_l1_ball_leaves_what_is_inside_and_passes_nan():
    x = np.full((3, 4), 0.5, np.float32)
    delta = np.array([[0.1, -0.2, 0, 0.1], [9, 0, 0, 0], [np.nan, 0, 0, 0]], np.float32)
    found = ops.convert_to_numpy(
        projections.l1_ball_in_box(x, delta, np.array([1, 1, 1], np.float32), 0.0, 1.0)
    )
    np.testing.assert_array_equal(found[:2], [delta[0], [0.5, 0, 0, 0]])
    assert np.isnan(found[2]).any()
