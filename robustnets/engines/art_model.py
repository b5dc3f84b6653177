"""The model as ART's attacks ask it: in a box of width 1, every row counted."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from robustnets.engines.job import Job


class Asked:
    """The model in a box of width 1, and how many rows of it ran forward and backward.

    Args:
        job: whose classifier and box are used.
    """

    def __init__(self, job: Job):
        import tensorflow as tf

        threat, classifier = job.attack.threat, job.classifier
        self.low, self.width = threat.low, threat.high - threat.low
        self.name = classifier.model.name
        self.shape, self.classes = classifier.image_shape, classifier.classes
        self.forward = self.backward = 0
        # any number of rows, or each would compile anew
        self._logits = tf.function(
            lambda unit: classifier.logits(self.low + self.width * unit),
            input_signature=[tf.TensorSpec((None, *self.shape), tf.float32)],
            autograph=False,
        )

    def take(self) -> tuple[int, int]:
        """The rows that ran since the last call, forward and backward."""
        counts = self.forward, self.backward
        self.forward = self.backward = 0
        return counts

    def logits(self, unit: Any) -> Any:
        """Tensor or array (N, ...) in [0, 1] -> float32 tensor (N, K)."""
        import tensorflow as tf

        self.forward += len(unit)
        values = self._logits(tf.cast(unit, tf.float32))
        if not np.isfinite(values).all():
            raise FloatingPointError(f"logits of {self.name} are not finite")
        return values

    def unit(self, x: np.ndarray) -> np.ndarray:
        """Images in their box -> images in [0, 1]."""
        return np.clip((x - np.float32(self.low)) / np.float32(self.width), 0, 1)

    def back(self, unit: np.ndarray, x: np.ndarray, close: float = 0.0) -> np.ndarray:
        """Images in [0, 1] -> images in their box; values that moved by `close` at most are x's."""
        high = self.low + self.width
        moved = np.clip(self.low + self.width * unit, self.low, high).astype(np.float32)
        return np.where(np.abs(unit - self.unit(x)) <= close, x, moved)

    def estimator(self) -> Any:
        """What ART attacks by gradients."""
        from art.estimators.classification import TensorFlowV2Classifier

        def differentiated(images, training):
            del training  # inference mode only
            self.backward += len(images)  # ART takes one gradient of each such call
            return self.logits(images)

        estimator = TensorFlowV2Classifier(
            model=differentiated,
            nb_classes=self.classes,
            input_shape=self.shape,
            clip_values=(0.0, 1.0),
        )
        estimator._forward_pass = lambda model, images, training: self.logits(images)
        return estimator

    def oracle(self, answer: Any) -> Any:
        """What ART attacks by queries: `answer` takes images (N, ...) to outputs (N, K)."""
        from art.estimators.classification import BlackBoxClassifierNeuralNetwork

        return BlackBoxClassifierNeuralNetwork(
            answer,
            self.shape,
            self.classes,
            channels_first=False,
            clip_values=(0.0, 1.0),
        )


@contextlib.contextmanager
def replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    """Give an attribute another value, and put back what was there."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
