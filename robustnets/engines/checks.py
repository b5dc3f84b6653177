"""What can be wrong with the arguments of an engine, and with a model's answers."""

import math
from typing import Any

import numpy as np

from robustnets.models.classifier import Classifier


def check(
    attack: Any,
    classifier: Classifier,
    x: Any,
    y: Any,
    seed: Any,
    batch_size: Any,
    time_budget: float | None = None,
    query_budget: Any = None,
) -> None:
    """Check what `engines.run` is given; arguments as there.

    Raises:
        ValueError: naming the first that is wrong, its value, and the remedy.
    """
    check_examples(classifier, x, y, attack.threat.low, attack.threat.high)
    if seed is None:
        raise ValueError("seed must be an int >= 0, got None")
    _check_count("seed", seed, 0)
    _check_count("batch_size", batch_size, 1)
    check_budgets(time_budget, query_budget)


def _check_count(name: str, value: Any, least: int) -> None:
    """Raise ValueError unless a value is None or an int of at least so many."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an int >= {least}, got {value!r}")


def check_budgets(time_budget: Any, query_budget: Any) -> None:
    """Check the budgets of an attack, or of several; None is no limit.

    Raises:
        ValueError: unless they are finite and > 0, queries an int >= 2.
    """
    _check_count("query_budget", query_budget, 2)
    if time_budget is not None and not (math.isfinite(time_budget) and time_budget > 0):
        raise ValueError(f"time_budget must be seconds > 0, got {time_budget}")


def check_examples(
    classifier: Classifier, x: Any, y: Any, low: float = 0.0, high: float = 1.0
) -> None:
    """Check that examples are such as a classifier takes.

    Args:
        classifier: the victim.
        x: what should be float32 (N, H, W, C) in [low, high].
        y: what should be int (N,), classes of the model.

    Raises:
        ValueError: naming the first that is wrong, its value, and the remedy.
    """
    shape = classifier.image_shape
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        kind = getattr(x, "dtype", type(x).__name__)
        raise ValueError(f"x must be a float32 NumPy array, got {kind}; use x.astype('float32')")
    if x.ndim != 4 or len(x) == 0 or x.shape[1:] != shape:
        raise ValueError(
            f"x must be (N, {', '.join(map(str, shape))}) with N > 0, the images that "
            f"{classifier.model.name} takes, got {x.shape}"
        )
    least, most = x.min(), x.max()  # NaN where there is one
    if not (np.isfinite(least) and np.isfinite(most)):
        raise ValueError("x holds NaN or infinite values; remove those examples")
    if least < low or most > high:
        by_255 = "divide x by 255" if least >= 0 and 1 < most <= 255 and high == 1 else "rescale x"
        raise ValueError(
            f"x must lie in the box [{low}, {high}] of the threat model, "
            f"got [{least:g}, {most:g}]; {by_255} or give the ThreatModel its box"
        )
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.integer):
        kind = getattr(y, "dtype", type(y).__name__)
        raise ValueError(f"y must be an integer NumPy array, got {kind}; use class numbers")
    if y.shape != (len(x),):
        one_hot = "; use y.argmax(axis=1)" if y.ndim == 2 and len(y) == len(x) else ""
        raise ValueError(f"y must be ({len(x)},), one class per example, got {y.shape}{one_hot}")
    if y.min() < 0 or y.max() >= classifier.classes:
        from_one = y.min() == 1 and y.max() == classifier.classes
        remedy = "; they are counted from 1: subtract 1" if from_one else ""
        raise ValueError(
            f"y must lie in 0..{classifier.classes - 1}, the classes of the model, "
            f"got {y.min()}..{y.max()}{remedy}"
        )


def refuse_broken(classifier: Classifier, x: np.ndarray) -> None:
    """Raise FloatingPointError if rows of x, float32 (N, ...), were marked with NaN."""
    # a sum needs no array of the size of x
    broken = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1).sum(axis=1)))
    if len(broken):
        raise FloatingPointError(
            f"logits or gradients of {classifier.model.name} are not finite for {len(broken)} of "
            f"{len(x)} examples (the first is number {broken[0]}); check its weights"
        )


def refuse_probabilities(classifier: Classifier, outputs: np.ndarray) -> None:
    """Refuse a model whose outputs, float32 (N, K), are probabilities.

    Gradients through a softmax vanish where it is confident, which looks like robustness.

    Raises:
        ValueError: if all rows are >= 0 and sum to 1.
    """
    if outputs.min() >= 0 and np.abs(outputs.sum(axis=1) - 1).max() < 1e-4:
        raise ValueError(
            f"outputs of {classifier.model.name} are probabilities, not logits: each row sums "
            "to 1; pass the model without its softmax"
        )
