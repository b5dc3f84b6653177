"""Calibration: does a classifier that is 80 % sure prove right 80 % of the time?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


def check_probabilities(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, ...]:
    """Labels int64 (N,) and probabilities float64 (N, K) that belong together.

    Rows sum to 1 within 1e-4, as float32 leaves them.

    Raises:
        ValueError: naming what does not fit.

    Example:
        >>> check_probabilities([1], [[0.25, 0.75]])[1].tolist()
        [[0.25, 0.75]]
    """
    y, p = np.asarray(labels), np.asarray(probabilities, float)
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(y) or p.shape[1] < 2:
        raise ValueError(
            "need labels (N,) and probabilities (N, K), N >= 1 and K >= 2, "
            f"got {y.shape} and {p.shape}"
        )
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"labels must be integers in 0..{p.shape[1] - 1}, got {np.unique(y)}")
    sums = p.sum(axis=1)
    if not ((p >= 0).all() and np.allclose(sums, 1, rtol=0, atol=1e-4)):
        raise ValueError(
            "probabilities must be >= 0 and sum to 1 in each row; logits need a softmax first "
            f"(smallest value {p.min():g}, sums from {sums.min():g} to {sums.max():g})"
        )
    return y.astype(np.int64), p


def predicted_classes(predictions: ArrayLike | None, probabilities: np.ndarray) -> np.ndarray:
    """The predicted class of each example: int64 (N,).

    Probabilities that were stored with few digits tie near a boundary, and argmax then takes the
    lower number: whoever has the predicted classes passes them.

    Args:
        predictions: int (N,); None takes the class of highest probability.
        probabilities: float64 (N, K).

    Raises:
        ValueError: for predictions that do not fit.

    Example:
        >>> tied = np.array([[0.5, 0.5], [0.2, 0.8]])
        >>> predicted_classes([1, 1], tied).tolist(), predicted_classes(None, tied).tolist()
        ([1, 1], [0, 1])
    """
    if predictions is None:
        return probabilities.argmax(axis=1)
    found, (n, classes) = np.asarray(predictions), probabilities.shape
    if found.shape != (n,):
        raise ValueError(f"predictions must be ({n},), one class for each row, got {found.shape}")
    if not np.issubdtype(found.dtype, np.integer) or found.min() < 0 or found.max() >= classes:
        raise ValueError(
            f"predictions must be integers in 0..{classes - 1}, got {np.unique(found)}"
        )
    return found.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Accuracy as a function of confidence, in bins of equal width that hold examples.

    Args:
        confidence: float64 (B,), mean probability of the predicted class in each bin.
        accuracy: float64 (B,), share of right predictions in each bin.
        count: int64 (B,), examples in each bin.
        bins: how many bins the unit interval was cut into, B <= bins.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    bins: int

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap between accuracy and confidence, in [0, 1].

        Biased upwards where bins hold few examples: a perfectly calibrated classifier has an
        error above 0 in any finite sample.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.average(gaps, weights=self.count))


def reliability(
    labels: ArrayLike,
    probabilities: ArrayLike,
    bins: int = 15,
    predictions: ArrayLike | None = None,
) -> Reliability:
    """Reliability curve of the predicted class, and its expected calibration error.

    Args:
        labels: int (N,), true classes.
        probabilities: float (N, K), rows sum to 1.
        bins: of equal width over [0, 1], >= 1; an edge belongs to the bin below it.
        predictions: int (N,), see `predicted_classes`.

    Raises:
        ValueError: for shapes, labels, probabilities, predictions or bins that do not fit.

    Source: Guo et al. 2017, arXiv:1706.04599, sec. 2 (scikit-learn bins).

    Example:
        >>> r = reliability([0, 1, 1], [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]], bins=10)
        >>> r.count.tolist(), round(r.error, 3)
        ([3], 0.233)
    """
    from sklearn.calibration import calibration_curve

    if bins < 1:
        raise ValueError(f"bins must be >= 1, got {bins}")
    y, p = check_probabilities(labels, probabilities)
    predicted = predicted_classes(predictions, p)
    sure = p[np.arange(len(p)), predicted].clip(max=1.0)
    right = predicted == y
    # pos_label, for where all predictions are right or all are wrong
    accuracy, confidence = calibration_curve(right, sure, pos_label=True, n_bins=bins)
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    count = np.bincount(np.searchsorted(inner, sure), minlength=bins)
    return Reliability(confidence, accuracy, count[count > 0], bins)
