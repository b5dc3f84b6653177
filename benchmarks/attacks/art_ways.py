"""ART by itself: its attacks on a `TensorFlowV2Classifier` over compiled logits.

NumPy's and TensorFlow's seeds are set before each call; HopSkipJump draws unseeded.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.attacks.ways import Way, counted_logits
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


def _way(classifier: Classifier, attack: Any, make: Callable[[Any], Any]) -> Way:
    import_art()
    import tensorflow as tf
    from art.estimators.classification import TensorFlowV2Classifier

    logits, asked = counted_logits(classifier)
    estimator = TensorFlowV2Classifier(
        model=lambda images, training: logits(images),
        nb_classes=classifier.classes,
        input_shape=classifier.image_shape,
        loss_object=tf.keras.losses.CategoricalCrossentropy(from_logits=True),
        clip_values=(attack.threat.low, attack.threat.high),
    )
    method = make(estimator)

    def attacked(x, y):
        np.random.seed(0)  # noqa: NPY002
        tf.random.set_seed(0)
        return method.generate(x, y=np.eye(classifier.classes, dtype=np.float32)[y])

    return Way(attacked, lambda: (asked(), None))
