"""What can be wrong with the arguments of an engine, and with a model's answers."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from robustnets.core.arrays import as_images, as_labels
from robustnets.core.threat import number
from robustnets.models.classifier import Classifier
from robustnets.models.probabilities import gives_probabilities


def check(
    attack: Any,
    classifier: Classifier,
    x: Any,
    y: Any,
    seed: Any,
    batch_size: Any,
    time_budget: float | None = None,
    query_budget: Any = None,
    box: str = "the ThreatModel",
) -> tuple[np.ndarray, np.ndarray]:
    """Check what `engines.run` is given; arguments as there, `box` as for `check_examples`.

    Returns:
        x and y as `check_examples` gives them.

    Raises:
        ValueError: naming the first that is wrong, its value, and the remedy.
    """
    x, y = check_examples(classifier, x, y, attack.threat.low, attack.threat.high, box)
    if seed is None:
        raise ValueError("seed must be an int >= 0, got None")
    _check_count("seed", seed, 0)
    _check_count("batch_size", batch_size, 1)
    check_budgets(time_budget, query_budget)
    _ = classifier.randomness  # refuses draws that compiling would freeze
    return x, y


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


def check_attack(attack: Any) -> None:
    """Check that an attack is a spec that can be carried out.

    Raises:
        ValueError: for a class, a name, a list of attacks or anything else.
    """
    if not isinstance(attack, type) and callable(getattr(attack, "perturb", None)):
        return
    such = "attack must be an attack such as PGD(ThreatModel('linf', 8 / 255))"
    if isinstance(attack, type):
        raise ValueError(f"{such}, got the class {attack.__name__}; make an instance of it")
    if hasattr(attack, "attacks"):
        name = type(attack).__name__
        raise ValueError(
            f"{such}, got {name}, which is several: give its attacks(classes) to worst_case"
        )
    raise ValueError(f"{such}, got {attack!r}")


def with_radii(attack: Any, epsilons: Any) -> list[Any]:
    """The attack at each radius; these are numbers or texts such as "8/255".

    Raises:
        ValueError: for no list of radii.
    """
    if isinstance(epsilons, str) or not hasattr(epsilons, "__len__") or len(epsilons) == 0:
        raise ValueError(
            f"epsilons must be a list of at least one radius, such as [0.1], got {epsilons!r}"
        )
    radii = [float(number("eps", eps)) for eps in epsilons]
    return [replace(attack, threat=replace(attack.threat, eps=eps)) for eps in radii]


def check_examples(
    classifier: Classifier,
    x: Any,
    y: Any,
    low: float = 0.0,
    high: float = 1.0,
    box: str = "the ThreatModel",
) -> tuple[np.ndarray, np.ndarray]:
    """Check that examples are such as a classifier takes, and give them as arrays.

    Args:
        classifier: the victim.
        x: images (N, H, W, C) in [low, high], as for `core.arrays.as_images`.
        y: class numbers (N,) or (N, 1) of the model, as for `core.arrays.as_labels`.
        low, high: the box.
        box: who is told another box, for messages.

    Returns:
        x float32 (N, H, W, C) and y int64 (N,).

    Raises:
        ValueError: naming the first that is wrong, its value, and the remedy.
    """
    x = as_images(x, classifier.image_shape, low, high, classifier.model.name)
    least, most = x.min(), x.max()  # NaN where there is one
    if not (np.isfinite(least) and np.isfinite(most)):
        raise ValueError("x holds NaN or infinite values; remove those examples")
    # the box as float32 has it, to which attacks clip
    if least < np.float32(low) or most > np.float32(high):
        raise ValueError(
            f"x must lie in the box [{low:g}, {high:g}] of {box}, got [{least:g}, {most:g}]; "
            f"{_box_remedy(float(least), float(most), high, box)}"
        )
    y = as_labels(y, len(x))
    if y.min() < 0 or y.max() >= classifier.classes:
        from_one = y.min() == 1 and y.max() == classifier.classes
        remedy = "; they are counted from 1: subtract 1" if from_one else ""
        raise ValueError(
            f"y must lie in 0..{classifier.classes - 1}, the classes of the model, "
            f"got {y.min()}..{y.max()}{remedy}"
        )
    return x, y


def _box_remedy(least: float, most: float, high: float, box: str) -> str:
    for lowest, highest in ((0, 255), (-1, 1)):
        if lowest <= least and most <= highest:
            remedy = f"or, if the model takes such images, give {box} low={lowest}, high={highest}"
            if lowest == 0 and most > 1 and high == 1:
                return f"divide x by 255, {remedy}"
            if lowest == -1 and least < 0:
                return f"use (x + 1) / 2, {remedy}"
    return (
        f"rescale x, or, if the model takes such images, give {box} as low and high the smallest "
        "and the largest value that a valid image can have"
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
        ValueError: if all rows are >= 0 and sum to 1, those of images that nobody has attacked
            too, and the model does not end in a linear layer.
    """
    if gives_probabilities(classifier, outputs):
        raise ValueError(
            f"outputs of {classifier.model.name} are probabilities, not logits, and no softmax or "
            "sigmoid was found at its end; pass the model without it, end it in "
            "keras.layers.Softmax, or average the members of an ensemble by keras.layers.Average"
        )
