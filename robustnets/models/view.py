"""How an attacker looks at a classifier: what its losses are taken of, and so its gradients.

Source: Carlini & Wagner 2016, arXiv:1607.04311, sec. 3 (a network distilled at temperature T gives
no gradients through its softmax at temperature 1, and usual ones once its logits are divided by
T); Keras' `categorical_crossentropy` of probabilities, which clips them to [1e-7, 1 - 1e-7]. Keras
does so only where it sees no softmax: to the output of its own softmax it attaches the logits, and
takes the cross entropy of those.
"""

from dataclasses import dataclass

import keras
from keras import ops

from robustnets.layers.temperature_softmax import TemperatureSoftmax, check_temperature
from robustnets.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class ScaledLogits:
    """The logits divided by a temperature, which changes no prediction.

    Args:
        temperature: > 0.

    Raises:
        ValueError: for another temperature.

    Example:
        >>> ScaledLogits(100.0).label
        'logits / 100'
    """

    temperature: float

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    @property
    def label(self) -> str:
        """A few words for tables."""
        return f"logits / {self.temperature:g}"

    def of(self, classifier: Classifier) -> Classifier:
        """The classifier so seen; weights are shared."""
        return _seen(classifier, lambda z: z / self.temperature, "scaled_logits")


@dataclass(frozen=True, slots=True)
class SoftmaxOutput:
    """The softmax, clipped as Keras does before it takes a cross entropy of probabilities.

    What attacks are given is the logarithm of the clipped probabilities, of which the cross
    entropy is the one that Keras takes of these probabilities: -log p[y], up to a relative error
    of K clip. Its gradient is exactly zero where the largest probability is clipped, that is
    where the other logits are all some log(1 / clip) T = 16 T below. (Where p[y] is clipped from
    below and the largest probability is not, Keras' gradient is zero and this one is of the
    order of rounding; examples that are right are never there.)

    Args:
        temperature: of the softmax, > 0.
        clip: probabilities are cut to [clip, 1 - clip], in (0, 0.5); 1e-7 is Keras' epsilon.

    Raises:
        ValueError: naming the field.

    Example:
        >>> SoftmaxOutput().label
        'softmax'
    """

    temperature: float = 1.0
    clip: float = 1e-7

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if not 0 < self.clip < 0.5:
            raise ValueError(f"clip must lie in (0, 0.5), got {self.clip!r}")

    @property
    def label(self) -> str:
        """A few words for tables."""
        return "softmax" if self.temperature == 1 else f"softmax at T {self.temperature:g}"

    def of(self, classifier: Classifier) -> Classifier:
        """The classifier so seen; weights are shared."""
        softmax = TemperatureSoftmax(self.temperature, name="softmax")
        return _seen(
            classifier,
            lambda z: ops.log(ops.clip(softmax(z), self.clip, 1 - self.clip)),
            "softmax_output",
        )


View = ScaledLogits | SoftmaxOutput
VIEWS = (ScaledLogits, SoftmaxOutput)


def _seen(classifier: Classifier, function, name: str) -> Classifier:
    inputs = classifier.model.inputs[0]
    return Classifier(keras.Model(inputs, function(classifier.model.outputs[0]), name=name))
