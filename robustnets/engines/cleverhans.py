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

from robustnets.attacks import losses
from robustnets.attacks.base import Attack
from robustnets.attacks.fgsm import FGSM
from robustnets.engines import peers
from robustnets.engines.job import Job, Outcome, fixed_cost


def supports(attack: Attack) -> bool:
    """Whether CleverHans has the same attack."""
    return type(attack) is FGSM


def generate(job: Job) -> Outcome:
    """Attack checked arrays.

    Raises:
        RuntimeError: on a backend other than TensorFlow.
    """
    peers.require_tensorflow("cleverhans")
    import tensorflow as tf
    from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method

    attack = job.attack
    logits = peers.logits_function(job.classifier)
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

    return fixed_cost(attack, peers.in_batches(attack_batch, job))


def _cross_entropy(labels, logits):
    return losses.cross_entropy(logits, labels)
