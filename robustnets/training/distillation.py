"""Defensive distillation: a network trained on what another of the same kind says of its data.

Source: Papernot et al. 2016, arXiv:1511.04508, sec. III: a teacher is trained at a temperature on
the labels, its probabilities at that temperature are the labels that a student of the same
architecture is trained on at that temperature, and the student is used at temperature 1. What
becomes of the examples that the teacher misclassifies: CSDS440, sec. 2.4.
"""

from typing import Any

import keras
import numpy as np
from scipy.special import softmax

from robustnets import backend
from robustnets.core.dataset import Split
from robustnets.core.seeds import derive
from robustnets.layers.temperature_softmax import check_temperature
from robustnets.models.classifier import run_in_batches
from robustnets.training.fit import Fitted, fit
from robustnets.training.spec import Training

MISCLASSIFIED = ("soft", "removed", "hard")


def check_misclassified(misclassified: str) -> None:
    """Raise ValueError unless it is one of `MISCLASSIFIED`."""
    if misclassified not in MISCLASSIFIED:
        raise ValueError(f"misclassified must be one of {MISCLASSIFIED}, got {misclassified!r}")


def lesson(
    train: Split, logits: np.ndarray, temperature: float, misclassified: str = "soft"
) -> tuple[Split, np.ndarray]:
    """What a student learns: the examples, and a teacher's probabilities for them.

    Args:
        train: N examples with their true classes.
        logits: float32 (N, K), the teacher's, in inference mode.
        temperature: of the softmax that makes probabilities of them.
        misclassified: what becomes of the examples to which the teacher gives another class:
            "soft", they are learned as the teacher sees them, as in the paper; "removed", they
            are left out; "hard", they keep their class, with probability 1.

    Returns:
        The examples, all or fewer, and float32 (their number, K).

    Raises:
        ValueError: for another treatment or temperature, or where nothing would be left.

    Example:
        >>> x, y = np.zeros((2, 1, 1, 1), np.float32), np.array([0, 0])
        >>> logits = np.array([[20.0, 0.0], [0.0, 20.0]], np.float32)
        >>> for treatment in MISCLASSIFIED:
        ...     _, soft_labels = lesson(Split(x, y), logits, 20.0, treatment)
        ...     print(treatment, (100 * soft_labels).round().astype(int).tolist())
        soft [[73, 27], [27, 73]]
        removed [[73, 27]]
        hard [[73, 27], [100, 0]]
    """
    check_misclassified(misclassified)
    scaled = logits.astype(np.float64) / check_temperature(temperature)
    labels = softmax(scaled, axis=1).astype(np.float32)
    wrong = logits.argmax(axis=1) != train.y
    if misclassified == "hard":
        labels[wrong] = np.eye(logits.shape[1], dtype=np.float32)[train.y[wrong]]
    if misclassified != "removed":
        return train, labels
    if wrong.all():
        raise ValueError("the teacher misclassifies every training example: nothing is left")
    return Split(train.x[~wrong], train.y[~wrong]), labels[~wrong]


def distill(
    teacher: keras.Model,
    student: keras.Model,
    train: Split,
    validation: Split,
    training: Training,
    seed: int,
    *,
    temperature: float,
    misclassified: str = "soft",
    **options: Any,
) -> tuple[Fitted, Fitted]:
    """The whole procedure: train the teacher, read its labels, train the student on them.

    Args:
        teacher, student: built, logits out, of the same architecture; changed in place. The
            teacher ends at the weights of its rule's stop, and so does the student.
        train, validation: as for `fit`.
        training: of both; a single rule.
        seed: of both trainings, by name.
        temperature: of both trainings and of the labels. Nothing is left of it afterwards: the
            student's logits are read at temperature 1.
        misclassified: see `lesson`.
        options: further ones of `fit`, for both, but for checkpoints.

    Returns:
        How the teacher was trained, and how the student was.

    Raises:
        ValueError: for more than one rule, or as `fit` and `lesson` do.
    """
    if len(training.rules) != 1:
        raise ValueError(f"distillation ends by one rule, got {training.rules}")
    check_misclassified(misclassified)
    options = {**options, "temperature": temperature}
    first = fit(teacher, train, validation, training, derive(seed, "teacher"), **options)
    teacher.set_weights(first.stops[0].weights)
    logits = run_in_batches(backend.compiled(lambda x: teacher(x, training=False)), train.x)
    examples, labels = lesson(train, logits, temperature, misclassified)
    second = fit(
        student, examples, validation, training, derive(seed, "student"),
        soft_labels=labels, **options,
    )  # fmt: skip
    student.set_weights(second.stops[0].weights)
    return first, second
