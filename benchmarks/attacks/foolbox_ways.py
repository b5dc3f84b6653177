"""Foolbox by itself, over a `TensorFlowModel` of compiled logits or of the bare Keras model."""

from typing import Any

import numpy as np

from benchmarks.attacks.ways import Way, counted_logits, in_parts
from robustnets.engines.peers import step_length
from robustnets.models import Classifier


def pgd(classifier: Classifier, attack: Any, batch: int, eager: bool = False) -> Way:
    """`LinfProjectedGradientDescentAttack` with a random start."""
    from foolbox.attacks import LinfProjectedGradientDescentAttack

    method = LinfProjectedGradientDescentAttack(
        abs_stepsize=step_length(attack), steps=attack.steps
    )
    return _way(classifier, attack, batch, method, attack.threat.eps, eager)


def pgd_eager(classifier: Classifier, attack: Any, batch: int) -> Way:
    """The same over the Keras model as it is."""
    return pgd(classifier, attack, batch, eager=True)


def deepfool(classifier: Classifier, attack: Any, batch: int, eager: bool = False) -> Way:
    """`L2DeepFoolAttack` over all classes."""
    from foolbox.attacks import L2DeepFoolAttack

    method = L2DeepFoolAttack(
        steps=attack.steps, candidates=classifier.classes, overshoot=attack.overshoot
    )
    return _way(classifier, attack, batch, method, None, eager)


def deepfool_eager(classifier: Classifier, attack: Any, batch: int) -> Way:
    """The same over the Keras model as it is."""
    return deepfool(classifier, attack, batch, eager=True)


def carlini_wagner(classifier: Classifier, attack: Any, batch: int, eager: bool = False) -> Way:
    """`L2CarliniWagnerAttack`."""
    from foolbox.attacks import L2CarliniWagnerAttack

    method = L2CarliniWagnerAttack(
        binary_search_steps=attack.rounds,
        steps=attack.steps,
        stepsize=attack.rate,
        initial_const=attack.first,
    )
    return _way(classifier, attack, batch, method, None, eager)


def carlini_wagner_eager(classifier: Classifier, attack: Any, batch: int) -> Way:
    """The same over the Keras model as it is."""
    return carlini_wagner(classifier, attack, batch, eager=True)


def hop_skip_jump(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`HopSkipJumpAttack` from its own starts."""
    from foolbox.attacks import HopSkipJumpAttack

    method = HopSkipJumpAttack(
        steps=attack.max_iter,
        initial_gradient_eval_steps=attack.init_eval,
        max_gradient_eval_steps=attack.max_eval,
        constraint=attack.threat.norm,
    )
    return _way(classifier, attack, batch, method, None, False)


def _way(classifier, attack, batch, method, eps, eager):
    import foolbox
    import tensorflow as tf

    logits, asked = counted_logits(classifier)
    bounds = (attack.threat.low, attack.threat.high)
    model = foolbox.TensorFlowModel(classifier.model if eager else logits, bounds=bounds)

    def part(x, y):
        # a minimum-norm attack is asked for what it found, whatever its length
        found = method(model, tf.constant(x), tf.constant(y), epsilons=eps)[1].numpy()
        # where its C&W found nothing it returns black images, which are misclassified indeed
        nothing = (found == 0).all(axis=(1, 2, 3))
        return np.where(nothing[:, None, None, None], x, found)

    def attacked(x, y):
        tf.random.set_seed(0)
        return in_parts(part, batch)(x, y)

    return Way(attacked, lambda: (None if eager else asked(), None))
