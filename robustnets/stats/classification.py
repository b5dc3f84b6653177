"""What the reports state about a classifier: accuracy, confidence, precision, AUC, loss."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from robustnets.stats.calibration import check_probabilities, predicted_classes, reliability
from robustnets.stats.intervals import Interval, rate


@dataclass(frozen=True, slots=True)
class Classification:
    """Measures of a classifier on N examples of K classes.

    Averages over classes are macro: every class that has examples counts the same.

    Args:
        accuracy: share of right predictions, with its interval.
        error: share of wrong predictions, with its interval.
        confidence: mean probability of the predicted class.
        precision: macro; a class that is never predicted counts as 0.
        recall: macro.
        auc: area under the ROC curve, one class against the rest, macro; NaN where all
            examples are of one class.
        log_loss: mean cross entropy in nats; probabilities of 0 count as 2.2e-16.
        calibration_error: expected calibration error over 15 bins.
    """

    accuracy: Interval
    error: Interval
    confidence: float
    precision: float
    recall: float
    auc: float
    log_loss: float
    calibration_error: float


def classification(
    labels: ArrayLike,
    probabilities: ArrayLike,
    level: float = 0.95,
    predictions: ArrayLike | None = None,
) -> Classification:
    """Measure a classifier; scikit-learn does the arithmetic.

    Accuracy, error, confidence, precision and recall are those of the predicted class.
    Keras' metrics of these names count a class as predicted where its probability exceeds
    0.5, and are other numbers: see `entries`.

    Args:
        labels: int (N,), true classes.
        probabilities: float (N, K), rows sum to 1.
        level: coverage of the intervals, in (0, 1).
        predictions: int (N,), the predicted classes where they were stored, see
            `calibration.predicted_classes`; None takes those of highest probability.

    Raises:
        ValueError: for shapes, labels, probabilities or predictions that do not fit.

    Example:
        >>> c = classification([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        >>> round(c.accuracy.estimate, 3), c.precision, c.recall, c.auc
        (0.667, 0.75, 0.75, 1.0)
    """
    from sklearn import metrics

    y, p = check_probabilities(labels, probabilities)
    predicted = predicted_classes(predictions, p)
    present = np.unique(y)
    right, n = int((predicted == y).sum()), len(y)
    macro = {"labels": present, "average": "macro", "zero_division": 0.0}
    areas = [metrics.roc_auc_score(y == k, p[:, k]) for k in present if len(present) > 1]
    return Classification(
        accuracy=rate(right, n, level),
        error=rate(n - right, n, level),
        confidence=float(p[np.arange(n), predicted].mean()),
        precision=float(metrics.precision_score(y, predicted, **macro)),
        recall=float(metrics.recall_score(y, predicted, **macro)),
        auc=float(np.mean(areas)) if areas else float("nan"),
        # rows that sum to 1 in float32 do not in float64, which is a warning here; elsewhere
        # they stay as they are, since dividing would break ties
        log_loss=float(
            metrics.log_loss(y, p / p.sum(axis=1, keepdims=True), labels=np.arange(p.shape[1]))
        ),
        calibration_error=reliability(y, p, predictions=predicted).error,
    )


@dataclass(frozen=True, slots=True)
class Entries:
    """What Keras' Precision, Recall and AUC say of one-hot labels.

    They take the N x K entries for N * K decisions of their own, so that classes are not
    averaged but pooled, and an example without a probability above the threshold is no
    decision for any class.

    Args:
        precision: share of the entries above the threshold that are the true class; NaN where
            there are none.
        recall: share of the examples whose true class is above the threshold.
        auc: area under the ROC curve of all entries, exact, where Keras sums over 200
            thresholds.
    """

    precision: float
    recall: float
    auc: float


def entries(
    labels: ArrayLike,
    probabilities: ArrayLike,
    threshold: float = 0.5,
    predictions: ArrayLike | None = None,
) -> Entries:
    """Precision, recall and AUC over the entries of a one-hot matrix, as Keras has them.

    Args:
        labels: int (N,), true classes.
        probabilities: float (N, K), rows sum to 1.
        threshold: in [0, 1); an entry above it is a decision for its class.
        predictions: int (N,), the predicted classes where they were stored. From a threshold of
            0.5 on no other class can be above it, whatever rounding made of the probabilities.

    Raises:
        ValueError: for labels, probabilities, predictions or a threshold that do not fit.

    Example:
        >>> e = entries([0, 1, 1], [[0.9, 0.1], [0.5, 0.5], [0.6, 0.4]])
        >>> e.precision, round(e.recall, 3), round(e.auc, 3)
        (0.5, 0.333, 0.611)
    """
    from sklearn import metrics

    y, p = check_probabilities(labels, probabilities)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    own = np.arange(p.shape[1]) == y[:, None]
    decided = p > threshold
    if predictions is not None:
        predicted = np.arange(p.shape[1]) == predicted_classes(predictions, p)[:, None]
        decided &= predicted if threshold >= 0.5 else True
    right = int((decided & own).sum())
    return Entries(
        precision=right / int(decided.sum()) if decided.any() else float("nan"),
        recall=right / len(y),
        auc=float(metrics.roc_auc_score(own.ravel(), p.ravel())),
    )
