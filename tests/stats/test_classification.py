"""Measures of a classifier, by hand and against scikit-learn's own averages."""

import math

import numpy as np
import pytest
from sklearn import metrics

from robustnets.stats import classification, entries, reliability

LABELS = np.array([0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3], [0.4, 0.5, 0.1]]
)


def test_by_hand():
    c = classification(LABELS, PROBABILITIES)
    assert c.accuracy.estimate == 0.6
    assert c.error.estimate == 0.4
    assert (c.error.low, c.error.high) == pytest.approx((1 - c.accuracy.high, 1 - c.accuracy.low))
    assert c.accuracy.n == 5
    assert c.confidence == pytest.approx((0.7 + 0.6 + 0.8 + 0.5 + 0.5) / 5, abs=1e-12)
    # predicted 0 1 1 1 1: precision 1, 2/4 and 0 (never predicted); recall 1/2, 1, 0
    assert c.precision == pytest.approx((1 + 0.5 + 0) / 3, abs=1e-12)
    assert c.recall == pytest.approx((0.5 + 1 + 0) / 3, abs=1e-12)
    loss = -sum(math.log(p) for p in (0.7, 0.3, 0.8, 0.5, 0.1)) / 5
    assert c.log_loss == pytest.approx(loss, abs=1e-12)
    # pairs ranked rightly, ties half. Class 0: 0.7 beats 3 of 3, 0.3 beats 2: 5 of 6. Class 1:
    # 0.8 beats 3, 0.5 beats 1 and ties with 1, loses to 0.6: 4.5 of 6. Class 2: 0.1 beats
    # none of four, three ties: 1.5 of 4.
    assert c.auc == pytest.approx((5 / 6 + 4.5 / 6 + 1.5 / 4) / 3, abs=1e-12)


def test_auc_is_scikit_learns_macro_average():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 200).astype("float32")
    y = np.array([rng.choice(4, p=row / row.sum()) for row in p.astype(float)])
    c = classification(y, p)
    rows = p.astype(float) / p.astype(float).sum(axis=1, keepdims=True)
    theirs = metrics.roc_auc_score(y, rows, multi_class="ovr", average="macro")
    assert c.auc == pytest.approx(theirs, abs=1e-12)
    assert 0.6 < c.auc < 0.95


def test_classes_without_examples_do_not_count():
    """Of ten classes two occur: averages are over the two, and a single one has no AUC."""
    p = np.full((4, 10), 0.02)
    p[[0, 1, 2, 3], [3, 3, 7, 5]] = 0.82
    c = classification([3, 3, 7, 7], p)
    assert (c.precision, c.recall) == (1.0, 0.75)
    assert c.auc == pytest.approx((1 + 0.75) / 2, abs=1e-12)
    assert math.isnan(classification([3, 3], p[:2]).auc)


def test_a_certain_mistake_costs_a_finite_loss():
    c = classification([0], [[0.0, 1.0]])
    assert c.log_loss == pytest.approx(-math.log(np.finfo(float).eps), abs=1e-9)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [[3.0, -1.0], [0.5, 0.5]], "logits need a softmax first"),
        ([0, 1], [[0.9, 0.3], [0.5, 0.5]], "sums from 1 to 1.2"),
        ([0, 1], [[math.nan, 0.5], [0.5, 0.5]], "logits need a softmax"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "labels must be integers in 0..1"),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], "labels must be integers in 0..1"),
        ([0.0, 1.0], [[0.5, 0.5], [0.5, 0.5]], "labels must be integers"),
        ([0], [[0.5, 0.5], [0.5, 0.5]], r"got \(1,\) and \(2, 2\)"),
        ([], np.zeros((0, 2)), "N >= 1"),
        ([0], [[1.0]], "K >= 2"),
    ],
)
def test_refuses(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        classification(labels, probabilities)


def test_entries_by_hand():
    e = entries(LABELS, PROBABILITIES)
    # above 0.5: 0.7 (right), 0.6 (wrong), 0.8 (right); two examples decide nothing
    assert e.precision == pytest.approx(2 / 3, abs=1e-12)
    assert e.recall == pytest.approx(2 / 5, abs=1e-12)
    assert entries(LABELS, PROBABILITIES, 0.45).recall == pytest.approx(3 / 5, abs=1e-12)
    assert math.isnan(entries(LABELS, PROBABILITIES, 0.9).precision)
    with pytest.raises(ValueError, match=r"threshold must lie in \[0, 1\), got 1"):
        entries(LABELS, PROBABILITIES, 1)


def test_entries_are_what_keras_computes():
    import keras

    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(4, 0.4), 300)
    y = np.array([rng.choice(4, p=row) for row in p])
    one_hot = np.eye(4)[y]
    e = entries(y, p)
    for metric, ours, off in (
        (keras.metrics.Precision(), e.precision, 1e-6),
        (keras.metrics.Recall(), e.recall, 1e-6),
        (keras.metrics.AUC(num_thresholds=2000), e.auc, 2e-3),
    ):
        metric.update_state(one_hot, p)
        assert float(metric.result()) == pytest.approx(ours, abs=off)
    macro = classification(y, p)
    assert e.precision > macro.precision + 0.02
    assert e.recall < macro.recall - 0.02


def test_the_stored_prediction_counts_where_probabilities_tie():
    """Rows at a boundary, as float16 leaves them: argmax would say class 0 everywhere."""
    tied = np.tile([0.45, 0.45, 0.1], (4, 1))
    labels, predictions = [0, 0, 1, 1], [1, 1, 0, 0]
    by_argmax = classification(labels, tied)
    assert (by_argmax.accuracy.estimate, by_argmax.recall) == (0.5, 0.5)
    c = classification(labels, tied, predictions=predictions)
    assert (c.accuracy.estimate, c.error.estimate, c.recall, c.precision) == (0.0, 1.0, 0.0, 0.0)
    assert c.calibration_error == pytest.approx(0.45, abs=1e-12)
    # the confidence is that of the prediction, also where rounding put another one first
    rounded = classification([0], [[0.6, 0.4]], predictions=[1])
    assert rounded.confidence == pytest.approx(0.4, abs=1e-12)


def test_above_one_half_there_is_the_prediction_alone():
    """Of true 0.4999 and predicted 0.5001 rounding may make the reverse."""
    p = [[0.5001, 0.4999], [0.3, 0.7]]
    assert entries([0, 1], p).recall == 1.0
    e = entries([0, 1], p, predictions=[1, 1])
    assert (e.precision, e.recall) == (1.0, 0.5)
    assert entries([0, 1], p, 0.4, predictions=[1, 1]).recall == 1.0


@pytest.mark.parametrize("measure", [classification, entries, reliability])
@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([0], r"must be \(2,\), one class for each row, got \(1,\)"),
        ([0, 2], r"integers in 0..1, got \[0 2\]"),
        ([0.0, 1.0], "integers in 0..1"),
        ([-1, 0], "integers in 0..1"),
    ],
)
def test_predictions_that_do_not_fit(measure, predictions, message):
    with pytest.raises(ValueError, match=message):
        measure([0, 1], [[0.9, 0.1], [0.2, 0.8]], predictions=predictions)
