"""The logits of an average of probabilities, as ensembles give it.

Source: Lakshminarayanan et al. 2017, arXiv:1612.01474, sec. 2.4 (an ensemble predicts the average
of its members' probabilities).
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="robustnets")
class MeanProbability(keras.layers.Layer):
    """The logarithm of a weighted mean of softmaxes, or the log odds of one of sigmoids.

    Shapes: a tensor of logits (N, ..., K), or a list of them, one for each member -> (N, K).
    Axes between the first and the last, such as time or place, are averaged over. The softmax of
    what it gives, or the sigmoid, is the mean of the members' softmaxes or sigmoids.

    No probability is ever formed: it is logsumexp(log_softmax(z_m) + log w_m), whose gradient does
    not vanish where all members are sure, while the logarithm of a mean has none once a
    probability rounds to 0. Computed in float32 whatever the global policy.

    Args:
        weights: one for each member, > 0; they are divided by their sum. None: all alike.
        of: "softmax" or "sigmoid", what the members' logits go into.

    Raises:
        ValueError: for other settings, or if called with another number of members.

    Example:
        >>> sure, unsure = ops.convert_to_tensor([[2.0, 0.0]]), ops.convert_to_tensor([[0.0, 0.0]])
        >>> mean = ops.softmax(MeanProbability()([sure, unsure]))
        >>> round(float(mean[0, 0]), 4), round((1 / (1 + math.exp(-2.0)) + 0.5) / 2, 4)
        (0.6904, 0.6904)
    """

    def __init__(self, weights: Sequence[float] | None = None, of: str = "softmax", **kwargs: Any):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if of not in ("softmax", "sigmoid"):
            raise ValueError(f"of must be softmax or sigmoid, got {of!r}")
        if weights is not None:
            weights = tuple(float(w) for w in weights)
            if not weights or not all(math.isfinite(w) and w > 0 for w in weights):
                raise ValueError(f"weights must be finite numbers > 0, got {weights}")
        self.weights_of_members, self.of = weights, of

    def call(self, logits):
        members = list(logits) if isinstance(logits, (list, tuple)) else [logits]
        weights = self.weights_of_members or (1.0,) * len(members)
        if len(weights) != len(members):
            raise ValueError(f"{len(weights)} weights, but {len(members)} members")
        shares = [math.log(w / sum(weights)) for w in weights]
        if self.of == "softmax":
            return _log_mean([ops.log_softmax(z, axis=-1) for z in members], shares)
        yes = _log_mean([ops.log_sigmoid(z) for z in members], shares)
        return yes - _log_mean([ops.log_sigmoid(-z) for z in members], shares)

    def compute_output_shape(self, input_shape):
        several = isinstance(input_shape[0], (list, tuple))
        shape = input_shape[0] if several else input_shape
        return (shape[0], shape[-1])

    def get_config(self):
        weights = None if self.weights_of_members is None else list(self.weights_of_members)
        return {**super().get_config(), "weights": weights, "of": self.of}


def _log_mean(logs: list[Any], shares: list[float]) -> Any:
    """log(sum of exp(log + share)): tensors (N, ..., K) of logarithms -> (N, K)."""
    parts = []
    for log, share in zip(logs, shares):
        between = tuple(range(1, len(log.shape) - 1))
        if between:
            count = math.prod(log.shape[axis] for axis in between)
            log = ops.logsumexp(log, axis=between) - math.log(count)
        parts.append(log + share)
    return ops.logsumexp(ops.stack(parts, axis=0), axis=0)
