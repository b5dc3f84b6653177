"""Projections that keep to the box, against scipy's solvers."""

import numpy as np
import pytest
from keras import ops
from scipy import optimize

from robustnets.attacks import projections


def test_level_by_hand():
    mass = np.array([[1, 2, 3], [1, 1, 1], [1, 1, 1], [1, 0, 2]], np.float32)
    height = np.array([[3, 1, 2], [0, 1, 2], [0, 0, 0], [5, 9, 1]], np.float32)
    wanted = np.array([7, 9, 1, 3.5], np.float32)
    # 7 = 1 t + 2 + 3 t; more than there is; nothing to rise; 3.5 = t + 2
    found = ops.convert_to_numpy(projections.level(mass, height, wanted))
    np.testing.assert_allclose(found, [1.25, 2, 0, 1.5], rtol=0, atol=1e-6)
    assert ops.convert_to_numpy(projections.level(mass, height, -wanted)).tolist() == [0] * 4


def test_level_of_many_heights():
    """As many as an image has values, ties and zeros among them."""
    rng = np.random.default_rng(2)
    n, size = 6, 784
    height = rng.exponential(size=(n, size)).astype(np.float32)
    height[:, ::7], height[:, 1::7] = 0, 0.5
    mass = rng.exponential(size=(n, size)).astype(np.float32) ** 4
    mass[:, ::5] = 0
    whole = (mass * height).sum(axis=1)
    wanted = whole * np.array([1e-4, 0.01, 0.3, 0.7, 0.99, 0.9999], np.float32)
    found = ops.convert_to_numpy(projections.level(mass, height, wanted)).astype(float)
    reached = (mass.astype(float) * np.minimum(found[:, None], height)).sum(axis=1)
    np.testing.assert_allclose(reached, wanted, rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 2, 1), (28, 28, 1)])
@pytest.mark.parametrize("scale", [0.01, 0.2, 1.0])
def test_the_l1_ball_in_a_box_against_a_solver(scale, shape):
    n, low, high = 6, -1.0, 2.0
    rng = np.random.default_rng(1)  # its own, so that the order of tests does not matter
    x = rng.uniform(low, high, (n, *shape)).astype(np.float32)
    x[0, 0], x[1, 1] = low, high
    delta = (scale * rng.normal(size=x.shape)).astype(np.float32)
    eps = np.array([0, 0.01, 0.3, 0.5, 1, 50], np.float32)
    found = ops.convert_to_numpy(projections.l1_ball_in_box(x, delta, eps, low, high))
    assert (np.abs(found).reshape(n, -1).sum(axis=1) <= eps + 1e-6).all()
    assert (x + found).min() >= low - 1e-6
    assert (x + found).max() <= high + 1e-6
    for i in range(n):
        flat, wanted = x[i].reshape(-1).astype(float), delta[i].reshape(-1).astype(float)
        size, room = np.abs(wanted), np.where(wanted > 0, high - flat, flat - low)

        def kept(t, size=size, room=room):
            """What remains of each value when so much is taken off: the optimality conditions."""
            return np.clip(size - t, 0, room)

        t = 0.0
        if kept(0.0).sum() > eps[i]:
            over = lambda t, kept=kept, radius=eps[i]: kept(t).sum() - radius  # noqa: E731
            t = optimize.brentq(over, 0.0, size.max(), xtol=1e-14)
        np.testing.assert_allclose(found[i].reshape(-1), np.sign(wanted) * kept(t), atol=1e-5)


def test_the_l1_ball_leaves_what_is_inside_and_passes_nan():
    x = np.full((3, 4), 0.5, np.float32)
    delta = np.array([[0.1, -0.2, 0, 0.1], [9, 0, 0, 0], [np.nan, 0, 0, 0]], np.float32)
    found = ops.convert_to_numpy(
        projections.l1_ball_in_box(x, delta, np.array([1, 1, 1], np.float32), 0.0, 1.0)
    )
    np.testing.assert_array_equal(found[:2], [delta[0], [0.5, 0, 0, 0]])
    assert np.isnan(found[2]).any()


def hyperplanes(n=8, size=7, low=-1.0, high=2.0):
    """Points in a box with some values at its edges, normals and ways to go; the last two too far.

    The first normal has a zero, the second is tiny, the third is none.
    """
    rng = np.random.default_rng(0)
    x = rng.uniform(low, high, (n, size)).astype(np.float32)
    x[:, 0], x[::2, 1] = low, high
    w = rng.normal(size=(n, size)).astype(np.float32)
    w[0, 3] = 0
    room = np.where(w > 0, high - x, x - low)
    c = (np.array([0.1, -0.2, 0.3, 0.4, -0.5, 0, 1.5, 9.0]) * (np.abs(w) * room).sum(axis=1)) / 2
    # downwards there is another room
    down = np.where(w < 0, high - x, x - low)
    c[[1, 4]] = (np.array([-0.1, -0.25]) * (np.abs(w) * down).sum(axis=1)[[1, 4]]).astype(c.dtype)
    c[6] = 1.5 * (np.abs(w[6]) * room[6]).sum()
    scale = np.ones(n, np.float32)
    scale[1] = 1e-25
    w[2], c[2] = 0, 1.0
    return x, w * scale[:, None], c.astype(np.float32) * scale, low, high


def shortest(x, w, c, norm, low, high):
    """The length of the solver's answer."""
    bounds = [(low - v, high - v) for v in x]
    size, eye = len(x), np.eye(len(x))
    if norm == "l2":
        best = optimize.minimize(
            lambda d: np.sum(d**2),
            np.zeros(size),
            jac=lambda d: 2 * d,
            bounds=bounds,
            constraints={"type": "eq", "fun": lambda d: w @ d - c, "jac": lambda d: w},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        assert best.success
        return np.sqrt(best.fun)
    # variables: d, and bounds of its absolute values, one for all in linf
    cover = np.ones((size, 1)) if norm == "linf" else eye
    extra = cover.shape[1]
    best = optimize.linprog(
        np.r_[np.zeros(size), np.ones(extra)],
        A_ub=np.block([[eye, -cover], [-eye, -cover]]),
        b_ub=np.zeros(2 * size),
        A_eq=np.r_[w, np.zeros(extra)][None],
        b_eq=[c],
        bounds=bounds + [(0, None)] * extra,
    )
    assert best.success
    return best.fun


@pytest.mark.parametrize(("norm", "order"), [("linf", np.inf), ("l2", 2), ("l1", 1)])
def test_a_hyperplane_in_a_box_against_a_solver(norm, order):
    x, w, c, low, high = hyperplanes()
    columns = map(ops.convert_to_tensor, (x, w, c))
    found = ops.convert_to_numpy(projections.hyperplane_in_box(*columns, norm, low, high))
    assert (x + found).min() >= low - 1e-6
    assert (x + found).max() <= high + 1e-6
    for i in (0, 1, 3, 4, 5):
        scale = 1e25 if i == 1 else 1.0
        normal, wanted = scale * w[i].astype(float), scale * float(c[i])
        assert found[i].astype(float) @ normal == pytest.approx(wanted, abs=1e-5)
        best = shortest(x[i].astype(float), normal, wanted, norm, low, high)
        assert np.linalg.norm(found[i], order) == pytest.approx(best, abs=1e-4)
    assert not found[2].any()
    for i in (6, 7):  # as far as the box goes
        edge = np.where(w[i] > 0, high, low)
        np.testing.assert_allclose(x[i] + found[i], edge, rtol=0, atol=1e-6)


def test_a_hyperplane_passes_nan_and_refuses_other_norms():
    x = np.full((2, 3), 0.5, np.float32)
    w = np.array([[1, np.nan, 1], [1, 1, 1]], np.float32)
    for norm in ("linf", "l2", "l1"):
        found = projections.hyperplane_in_box(x, w, np.float32([1, 1]), norm, 0.0, 1.0)
        assert np.isnan(ops.convert_to_numpy(found)).any(axis=1).tolist() == [True, False]
    with pytest.raises(ValueError, match="got 'l0'"):
        projections.hyperplane_in_box(x, w, np.float32([1, 1]), "l0", 0.0, 1.0)
