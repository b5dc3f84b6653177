"""CleverHans as an engine, its TensorFlow 2 functions.

What is worked around, always towards what the spec asks for:
- its l2 step divides by no less than 1e-6, so that small gradients give steps shorter than
  eps: see `peers.logits_function`;
- it compiles once per model function and keeps that function for the life of the process:
  one function per classifier is handed over, at one batch shape;
- TensorFlow's cross entropy, its default, loses the true class of confident examples: it is
  given `losses.cross_entropy`;
- labels default to the model's predictions: true labels are always passed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from robustnets.attacks import losses
from robustnets.attacks.base import Attack
from robustnets.attacks.fgsm import FGSM
from robustnets.engines import peers
from robustnets.models.classifier import Classifier


def supports(attack: Attack) -> bool:
    """Whether CleverHans has the same attack."""
    return type(attack) is FGSM


def generate(
    attack: Any,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    seed: int,
    batch_size: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """Attack checked arrays; see `engines.run` for the arguments.

    Raises:
        RuntimeError: on a backend other than TensorFlow.
    """
    del seed  # fast_gradient_method draws nothing
    peers.require_tensorflow("cleverhans")
    import tensorflow as tf
    from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method

    logits = peers.logits_function(classifier)
    threat = attack.threat

    def attack_batch(part, labels):
        return fast_gradient_method(
            logits,
            tf.constant(part),
            eps=float(threat.eps),
            loss_fn=_cross_entropy,
            norm=peers.ORDERS[threat.norm],
            clip_min=float(threat.low),
            clip_max=float(threat.high),
            y=tf.constant(labels, tf.int64),
            targeted=attack.targeted,
        ).numpy()

    return peers.in_batches(attack_batch, x, y, batch_size, progress)


def _cross_entropy(labels, logits):
    return losses.cross_entropy(logits, labels)
