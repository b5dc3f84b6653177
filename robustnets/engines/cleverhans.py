"""CleverHans as an engine, its TensorFlow 2 functions.

What is worked around, always towards what the spec asks for:
- its l2 step divides by no less than 1e-6, so that small gradients give steps shorter than
  eps: see `peers.logits_function`;
- it compiles once per model function and keeps that function for the life of the process:
  one function per classifier is handed over, at one batch shape;
- TensorFlow's cross entropy, its default, loses the true class of confident examples: it is
  given `losses.cross_entropy`;
- its PGD has the last iterate, not the worst one: left so;
- its random starts are TensorFlow's: seeded for the call, and the seed put back;
- labels default to the model's predictions: true labels are always passed;
- its Carlini-Wagner takes labels for targets, asks its optimiser for variables in a way that
  Keras 3 has not, multiplies c by ten where it means to halve it, calls every round a success
  that comes after one, and adds c up over the values of images of one channel (with more
  channels it fails): `targeted` is set, the optimiser wrapped, one round asked for at a time and
  c chosen here, the channels laid side by side, and c divided by how often it is added;
- that attack measures distances in input units, the spec in a box of width 1: c is scaled;
- that attack gives up a round by the sum over the batch: left so.
SPSA is not translated: it takes Adam steps along finite differences of random signs, where NES
takes momentum steps along Gaussian ones, and it attacks one image at a time.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from robustnets.attacks import losses
from robustnets.attacks.base import Attack
from robustnets.attacks.carlini_wagner import CarliniWagner
from robustnets.attacks.fgsm import FGSM
from robustnets.attacks.pgd import PGD
from robustnets.engines import peers
from robustnets.engines.job import Job, Outcome, fixed_cost


def supports(attack: Attack) -> bool:
    """Whether CleverHans has the same attack; of PGD, without restarts."""
    if type(attack) is CarliniWagner:
        return attack.confidence == 0 and attack.inside == CarliniWagner(attack.threat).inside
    if type(attack) is PGD and attack.restarts > 1:
        return False
    return type(attack) is FGSM or peers.takes_their_steps(attack)


@peers.of_its_rows
def generate(job: Job) -> Outcome:
    """Attack checked arrays.

    Raises:
        RuntimeError: on a backend other than TensorFlow.
    """
    peers.require_tensorflow("cleverhans")
    import tensorflow as tf
    from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method
    from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

    attack, threat = job.attack, job.attack.threat
    if type(attack) is CarliniWagner:
        return _carlini_wagner(job)
    logits = peers.logits_function(job.classifier)
    settings = {
        "eps": float(threat.eps),
        "loss_fn": _loss_of(attack.loss if type(attack) is PGD else "cross_entropy"),
        "norm": peers.ORDERS[threat.norm],
        "clip_min": float(threat.low),
        "clip_max": float(threat.high),
        "targeted": attack.targeted,
    }
    method = fast_gradient_method
    if type(attack) is not FGSM:
        step = peers.step_length(attack)
        if step > threat.eps > 0:
            raise ValueError(
                f"CleverHans refuses steps longer than eps, got {step:g} > {threat.eps:g}; "
                "use engine='native' or 'art'"
            )
        method = projected_gradient_descent
        settings["eps_iter"], settings["nb_iter"] = min(step, float(threat.eps)), attack.steps
        settings["rand_init"] = type(attack) is PGD and attack.random_start

    def attack_batch(part, labels):
        return method(
            logits, tf.constant(part), y=tf.constant(labels, tf.int64), **settings
        ).numpy()

    if type(attack) is FGSM:
        return fixed_cost(attack, peers.in_batches(attack_batch, job))
    with peers.seeded(job.seed):
        return peers.stepped(attack, peers.in_batches(attack_batch, job))


def _carlini_wagner(job: Job) -> Outcome:
    import keras
    import tensorflow as tf
    from cleverhans.tf2.attacks.carlini_wagner_l2 import CarliniWagnerL2

    attack, threat, classifier = job.attack, job.attack.threat, job.classifier
    height, width, channels = classifier.image_shape
    asked = {"forward": 0, "backward": 0}

    def logits(flat):
        return classifier.logits(tf.reshape(flat, (-1, height, width, channels)))

    method = CarliniWagnerL2(
        logits,
        batch_size=job.batch_size,
        clip_min=float(threat.low),
        clip_max=float(threat.high),
        binary_search_steps=1,
        max_iterations=attack.steps,
        abort_early=attack.abort_early,
        learning_rate=float(attack.rate),
    )
    method.targeted = attack.targeted
    differentiate = method.gradient

    def counted(x, *others):
        asked["forward"] += len(x)
        asked["backward"] += len(x)
        return differentiate(x, *others)

    method.gradient = counted
    scale = (threat.high - threat.low) ** 2 / (height * width * channels)

    def one_round(x, y, c):
        asked["forward"], asked["backward"] = len(x), 0  # it looks at x once for nothing
        method.y = y
        method.initial_const = tf.constant(c * scale / len(x))
        method.optimizer = _Optimizer(keras.optimizers.Adam(attack.rate, epsilon=1e-8))
        flat = x.reshape(len(x), height, width * channels, 1)
        moved = np.clip(method.attack(tf.constant(flat)), threat.low, threat.high)
        return moved.reshape(x.shape), asked["forward"], asked["backward"]

    return peers.in_rounds(one_round, job)


class _Optimizer:
    """A Keras 3 optimiser for one round, as CleverHans expects it."""

    def __init__(self, optimizer: Any):
        self.apply_gradients = optimizer.apply_gradients

    def variables(self) -> list:
        """None: all of them are new."""
        return []


@functools.cache
def _loss_of(loss: losses.Loss) -> Callable[[Any, Any], Any]:
    """One function per loss: CleverHans compiles again for each that it has not met."""
    climbed = losses.of(loss)
    return lambda labels, logits: climbed(logits, labels)
