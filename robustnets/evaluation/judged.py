"""A class for each outcome of an evaluation, as it was judged."""

import numpy as np
from scipy.special import softmax

from robustnets.evaluation.subject import Subject
from robustnets.models.classifier import Classifier

FRESH = 20  # evaluations of an example by a model that draws at random


def judged_classes(
    subject: Subject,
    x: np.ndarray,
    y: np.ndarray,
    wrong: np.ndarray,
    seed: int,
    victim: Classifier | None = None,
) -> np.ndarray:
    """The class that stands for each outcome as it was judged, never against it.

    Asked again, a model that draws at random may answer otherwise, and so may any model at its
    boundary in a batch of another size. So what was judged is not asked for again, only what a
    wrong one is taken for.

    Args:
        subject: the model.
        x: float32 (N, H, W, C), what was judged.
        y: int64 (N,), true labels.
        wrong: bool (N,), the outcomes.
        seed: of the model's draws.
        victim: whose outcomes; None: the defended model's.

    Returns:
        int64 (N,): y where it is not wrong, else another class: the one that most evaluations
        give, and of several the likeliest one on average.
    """
    victim = victim or subject.classifier
    classes = y.copy()
    rows = np.flatnonzero(wrong)
    if len(rows) == 0:
        return classes
    times = FRESH if subject.stochastic else 1
    votes = np.zeros((len(rows), victim.classes))
    with victim.seeded(seed):
        for _ in range(times):
            logits = victim.predict(x[rows])
            votes[np.arange(len(rows)), logits.argmax(axis=1)] += 1
            # all these together count less than one vote
            votes += np.nan_to_num(softmax(logits.astype(np.float64), axis=1)) / (times + 1)
    votes[np.arange(len(rows)), y[rows]] = -1
    classes[rows] = votes.argmax(axis=1)
    return classes
