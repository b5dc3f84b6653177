"""Measure a classifier on clean and adversarial examples, one outcome per example."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax

from robustnets.attacks.balls import distances
from robustnets.core.record import Record
from robustnets.core.seeds import derive
from robustnets.engines import Adversarial
from robustnets.engines.checks import check_examples
from robustnets.models.accept import classifier_of
from robustnets.models.classifier import Classifier


def outcomes(classifier: Classifier, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predicted classes int64 (N,) and the probabilities given to them, float32 (N,).

    Raises:
        FloatingPointError: if a logit is not finite.
    """
    logits = _logits(classifier, x)
    return logits.argmax(axis=1), _confidence(logits)


def _logits(classifier: Classifier, x: np.ndarray) -> np.ndarray:
    logits = classifier.predict(x)
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits)).any(axis=1).sum())
        raise FloatingPointError(f"{bad} of {len(x)} examples have logits that are not finite")
    return logits


def _confidence(logits: np.ndarray) -> np.ndarray:
    return softmax(logits, axis=1).max(axis=1).astype(np.float32)


def by_channel(x: np.ndarray, x_adv: np.ndarray) -> dict[str, np.ndarray]:
    """Distances as CSDS440 takes them: of each channel by itself, and then added up.

    In l2 they lie between the usual distance and sqrt(C) times it, in linf between it and C
    times it; with one channel they are the usual ones.

    Args:
        x: float (N, H, W, C).
        x_adv: float, the same shape.

    Returns:
        "linf_channels", "l2_channels": float64 (N,), in input units.

    Source: CSDS440 comparative study, section 3.1.3.
    """
    channels = [distances(x[..., c], x_adv[..., c]) for c in range(x.shape[-1])]
    return {
        f"{norm}_channels": np.sum([d[norm] for d in channels], axis=0) for norm in ("linf", "l2")
    }


def measure(
    cell: Mapping[str, Any],
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    adversarial: Iterable[tuple[float, Adversarial]] = (),
    *,
    curves: Mapping[str, np.ndarray] | None = None,
    pictured: int = 0,
    target: np.ndarray | None = None,
    probabilities: bool = False,
    about: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Record:
    """Predict, compare and keep every example's outcome.

    Args:
        cell: what is measured, as a dictionary.
        classifier: the network under evaluation, defense included; or a bare Keras model.
        x: (N, H, W, C), clean examples, finite.
        y: class numbers (N,) or (N, 1), true labels.
        adversarial: (eps, examples), eps increasing; taken one at a time, so that memory
            does not grow with the number of radii.
        curves: training curves to keep with the Record.
        pictured: how many of the first examples are kept as pictures.
        target: int (N,), the classes that the attack was to reach, or None.
        probabilities: keep those of all classes.
        about: facts to keep with the Record, which gets three more: "attack_seconds"; "means" of
            what was measured; and "untouched", how many of the rightly classified examples came
            back bit for bit as they were, at each radius. An attack by gradients leaves those
            alone that have none. One of a model that draws at random gets "draws_at_random",
            True: its outcomes are those of one pass each.
        seed: of what such a model draws.

    Raises:
        ValueError: for a model whose draws compiling would freeze.
        FloatingPointError: if a logit is not finite.
    """
    classifier = classifier_of(classifier)
    x, y = check_examples(classifier, x, y, -np.inf, np.inf)
    if classifier.randomness:
        about = {**(about or {}), "draws_at_random": True}
    with classifier.seeded(derive(seed, "measure")):
        return _measured(
            cell, classifier, x, y, adversarial, curves, pictured, target, probabilities, about
        )


def _measured(
    cell, classifier, x, y, adversarial, curves, pictured, target, probabilities, about
) -> Record:
    logits = _logits(classifier, x)
    clean = logits.argmax(axis=1)
    arrays: dict[str, np.ndarray] = {"clean_confidence": _confidence(logits)}
    if target is not None:
        arrays["target"] = target
    if probabilities:
        arrays["clean_log_probabilities"] = _log_probabilities(logits)
    rows: dict[str, list[np.ndarray]] = {}
    epsilons, predictions, pictures, seconds = [], [], [x[:pictured]], []
    untouched: list[int] = []
    for eps, examples in adversarial:
        logits = _logits(classifier, examples.x)
        away = distances(x, examples.x)
        moved = {norm: away[norm] for norm in ("linf", "l2")}
        untouched.append(int((moved["linf"][clean == y] == 0).sum()))
        if x.shape[-1] > 1:
            moved |= by_channel(x, examples.x)
        epsilons.append(eps)
        predictions.append(logits.argmax(axis=1))
        pictures.append(examples.x[:pictured])
        seconds.append(examples.seconds)
        found = {
            "adversarial_confidence": _confidence(logits),
            **{name: values.astype(np.float32) for name, values in moved.items()},
            "forward": examples.forward,
            "backward": examples.backward,
        }
        if probabilities:
            found["adversarial_log_probabilities"] = _log_probabilities(logits)
        for name, values in found.items():
            rows.setdefault(name, []).append(values)
    measured = {name: np.stack(values) for name, values in rows.items()}
    means = {
        name: values.mean(axis=1, dtype=np.float64).tolist()
        for name, values in measured.items()
        if values.ndim == 2
    }
    return Record(
        cell=cell,
        label=y,
        clean=clean,
        epsilons=np.array(epsilons, np.float64),
        adversarial=np.array(predictions, np.int64).reshape(len(epsilons), len(y)),
        arrays={**arrays, **measured},
        curves=curves or {},
        pictures={"adversarial": np.stack(pictures)} if pictured else {},
        about={
            **(about or {}),
            "attack_seconds": sum(seconds),
            "means": means,
            "untouched": untouched,
        },
    )


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    """float16 (N, K); what lies below the range of float16 could not matter."""
    return np.maximum(log_softmax(logits, axis=1), np.finfo(np.float16).min).astype(np.float16)
