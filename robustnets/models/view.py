"""How an attacker looks at a classifier: what its losses are taken of, and so its gradients.

Source: Carlini & Wagner 2016, arXiv:1607.04311, sec. 3 (a network distilled at temperature T gives
no gradients through its softmax at temperature 1, and usual ones once its logits are divided by
T); Keras' `categorical_crossentropy` of probabilities, which clips them to [1e-7, 1 - 1e-7]. Keras
does so only where it sees no softmax: to the output of its own softmax it attaches the logits, and
takes the cross entropy of those.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from robustnets.layers.substitute import with_gradient_of
from robustnets.layers.temperature_softmax import TemperatureSoftmax, check_temperature
from robustnets.models.classifier import Classifier
from robustnets.models.precision import float64_copy


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
        softmax = TemperatureSoftmax(
            self.temperature, name="softmax", dtype=classifier.precision
        )  # float64 inside `InFloat64`
        return _seen(
            classifier,
            lambda z: ops.log(ops.clip(softmax(z), self.clip, 1 - self.clip)),
            "softmax_output",
        )


@dataclass(frozen=True, slots=True)
class InFloat64:
    """The same view, or the logits as they are, computed and differentiated in float64.

    Where float32 rounds a gradient to zero this tells whether there is one. Gradients are handed
    back in float32 at the length of 1, in the largest entry of each example: what is left of a
    gradient of 1e-300 is its direction, which is all that the sign or the length of a step needs.

    Args:
        view: how the float64 network is seen; None: its logits.

    Raises:
        ValueError: for a view that is none, or of another precision already.

    Example:
        >>> InFloat64(SoftmaxOutput()).label
        'softmax in float64'
    """

    view: ScaledLogits | SoftmaxOutput | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.view, ScaledLogits | SoftmaxOutput | None):
            raise ValueError(f"view must be ScaledLogits, SoftmaxOutput or None, got {self.view!r}")

    @property
    def label(self) -> str:
        """A few words for tables."""
        return f"{'logits' if self.view is None else self.view.label} in float64"

    def of(self, classifier: Classifier) -> Classifier:
        """A copy in float64, behind a layer that takes float32 images.

        Raises:
            ValueError: if a layer cannot be copied; see `float64_copy`.
        """
        shape = classifier.image_shape
        probe = np.random.default_rng(0).random((2, *shape), np.float32)
        copy = float64_copy(classifier, probe)
        seen = copy if self.view is None else self.view.of(copy)
        images = keras.Input(shape, dtype="float32")
        model = keras.Model(images, seen.model(Widened()(images)), name="in_float64")
        return Classifier(model, precision="float64")


class Widened(keras.layers.Layer):
    """Images in float64, whose gradients come back in float32, none of them too small for it."""

    def __init__(self, **options: Any):
        super().__init__(autocast=False, **{**options, "dtype": "float64"})

    def call(self, x: Any) -> Any:
        """float32 (N, ...) -> float64 (N, ...)."""
        return _widen(x)


@ops.custom_gradient
def _widen(x):
    def gradient(*arguments, upstream=None):
        found = arguments[0] if upstream is None else upstream
        size = ops.max(ops.abs(found), axis=tuple(range(1, len(found.shape))), keepdims=True)
        return ops.cast(found / ops.where(size == 0, ops.ones_like(size), size), "float32")

    return ops.cast(x, "float64"), gradient


@dataclass(frozen=True, slots=True)
class Substitute:
    """A layer in front is computed as it is, and differentiated as its substitute (BPDA).

    The substitute is the layer's method of that name, from tensor to tensor, or the identity
    where it has none.

    Source: Athalye et al. 2018, arXiv:1802.00420, sec. 4.1.

    Example:
        >>> Substitute().label
        'substitute gradient'
    """

    substitutes: ClassVar[bool] = True

    @property
    def label(self) -> str:
        """A few words for tables."""
        return "substitute gradient"

    def of(self, classifier: Classifier) -> Classifier:
        """The classifier so seen; weights are shared.

        Raises:
            ValueError: for a model that is no layer put before another model (`layers.prepend`).
        """
        model = classifier.model
        parts = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
        if len(parts) != 2 or not isinstance(parts[1], keras.Model):
            raise ValueError(
                f"{model.name} is no layer in front of a model, and no layer of it can have a "
                "substitute gradient; put the layer in front with robustnets.layers.prepend"
            )
        layer, behind = parts
        images = keras.Input(classifier.image_shape, name="images")
        substitute = getattr(layer, "substitute", lambda x: x)
        seen = behind(with_gradient_of(substitute, layer)(images))
        return Classifier(keras.Model(images, seen, name=f"substitute_{model.name}"))


View = ScaledLogits | SoftmaxOutput | InFloat64 | Substitute
VIEWS = (ScaledLogits, SoftmaxOutput, InFloat64, Substitute)


def _seen(classifier: Classifier, function, name: str) -> Classifier:
    inputs, logits = classifier.model.inputs[0], classifier.model.outputs[0]
    if keras.backend.standardize_dtype(logits.dtype) != classifier.precision:
        logits = ops.cast(logits, classifier.precision)
    return Classifier(keras.Model(inputs, function(logits), name=name), classifier.precision)
