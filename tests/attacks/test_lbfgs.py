"""L-BFGS: closed form, the recursion, the box, no farther than SciPy."""

import numpy as np
import pytest
from keras import ops
from tiny_models import convolving

from robustnets import engines
from robustnets.attacks import balls, lbfgs
from robustnets.attacks.carlini_wagner import begin_search, next_round
from robustnets.attacks.lbfgs import LBFGS
from robustnets.core.threat import ThreatModel
from robustnets.engines import pool

FAR = ThreatModel("l2", 1e9)  # cuts nothing


def predicted(classifier, x):
    return classifier.predict(x).argmax(axis=1)


@pytest.mark.parametrize("targeted", [False, True])
def test_comes_close_to_the_boundary_of_a_linear_model(targeted, affine, nearest):
    """Two classes, so that the boundary is one plane; within the last interval of c, 2 %."""
    classifier, kernel, bias = affine(classes=2)
    x = np.random.default_rng(3).uniform(0.4, 0.6, (7, 5, 4, 3)).astype(np.float32)
    y = predicted(classifier, x)
    found = engines.run(LBFGS(FAR, targeted=targeted), classifier, x, 1 - y if targeted else y)
    assert found.success.all()
    ratio = balls.distances(x, found.x)["l2"] / nearest(x, y, kernel, bias, "l2")
    assert ratio.min() > 1 - 1e-4
    assert ratio.max() < 1.03
    assert (found.forward == found.backward + 1).all()


def test_several_classes_and_the_edges_of_the_box(affine, nearest):
    classifier, kernel, bias = affine(classes=4)
    x = np.random.default_rng(4).uniform(0, 1, (7, 5, 4, 3)).astype(np.float32)
    x[x < 0.2], x[x > 0.9] = 0.0, 1.0
    y = predicted(classifier, x)
    found = engines.run(LBFGS(FAR), classifier, x, y)
    assert found.success.all()
    assert 0 <= found.x.min() <= found.x.max() <= 1
    assert (balls.distances(x, found.x)["l2"] >= nearest(x, y, kernel, bias, "l2") - 1e-4).all()


def test_scales_with_the_box(affine):
    small, *_ = affine()
    large, *_ = affine(scale=255.0)
    x = np.random.default_rng(5).uniform(0, 1, (5, 5, 4, 3)).astype(np.float32)
    y = predicted(small, x)
    one = engines.run(LBFGS(FAR, rounds=5), small, x, y)
    other = engines.run(LBFGS(ThreatModel("l2", 1e9, 0.0, 255.0), rounds=5), large, x * 255, y)
    assert one.success.all()
    assert other.success.all()
    np.testing.assert_allclose(other.x / 255, one.x, rtol=0, atol=2e-2)


def test_what_it_calls_a_success_is_one_and_the_rest_is_x(trained_classifier, digits):
    x, y = digits[0][1500:1513], digits[1][1500:1513]
    found = engines.run(LBFGS(FAR, steps=10, rounds=1, first=1e-3), trained_classifier, x, y)
    assert not found.success.all()
    hit = predicted(trained_classifier, found.x) != y
    assert (found.success == hit).all()
    assert not (found.x != x).any(axis=(1, 2, 3))[~hit].any()


@pytest.mark.parametrize("convolves", [False, True])
def test_an_example_gets_the_same_bits_whatever_its_batch(
    convolves, trained_classifier, digits, monkeypatch
):
    """A last bit decides when a search ends: results were up to 0.1 apart."""
    monkeypatch.setattr(pool, "TRACE", 0.0)  # other attacks' batches shrink as soon as they can
    classifier = convolving(trained_classifier) if convolves else trained_classifier
    x, y = digits[0][1500:1540], digits[1][1500:1540]
    attack = LBFGS(FAR, rounds=4, first=1.0)
    whole = engines.run(attack, classifier, x, y)
    assert whole.success.all()
    assert len(set(whole.backward)) > 1  # they end at different times
    for size in (3, 7, 40):
        part = engines.run(attack, classifier, x, y, batch_size=size)
        assert part.x.tobytes() == whole.x.tobytes()
        assert part.backward.tolist() == whole.backward.tolist()
    for i in (0, 1, 39):
        row = slice(i, i + 1)
        alone = engines.run(attack, classifier, x[row], y[row], batch_size=1)
        assert alone.x.tobytes() == whole.x[row].tobytes()


def test_finds_a_planted_region(planted):
    classifier, x, y, distance = planted
    found = engines.run(LBFGS(FAR), classifier, x, y)
    assert found.success.all()
    moved = balls.distances(x, found.x)["l2"]
    assert (moved >= distance - 1e-4).all()
    assert (moved <= 1.1 * distance).all()


def test_the_recursion_is_the_bfgs_inverse():
    """Against the matrix form, Nocedal & Wright eq. 6.17, on float64 arrays."""
    rng = np.random.default_rng(7)
    n, m, d = 3, 4, 6
    root = rng.normal(size=(n, d, d))
    hessian = root @ root.transpose(0, 2, 1) + np.eye(d)
    moves = rng.normal(size=(n, m, d))
    bends = np.einsum("nij,nmj->nmi", hessian, moves)
    curvature = 1 / (moves * bends).sum(axis=2)
    curvature[1, :2] = 0  # two pairs that are not there
    scale, slope = rng.uniform(0.5, 2, n), rng.normal(size=(n, d))
    expected = np.empty((n, d))
    for i in range(n):
        inverse = scale[i] * np.eye(d)
        for s, y, rho in zip(moves[i], bends[i], curvature[i]):
            left = np.eye(d) - rho * np.outer(s, y)
            inverse = left @ inverse @ left.T + rho * np.outer(s, s)
        expected[i] = -inverse @ slope[i]
    arrays = (slope, moves, bends, curvature, scale)
    way = lbfgs._recursion(*(ops.convert_to_tensor(a.astype(np.float32)) for a in arrays))
    np.testing.assert_allclose(ops.convert_to_numpy(way), expected, rtol=0, atol=1e-3)


def test_the_search_halves_the_logarithm():
    y = ops.convert_to_tensor(np.zeros(2, np.int32))
    state = begin_search(ops.zeros((2, 3)), y, 0.01)
    tried = []
    for won in ([False, True], [True, False], [False, True]):
        won = ops.convert_to_tensor(np.array(won))
        state = next_round(state, ops.ones_like(won), won, even=True)
        tried.append(ops.convert_to_numpy(state["c"]))
    expected = [
        [0.1, 0.001],
        [0.01 * 10**0.5, 0.001 * 10**0.5],
        [0.01 * 10**0.75, 0.001 * 10**0.25],
    ]
    np.testing.assert_allclose(tried, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("setting", [{"steps": 0}, {"rounds": 0}, {"first": -1.0}, {"history": 0}])
def test_refuses_bad_settings(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        LBFGS(FAR, **setting)
