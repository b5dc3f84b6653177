"""Measure a classifier on clean and adversarial examples, one outcome per example."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.special import softmax

from robustnets.attacks.balls import distances
from robustnets.core.record import Record
from robustnets.engines import Adversarial
from robustnets.models.classifier import Classifier


def outcomes(classifier: Classifier, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predicted classes int64 (N,) and the probabilities given to them, float32 (N,).

    Raises:
        FloatingPointError: if a logit is not finite.
    """
    logits = classifier.predict(x)
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits)).any(axis=1).sum())
        raise FloatingPointError(f"{bad} of {len(x)} examples have logits that are not finite")
    return logits.argmax(axis=1), softmax(logits, axis=1).max(axis=1).astype(np.float32)


def measure(
    cell: Mapping[str, Any],
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    adversarial: Iterable[tuple[float, Adversarial]] = (),
    *,
    curves: Mapping[str, np.ndarray] | None = None,
    pictured: int = 0,
    about: Mapping[str, Any] | None = None,
) -> Record:
    """Predict, compare and keep every example's outcome.

    Args:
        cell: what is measured, as a dictionary.
        classifier: the network under evaluation, defense included.
        x: float32 (N, H, W, C), clean examples.
        y: int (N,), true labels.
        adversarial: (eps, examples), eps increasing; taken one at a time, so that memory
            does not grow with the number of radii.
        curves: training curves to keep with the Record.
        pictured: how many of the first examples are kept as pictures.
        about: facts to keep with the Record, which gets two more: "attack_seconds", and
            "untouched", how many of the rightly classified examples came back bit for bit as
            they were, at each radius. An attack by gradients leaves those alone that have none.
    """
    clean, confidence = outcomes(classifier, x)
    arrays: dict[str, list[np.ndarray]] = {
        name: [] for name in ("adversarial_confidence", "linf", "l2", "forward", "backward")
    }
    epsilons, predictions, pictures, seconds = [], [], [x[:pictured]], 0.0
    untouched: list[int] = []
    for eps, examples in adversarial:
        predicted, sure = outcomes(classifier, examples.x)
        moved = distances(x, examples.x)
        untouched.append(int((moved["linf"][clean == y] == 0).sum()))
        epsilons.append(eps)
        predictions.append(predicted)
        pictures.append(examples.x[:pictured])
        seconds += examples.seconds
        arrays["adversarial_confidence"].append(sure)
        arrays["linf"].append(moved["linf"].astype(np.float32))
        arrays["l2"].append(moved["l2"].astype(np.float32))
        arrays["forward"].append(examples.forward)
        arrays["backward"].append(examples.backward)
    return Record(
        cell=cell,
        label=y,
        clean=clean,
        epsilons=np.array(epsilons, np.float64),
        adversarial=np.array(predictions, np.int64).reshape(len(epsilons), len(y)),
        arrays={
            "clean_confidence": confidence,
            **{name: np.stack(rows) for name, rows in arrays.items() if rows},
        },
        curves=curves or {},
        pictures={"adversarial": np.stack(pictures)} if pictured else {},
        about={**(about or {}), "attack_seconds": seconds, "untouched": untouched},
    )
