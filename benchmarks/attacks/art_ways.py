"""ART by itself: its attacks on a `TensorFlowV2Classifier` over compiled logits.

NumPy's and TensorFlow's seeds are set before each call; HopSkipJump draws unseeded.
"""

import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from benchmarks.attacks.ways import Way, counted_logits
from robustnets.attacks import losses
from robustnets.engines.art import import_art
from robustnets.engines.peers import step_length
from robustnets.models import Classifier

ORDERS = {"linf": np.inf, "l2": 2}


def pgd(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`ProjectedGradientDescentTensorFlowV2` with one random start."""

    def make(estimator):
        from art.attacks.evasion import ProjectedGradientDescentTensorFlowV2

        return ProjectedGradientDescentTensorFlowV2(
            estimator,
            norm=ORDERS[attack.threat.norm],
            eps=attack.threat.eps,
            eps_step=step_length(attack),
            max_iter=attack.steps,
            num_random_init=1,
            batch_size=batch,
            verbose=False,
        )

    return _way(classifier, attack, make)


def deepfool(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`DeepFool` with the overshoot and the steps of the spec."""

    def make(estimator):
        from art.attacks.evasion import DeepFool

        return DeepFool(
            estimator,
            max_iter=attack.steps,
            epsilon=attack.overshoot,
            batch_size=batch,
            verbose=False,
        )

    return _way(classifier, attack, make)


def carlini_wagner(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`CarliniL2Method`, whose line search asks several times a step."""

    def make(estimator):
        from art.attacks.evasion import CarliniL2Method

        return CarliniL2Method(
            estimator,
            learning_rate=attack.rate,
            binary_search_steps=attack.rounds,
            max_iter=attack.steps,
            initial_const=attack.first,
            batch_size=batch,
            verbose=False,
        )

    return _way(classifier, attack, make)


def hop_skip_jump(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`HopSkipJump`, one image at a time."""

    def make(estimator):
        from art.attacks.evasion import HopSkipJump

        return HopSkipJump(
            estimator,
            norm=ORDERS[attack.threat.norm],
            max_iter=attack.max_iter,
            max_eval=attack.max_eval,
            init_eval=attack.init_eval,
            init_size=attack.init_size,
            batch_size=batch,
            verbose=False,
        )

    return _way(classifier, attack, make)


def one_pixel(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`PixelAttack` by differential evolution, 400 members, one image at a time."""

    def make(estimator):
        from art.attacks.evasion import PixelAttack

        return PixelAttack(estimator, th=1, es=1, max_iter=attack.generations, verbose=False)

    return _way(classifier, attack, make)


def apgd(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`AutoProjectedGradientDescent` from as many random points."""

    def make(estimator):
        return _apgd(estimator, attack.threat, attack.steps, attack.restarts, batch)

    return _way(classifier, attack, make, _PerExample(attack.loss))


def square(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`SquareAttack`, whose start is one more query than its iterations."""

    def make(estimator):
        return _square(estimator, attack.threat, attack.budget - 1, 1, batch)

    return _way(classifier, attack, make)


def auto_attack(classifier: Classifier, attack: Any, batch: int) -> Way:
    """`AutoAttack` with the four attacks that are its default, built so that Keras 3 has them.

    It imports `multiprocess`, which it does not use in one process: Python's own stands in.
    """
    threat = attack.threat
    sys.modules.setdefault("multiprocess", multiprocessing)

    def make(estimator):
        from art.attacks.evasion import AutoAttack, DeepFool

        ratio = _estimator(estimator.model, classifier, threat, _PerExample("dlr"))
        members = [
            _apgd(estimator, threat, 100, 5, batch),
            _apgd(ratio, threat, 100, 5, batch),
            DeepFool(estimator, max_iter=100, epsilon=1e-3, batch_size=batch, verbose=False),
            _square(estimator, threat, 5000, 5, batch),
        ]
        return AutoAttack(
            estimator,
            norm=ORDERS[threat.norm],
            eps=threat.eps,
            eps_step=2 * threat.eps,
            attacks=members,
            batch_size=batch,
        )

    return _way(classifier, attack, make, _PerExample("cross_entropy"))


class _PerExample:
    """A loss whose reduction ART sets as it needs it; those of its own need Keras 2."""

    def __init__(self, name: str):
        self.loss, self.reduction = losses.LOSSES[name], "mean"

    def __call__(self, y_true: Any, logits: Any) -> Any:
        each = self.loss(logits, ops.argmax(y_true, axis=1))
        return each if self.reduction == "none" else ops.mean(each)


def _apgd(estimator, threat, steps, restarts, batch):
    from art.attacks.evasion import AutoProjectedGradientDescent

    return AutoProjectedGradientDescent(
        estimator,
        norm=ORDERS[threat.norm],
        eps=threat.eps,
        eps_step=2 * threat.eps,
        max_iter=steps,
        nb_random_init=restarts,
        batch_size=batch,
        verbose=False,
    )


def _square(estimator, threat, steps, restarts, batch):
    from art.attacks.evasion import SquareAttack

    return SquareAttack(
        estimator,
        norm=ORDERS[threat.norm],
        eps=threat.eps,
        max_iter=steps,
        nb_restarts=restarts,
        batch_size=batch,
        verbose=False,
    )


def _estimator(model, classifier, threat, loss):
    from art.estimators.classification import TensorFlowV2Classifier

    return TensorFlowV2Classifier(
        model=model,
        nb_classes=classifier.classes,
        input_shape=classifier.image_shape,
        loss_object=loss,
        clip_values=(threat.low, threat.high),
    )


def _way(classifier: Classifier, attack: Any, make: Callable[[Any], Any], loss: Any = None) -> Way:
    import_art()
    import tensorflow as tf

    logits, asked = counted_logits(classifier)
    loss = loss or tf.keras.losses.CategoricalCrossentropy(from_logits=True)
    method = make(
        _estimator(lambda images, training: logits(images), classifier, attack.threat, loss)
    )

    def attacked(x, y):
        np.random.seed(0)  # noqa: NPY002
        tf.random.set_seed(0)
        return method.generate(x, y=np.eye(classifier.classes, dtype=np.float32)[y])

    return Way(attacked, lambda: (asked(), None))
