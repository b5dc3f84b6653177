"""The nearest examples known, and the curve that follows from them."""

import numpy as np
import pytest

from robustnets.attacks import BIM
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.curve import Nearest, drawn_back, refine
from robustnets.evaluation.outcome import ROBUST, WRONG, Part, WorstCase
from robustnets.evaluation.worst_case import worst_case

THREAT = ThreatModel("linf", 0.2)


@pytest.fixture(scope="module")
def line(linear_classifier):
    """Examples of a linear model and the exact linf distance to its boundary."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.4, 0.6, (23, 5, 4, 3)).astype(np.float32)
    kernel, _ = linear_classifier.model.layers[-1].get_weights()
    w = kernel[:, 1]
    score = x.reshape(len(x), -1) @ w
    return x, (score > 0).astype(np.int64), np.abs(score) / np.abs(w).sum()


def test_what_is_known_of_a_result():
    clean = np.zeros((4, 2, 3, 1), np.float32)
    x = clean + np.array([0.1, 0.2 + 5e-7, 0.3, 0.0], np.float32)[:, None, None, None]
    broken = np.array([0, 0, ROBUST, WRONG], np.int32)
    zero = np.zeros(4, np.int64)
    found = WorstCase(x, zero, broken, zero, zero, (Part("a"),), clean)
    known = Nearest.of(found, THREAT)
    assert known.distance.tolist() == [pytest.approx(0.1), 0.2, np.inf, 0]
    assert known.robust(0.2).tolist() == [False, False, True, False]
    assert known.robust(0.15).tolist() == [False, True, True, False]


def test_drawn_back_to_the_boundary_of_a_linear_model(linear_classifier, line):
    x, y, exact = line

    def wrong(images, rows):
        return linear_classifier.predict(images).argmax(axis=1) != y[rows]

    far = worst_case([BIM(THREAT, steps=10)], linear_classifier, x, y)
    assert (far.broken_by == 0).all()
    near = drawn_back(Nearest.of(far, THREAT), x, "linf", wrong)
    assert wrong(near.x, np.arange(len(x))).all()
    # eight halvings of 0.2
    np.testing.assert_allclose(near.distance, exact, rtol=0, atol=0.2 / 2**8 + 1e-5)
    assert (near.distance >= exact - 1e-6).all()


def test_the_curve_is_that_of_the_closed_form_and_never_rises(linear_classifier, line):
    x, y, exact = line
    start = Nearest(x.copy(), np.full(len(x), np.inf))

    def attack_all(attack, rows, seed):
        return worst_case([attack], linear_classifier, x[rows], y[rows], seed=seed)

    # the radius of the evaluation itself is left to the suite: choose it beyond all distances
    threat = ThreatModel("linf", 0.4)
    shares = np.quantile(exact, [0.2, 0.5, 0.8]) / threat.eps
    nearest, curve = refine(
        start, x, threat, [*shares, 1.0], lambda t: BIM(t, steps=20), attack_all, seed=0
    )
    assert curve.epsilons[0] == 0
    assert (np.diff(curve.robust.astype(int), axis=0) <= 0).all()
    for eps, row in zip(curve.epsilons[:-1], curve.robust):
        sure = np.abs(exact - eps) > 1e-3
        assert (row == (exact > eps))[sure].all()
    assert np.isinf(nearest.distance).sum() == (exact > curve.epsilons[-2]).sum()


def test_no_time_leaves_everything_as_it_was(line):
    x, _, _ = line
    start = Nearest(x, np.full(len(x), np.inf))
    after, curve = refine(start, x, THREAT, [0.5, 1.0], lambda t: BIM(t), lambda *_: None, seed=0)
    assert np.isinf(after.distance).all()
    assert curve.robust.all()
