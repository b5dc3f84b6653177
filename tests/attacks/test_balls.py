"""Balls: the steepest step, projection, the box, distances."""

import numpy as np
import pytest
from keras import ops

from robustnets.attacks import balls
from robustnets.core.threat import ThreatModel

RNG = np.random.default_rng(0)
G = RNG.normal(size=(7, 5, 4, 3)).astype(np.float32)
ORDERS = {"linf": np.inf, "l2": 2}


def lengths(value, order):
    flat = np.asarray(ops.convert_to_numpy(value), np.float64)
    return np.linalg.norm(flat.reshape(len(flat), -1), ord=order, axis=1)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-6, 1.0, 1e6, 1e30])
@pytest.mark.parametrize("norm", ORDERS)
def test_steepest_has_length_one_however_small_the_gradient(norm, scale):
    gradient = (G * scale).astype(np.float32)
    step = ops.convert_to_numpy(balls.steepest(ops.convert_to_tensor(gradient), norm))
    np.testing.assert_allclose(lengths(step, ORDERS[norm]), 1, atol=1e-6)
    expected = np.sign(G) if norm == "linf" else G / lengths(G, 2)[:, None, None, None]
    np.testing.assert_allclose(step, expected, atol=1e-6)


@pytest.mark.parametrize("norm", ORDERS)
def test_steepest_of_zero_is_zero_and_of_nan_is_nan(norm):
    gradient = G.copy()
    gradient[2] = 0
    gradient[4] = np.nan
    step = ops.convert_to_numpy(balls.steepest(ops.convert_to_tensor(gradient), norm))
    assert (step[2] == 0).all()
    assert np.isnan(step[4]).all()
    assert np.isfinite(np.delete(step, 4, axis=0)).all()


@pytest.mark.parametrize("norm", ORDERS)
def test_project_inside_on_and_outside_with_a_radius_per_example(norm):
    eps = np.array([0, 0.01, 0.5, 1, 5, 100, 1e-30], np.float32)
    once = balls.project(ops.convert_to_tensor(G), norm, ops.convert_to_tensor(eps))
    assert (lengths(once, ORDERS[norm]) <= eps + 1e-6).all()
    values = ops.convert_to_numpy(once)
    assert (values[0] == 0).all()
    np.testing.assert_array_equal(values[5], G[5])
    twice = balls.project(once, norm, ops.convert_to_tensor(eps))
    np.testing.assert_allclose(ops.convert_to_numpy(twice), values, atol=1e-6)


def test_project_l1_against_the_sorted_sums():
    """Duchi et al. 2008, figure 1, in float64; also sizes that are equal, and zero radii."""
    delta = np.concatenate([G, np.ones_like(G[:1]), 0 * G[:1], 1e-20 * G[:1]])
    eps = np.float32([0.0, 0.1, 1, 10, 1e3, 5, 2, 3, 1, 1e-20])
    found = ops.convert_to_numpy(balls.project(ops.convert_to_tensor(delta), "l1", eps))
    for row, radius, got in zip(delta.astype(float), eps.astype(float), found):
        size = np.sort(np.abs(row).ravel())[::-1]
        over = (size.cumsum() - radius) / np.arange(1, size.size + 1)
        taken = over[np.flatnonzero(size > over)[-1]] if (size > over).any() else size[0]
        want = np.sign(row) * np.maximum(np.abs(row) - max(taken, 0), 0)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6 * max(1, size[0]))
    np.testing.assert_array_equal(found[[4, 8]], delta[[4, 8]])  # inside already
    assert np.isnan(ops.convert_to_numpy(balls.project(np.nan * G, "l1", eps[:7]))).all()


def test_project_l2_keeps_the_direction_of_tiny_and_zero_rows():
    delta = np.stack([np.zeros_like(G[0]), G[1] * 1e-25]).astype(np.float32)
    eps = np.array([0, 1e-26], np.float32)
    got = ops.convert_to_numpy(balls.project(delta, "l2", eps))
    assert (got[0] == 0).all()
    np.testing.assert_allclose(got[1] / np.float64(1e-26), G[1] / lengths(G, 2)[1], atol=1e-5)


@pytest.mark.parametrize(
    "function", [balls.steepest, lambda g, n: balls.project(g, n, G[:, 0, 0, 0])]
)
def test_unknown_norms_are_refused(function):
    with pytest.raises(ValueError, match="'l0'"):
        function(G, "l0")


def test_move_stays_in_the_box_passes_nan_and_keeps_bits():
    x = np.array([[-0.0, 0.5, 0.25]], np.float32)
    moved = ops.convert_to_numpy(balls.move(x, np.zeros_like(x), 0.0, 1.0))
    assert moved.tobytes() == x.tobytes()
    delta = np.array([[-1, np.nan, 2]], np.float32)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(balls.move(x, delta, 0.0, 1.0)), [[0, np.nan, 1]]
    )


def test_distances_of_known_moves_over_several_blocks():
    x = np.zeros((1003, 3, 2), np.float32)
    moved = x.copy()
    moved[1002, 0] = [3, -4]
    got = balls.distances(x, moved)
    assert [got[n][1002] for n in ("linf", "l2", "l1", "l0")] == [4, 5, 7, 2]
    assert all((values[:1002] == 0).all() and values.shape == (1003,) for values in got.values())
    with pytest.raises(ValueError, match="one shape"):
        balls.distances(x, moved[:5])


def test_a_threat_model_of_another_box_is_used():
    threat = ThreatModel("linf", 1.0, low=-1, high=2)
    moved = balls.move(np.zeros((2, 3), np.float32), np.full((2, 3), -9.0, np.float32), -1, 2)
    assert ops.convert_to_numpy(moved).min() == threat.low


def test_a_pixel_counts_once_however_many_channels_changed():
    x = np.zeros((3, 4, 5, 2), np.float32)
    moved = x.copy()
    moved[1, 2, 3] = 1
    moved[2, 0, 0, 1] = moved[2, 3, 4] = 1e-30
    assert balls.pixels(x, moved).tolist() == [0, 1, 2]
    assert balls.distances(x, moved)["l0"].tolist() == [0, 2, 3]
    with pytest.raises(ValueError, match="one shape"):
        balls.pixels(x, moved[1:])
