"""CleverHans by itself, and with what Keras 3 breaks in it repaired, here and nowhere else."""

import inspect
import types
from typing import Any

import numpy as np

from benchmarks.attacks.ways import Way, counted_logits, in_parts
from robustnets.engines.peers import step_length
from robustnets.models import Classifier

# (what stands in its source, what has to stand there)
CARLINI_WAGNER = (
    # a property in Keras 3, where the learning rate is among the variables
    (
        "for var in self.optimizer.variables():",
        "for var in self.optimizer.variables[:1] + self.optimizer.variables[2:]:",
    ),
    # one constant per example: (N, H, W, C) times (N,) is a sum over pairs of examples
    ("const = tf.ones(shape) *", "const = tf.ones(shape[:1]) *"),
)
SPSA = (
    ("super(SPSAAdam, self).__init__(lr=lr)", "super().__init__(learning_rate=lr)"),
    ("self.lr *", "self.learning_rate *"),
)


def repaired(module: Any, changes: tuple[tuple[str, str], ...]) -> Any:
    """A copy of a module with some of its source replaced.

    Raises:
        ValueError: if there is nothing to replace: another release, which may need no repair.
    """
    source = inspect.getsource(module)
    for old, new in changes:
        if old not in source:
            raise ValueError(f"{module.__name__} does not contain {old!r}")
        source = source.replace(old, new)
    copy = types.ModuleType(module.__name__ + "_repaired")
    copy.__file__ = module.__file__
    exec(compile(source, module.__file__, "exec"), copy.__dict__)
    return copy


def pgd(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`projected_gradient_descent` with a random start."""
    import tensorflow as tf
    from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

    logits, asked = counted_logits(classifier)
    eps = attack.threat.eps

    def part(x, y):
        return projected_gradient_descent(
            logits,
            tf.constant(x),
            eps,
            step_length(attack),
            attack.steps,
            np.inf if attack.threat.norm == "linf" else 2,
            clip_min=attack.threat.low,
            clip_max=attack.threat.high,
            y=tf.constant(y),
            rand_init=1.0,
        ).numpy()

    return Way(_seeded(in_parts(part, batch)), lambda: (asked(), None))


def carlini_wagner(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`CarliniWagnerL2`, repaired."""
    import tensorflow as tf
    from cleverhans.tf2.attacks import carlini_wagner_l2

    module = repaired(carlini_wagner_l2, CARLINI_WAGNER)
    logits, asked = counted_logits(classifier)

    method = module.CarliniWagnerL2(
        logits,
        batch_size=batch,
        clip_min=attack.threat.low,
        clip_max=attack.threat.high,
        binary_search_steps=attack.rounds,
        max_iterations=attack.steps,
        initial_const=attack.first,
        learning_rate=attack.rate,
    )

    def part(x, y):
        # one object for all parts, or each would be compiled anew; the optimizer cannot be kept
        method.optimizer = tf.keras.optimizers.Adam(attack.rate)
        method.y = tf.constant(y)
        return np.asarray(method.attack(x))

    return Way(in_parts(part, batch), lambda: (asked(), None))


def spsa(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`spsa`, repaired: one image at a time, until its margin is lost or the budget is spent.

    Its iterations are as many as the budget pays for, with one query more in each for the loss
    that tells it to stop.
    """
    import tensorflow as tf
    from cleverhans.tf2.attacks import spsa as original

    module = repaired(original, SPSA)
    logits, asked = counted_logits(classifier)
    rounds = attack.budget // (attack.samples + 1)

    def attacked(x, y):
        found = [
            module.spsa(
                logits,
                tf.constant(x[i : i + 1]),
                tf.constant(y[i : i + 1]),
                attack.threat.eps,
                rounds,
                clip_min=attack.threat.low,
                clip_max=attack.threat.high,
                early_stop_loss_threshold=0.0,
                learning_rate=attack.step,
                delta=attack.sigma,
                spsa_samples=attack.samples,
            )
            for i in range(len(x))
        ]
        return np.concatenate([np.asarray(one) for one in found])

    return Way(_seeded(attacked), lambda: (asked(), None))


def _seeded(attacked):
    import tensorflow as tf

    def again(x, y):
        tf.random.set_seed(0)
        return attacked(x, y)

    return again
