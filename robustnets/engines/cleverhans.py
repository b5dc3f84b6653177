"""CleverHans as an engine, its TensorFlow 2 functions.

What is worked around, always towards what the spec asks for:
- its l2 step divides by no less than 1e-6, so that small gradients give steps shorter than
  eps: see `peers.logits_function`;
- it compiles once per model function and keeps that function for the life of the process:
  one function per classifier is handed over, at one batch shape;
- labels default to the model's predictions: true labels are always passed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

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
        FloatingPointError: if the logits are not finite.
    """
    del seed  # fast_gradient_method draws nothing
    peers.require_tensorflow("cleverhans")
    import tensorflow as tf
    from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method

    logits = peers.logits_function(classifier)
    threat = attack.threat

    def attack_batch(part, labels):
        if not np.isfinite(logits(tf.constant(part))).all():
            raise FloatingPointError(f"logits of {classifier.model.name} are not finite")
        return fast_gradient_method(
            logits,
            tf.constant(part),
            eps=float(threat.eps),
            norm=peers.ORDERS[threat.norm],
            clip_min=float(threat.low),
            clip_max=float(threat.high),
            y=tf.constant(labels, tf.int64),
            targeted=attack.targeted,
        ).numpy()

    return peers.in_batches(attack_batch, x, y, batch_size, progress)
