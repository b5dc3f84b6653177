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
    shape, box = classifier.image_shape, attack.threat
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        kind = getattr(x, "dtype", type(x).__name__)
        raise ValueError(f"x must be a float32 NumPy array, got {kind}; use x.astype('float32')")
    if x.ndim != 4 or len(x) == 0 or x.shape[1:] != shape:
        raise ValueError(f"x must be (N, {', '.join(map(str, shape))}) with N > 0, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x holds NaN or infinite values; remove those examples")
    if x.min() < box.low or x.max() > box.high:
        raise ValueError(
            f"x must lie in the box [{box.low}, {box.high}] of the threat model, "
            f"got [{x.min():g}, {x.max():g}]; rescale x or give the ThreatModel its box"
        )
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.integer):
        kind = getattr(y, "dtype", type(y).__name__)
        raise ValueError(f"y must be an integer NumPy array, got {kind}; use class numbers")
    if y.shape != (len(x),):
        raise ValueError(f"y must be ({len(x)},), one class per example, got {y.shape}")
    if y.min() < 0 or y.max() >= classifier.classes:
        raise ValueError(
            f"y must lie in 0..{classifier.classes - 1}, the classes of the model, "
            f"got {y.min()}..{y.max()}"
        )
    counts = (("seed", seed, 0), ("batch_size", batch_size, 1), ("query_budget", query_budget, 2))
    for name, value, least in counts:
        if value is None and name != "seed":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be an int >= {least}, got {value!r}")
    if time_budget is not None and not (math.isfinite(time_budget) and time_budget > 0):
        raise ValueError(f"time_budget must be seconds > 0, got {time_budget}")


def refuse_broken(classifier: Classifier, x: np.ndarray) -> None:
    """Raise FloatingPointError if rows of x, float32 (N, ...), were marked with NaN."""
    broken = np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(axis=1))
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
