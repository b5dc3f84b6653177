"""How many examples fit in a batch."""

import math
from typing import Any

from robustnets import backend
from robustnets.models.classifier import Classifier
from robustnets.models.size import activations

BYTES = (256 * 2**20, 8 * 2**30)  # for activations and their gradients: CPU, accelerator
MOST = (512, 4096)  # rows: more of them do not make a batch faster
LEAST = 8
STEADY = (32, 256)  # rows of every batch of an attack that is `sensitive`: CPU, accelerator


def batch_size(attack: Any, classifier: Classifier) -> int:
    """A batch that keeps the machine busy in bounded memory.

    A power of two: as many rows as keep the activations of all layers, and their gradients,
    under `BYTES`. An attack that asks about several points of an example at a time says how
    many in `block` or `expectation`.

    Example:
        >>> from robustnets.attacks import FGSM
        >>> from robustnets.core.threat import ThreatModel
        >>> from robustnets.models import fc_100_100_10
        >>> classifier = Classifier(fc_100_100_10((28, 28, 1), 10, seed=0))
        >>> batch_size(FGSM(ThreatModel("linf", 0.1)), classifier) in (512, 4096)
        True
    """
    place = int(backend.on_accelerator())
    row = 3 * 4 * activations(classifier.model) * at_once(attack)
    fitting = max(BYTES[place] // max(row, 1), LEAST)
    return min(2 ** int(math.log2(fitting)), MOST[place])


def steady(attack: Any, classifier: Classifier) -> int:
    """The one batch size in which a `sensitive` attack runs, whatever the user asks for.

    The last bits of an example depend on the shape of its batch: matrix products of another
    shape are added up in another order, and the end of an array is computed by other
    instructions. Most attacks leave it at that. One that is `sensitive` makes it large, and so
    runs in batches of one shape, the last one padded. They have fewer rows than `STEADY` where
    memory holds no more.

    Example:
        >>> from robustnets.attacks import LBFGS
        >>> from robustnets.core.threat import ThreatModel
        >>> from robustnets.models import fc_100_100_10
        >>> classifier = Classifier(fc_100_100_10((28, 28, 1), 10, seed=0))
        >>> steady(LBFGS(ThreatModel("l2", 1.0)), classifier) in STEADY
        True
    """
    return min(STEADY[int(backend.on_accelerator())], batch_size(attack, classifier))


def at_once(attack: Any) -> int:
    """How many points of one example an attack asks about in one call of the model."""
    return getattr(attack, "block", 1) * getattr(attack, "expectation", 1)
