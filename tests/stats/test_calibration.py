"""Reliability and expected calibration error."""

import numpy as np
import pytest

from robustnets.stats import classification, reliability


def two_classes(sure, right):
    """Predictions of class 0 with these confidences, right or wrong."""
    sure = np.array(sure)
    return np.where(right, 0, 1), np.stack([sure, 1 - sure], axis=1)


def test_by_hand():
    y, p = two_classes([0.55, 0.6, 0.75, 0.95, 0.95, 0.95], [1, 0, 1, 1, 1, 0])
    r = reliability(y, p, bins=10)
    assert r.count.tolist() == [2, 1, 3]
    np.testing.assert_allclose(r.confidence, [0.575, 0.75, 0.95], rtol=0, atol=1e-12)
    np.testing.assert_allclose(r.accuracy, [0.5, 1, 2 / 3], rtol=0, atol=1e-12)
    expected = (2 * 0.075 + 1 * 0.25 + 3 * (0.95 - 2 / 3)) / 6
    assert r.error == pytest.approx(expected, abs=1e-12)


def test_an_edge_belongs_to_the_bin_below_it():
    r = reliability(*two_classes([0.75, 0.75, 0.8], [1, 1, 0]), bins=4)
    assert r.count.tolist() == [2, 1]
    assert r.accuracy.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("right", "error"), [(1, 0.0), (0, 1.0)])
def test_all_right_and_all_wrong(right, error):
    r = reliability(*two_classes([1.0, 1.0, 1.0], [right] * 3))
    assert r.error == pytest.approx(error, abs=1e-12)
    assert (r.count.tolist(), r.bins) == ([3], 15)


def test_calibrated_and_overconfident():
    """Labels drawn from the probabilities; squared and normalised ones claim too much."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 20_000)
    y = (rng.random((20_000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    honest = classification(y, p).calibration_error
    assert honest < 0.012  # the noise of 15 bins of some 1300 examples
    sharp = p**2 / (p**2).sum(axis=1, keepdims=True)
    gap = sharp.max(axis=1).mean() - (sharp.argmax(axis=1) == y).mean()
    assert gap > 0.05
    # too sure in every bin, so that the mean gap is the gap of the means
    assert reliability(y, sharp).error == pytest.approx(gap, abs=0.005)


def test_float32_rows_are_accepted():
    p = np.random.default_rng(0).dirichlet(np.ones(10), 50).astype("float32")
    assert reliability(np.zeros(50, int), p).count.sum() == 50


def test_refuses_bins():
    with pytest.raises(ValueError, match="bins must be >= 1, got 0"):
        reliability([0], [[1.0, 0.0]], bins=0)
