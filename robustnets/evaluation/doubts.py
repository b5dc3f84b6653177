"""Doubts about a robust accuracy, as code: what would make it too high.

Source: the checks that AutoAttack runs (Croce & Hein 2020, arXiv:2003.01690, and the notes on
flags in the authors' code); Carlini et al. 2019, arXiv:1902.06705, sec. 5.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks import Square
from robustnets.attacks.losses import margin
from robustnets.evaluation.worst_case import ROBUST, WorstCase
from robustnets.models.classifier import Classifier, batches

EXAMPLES = 256  # that a check looks at
STOCHASTIC = 1e-4  # largest difference of normalised logits between two evaluations
BLACK_BOX = 0.002  # share of examples that only the black-box attack broke


@dataclass(frozen=True, slots=True)
class Doubt:
    """One check.

    Args:
        name: what was looked at.
        level: "PASS" or "WARN".
        number: what was found.
        remedy: what to do about it, or "" after a pass.
    """

    name: str
    level: str
    number: str
    remedy: str = ""


def doubts(classifier: Classifier, found: WorstCase) -> tuple[Doubt, ...]:
    """Check a result and the model that it is about.

    Args:
        classifier: the victim.
        found: what `worst_case` made of it.
    """
    x, y = found.clean[:EXAMPLES], found.y[:EXAMPLES]
    return (
        _stochastic(classifier, x, found.evaluations),
        _probabilities(classifier, x),
        _zero_gradients(classifier, x, y),
        _black_box(found),
        _classes(classifier),
        _left_out(found),
    )


def _level(bad: bool) -> str:
    return "WARN" if bad else "PASS"


def _stochastic(classifier, x, evaluations) -> Doubt:
    """Whether two evaluations differ."""
    one, two = (classifier.predict(x) for _ in range(2))
    size = np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12)
    far = float(np.abs((one - two) / size).max())
    bad = far > STOCHASTIC
    remedy = (
        "The model draws at random: use version 'rand' and count success over several fresh "
        f"evaluations (this run: {evaluations})."
    )
    return Doubt("stochastic forward pass", _level(bad), f"{far:.1e}", remedy if bad else "")


def _probabilities(classifier, x) -> Doubt:
    """Whether the outputs are probabilities."""
    z = classifier.predict(x)
    off = float(np.abs(z.sum(axis=1) - 1).max())
    bad = bool(z.min() >= 0 and off < 1e-4)
    remedy = "Outputs are probabilities: give the model without its softmax."
    return Doubt("softmax instead of logits", _level(bad), f"{off:.1e}", remedy if bad else "")


def _zero_gradients(classifier, x, y) -> Doubt:
    """The share of examples whose gradient is zero, or not finite, in every value."""
    gradient = classifier.compiled(
        "margin gradient",
        lambda x, y: backend.value_and_grad(lambda v: margin(classifier.logits(v), y))(x)[1],
    )
    size, flat = min(64, len(x)), []
    for (part, n), (labels, _) in zip(batches(x, size), batches(y.astype(np.int32), size)):
        found = gradient(ops.convert_to_tensor(part), ops.convert_to_tensor(labels))
        found = ops.convert_to_numpy(found)[:n].reshape(n, -1)
        flat.append(~np.isfinite(found).all(axis=1) | (found == 0).all(axis=1))
    share = float(np.concatenate(flat).mean())
    remedy = (
        "Gradients of the margin vanish: attack with a substitute gradient "
        "(layers.with_gradient_of), in float64, or with more queries."
    )
    return Doubt("zero gradients", _level(share > 0), f"{share:.1%}", remedy if share else "")


def _black_box(found: WorstCase) -> Doubt:
    """What only Square broke, after all attacks that use gradients."""
    numbers = [i for i, part in enumerate(found.parts) if isinstance(part.attack, Square)]
    share = float(np.isin(found.broken_by, numbers).mean()) if numbers else 0.0
    bad = share > BLACK_BOX
    remedy = "A black-box attack beats those with gradients, which are therefore in doubt."
    number = f"{share:.2%}" if numbers else "no black-box attack"
    return Doubt("black-box beats white-box", _level(bad), number, remedy if bad else "")


def _classes(classifier) -> Doubt:
    """Whether the DLR losses exist."""
    bad = classifier.classes < 4
    remedy = "Targeted DLR needs 4 classes, DLR 3; the margin loss took their place."
    return Doubt("few classes", _level(bad), str(classifier.classes), remedy if bad else "")


def _left_out(found: WorstCase) -> Doubt:
    """Whether a budget left attacks out."""
    names = [type(part.attack).__name__ for part in found.parts if not part.finished]
    standing = int((found.broken_by == ROBUST).sum())
    bad = bool(names)
    remedy = f"Not finished on all that stood: {', '.join(names)}. This is an upper bound."
    return Doubt("whole suite", _level(bad), f"{standing} stand", remedy if bad else "")
