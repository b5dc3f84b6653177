"""Averages of probabilities, as ensembles and averages over views or time give them, found.

A weighted sum is read off the graph: sums, means, and multiplication by numbers.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from robustnets.layers import MeanProbability
from robustnets.models.functional import is_kerass

_MERGED = (keras.layers.Add, keras.layers.Average)
_POOLED = (
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
)


class Member(NamedTuple):
    """A symbolic tensor (N, ..., K) of probabilities and its weight > 0 in the sum."""

    weight: float
    probabilities: Any


def mixture(tensor: Any, head_of: Callable[[Any], Any], name: str) -> Any | None:
    """The head that a weighted mean of softmaxes, or of sigmoids, amounts to.

    Args:
        tensor: symbolic (N, K).
        head_of: symbolic tensor -> the `Head` that made it, or None.
        name: of the layer that gives the logits.

    Returns:
        A `Head` whose logits are those of `MeanProbability`, or None: not a weighted sum of
        positive weights, or not all of it a softmax, or all of it a sigmoid.
    """
    members = _members(tensor)
    if members is None or (len(members) == 1 and members[0].probabilities is tensor):
        return None
    if len(members) == 1 and len(members[0].probabilities.shape) == len(tensor.shape):
        return None  # a softmax times a number
    heads = [head_of(member.probabilities) for member in members]
    if not heads or any(head is None or head.kind != heads[0].kind for head in heads):
        return None
    kind, weights = heads[0].kind, [member.weight for member in members]
    alike = max(weights) - min(weights) <= 1e-6 * max(weights)
    mean = MeanProbability(None if alike else weights, kind, name=name)
    logits = [head.logits for head in heads]
    found = mean(logits if len(logits) > 1 else logits[0])
    one = len(heads) == 1
    many = "over places" if one else f"of {len(heads)} {kind}{'es' if kind == 'softmax' else 's'}"
    what = f"mean {many} ({', '.join(dict.fromkeys(head.what for head in heads))})"
    return heads[0]._replace(logits=found, kind=kind, what=what)


def _members(tensor: Any, weight: float = 1.0) -> list[Member] | None:
    """The terms of a weighted sum; the tensor itself where it is none. None: not positive."""
    history = tensor._keras_history
    operation = history.operation
    node = operation._inbound_nodes[history.node_index]
    found = _parts(operation, node)
    if found is None:
        return [Member(weight, tensor)]
    scale, inputs = found
    if not (math.isfinite(scale) and scale > 0):
        return None
    members: list[Member] = []
    for part in inputs:
        terms = _members(part, weight * scale)
        if terms is None:
            return None
        members += terms
    return members


def _parts(operation: Any, node: Any) -> tuple[float, list[Any]] | None:
    """(scale, tensors) of what is scale times their sum; None for anything else."""
    inputs, kind = list(node.input_tensors), type(operation).__name__
    if isinstance(operation, _MERGED):
        average = isinstance(operation, keras.layers.Average)
        return (1 / len(inputs) if average else 1.0), inputs
    if isinstance(operation, keras.layers.Rescaling):
        scale, offset = (np.asarray(v) for v in (operation.scale, operation.offset))
        plain = scale.size == 1 and not offset.any()
        return (float(scale.reshape(())), inputs) if plain else None
    if isinstance(operation, _POOLED):
        places = inputs[0].shape[1:-1]
        known = operation.data_format == "channels_last" and None not in places
        return (1.0, inputs) if known and len(inputs) == 1 and not operation.keepdims else None
    if isinstance(operation, keras.layers.Layer) or not is_kerass(operation, kind):
        return None
    if kind in ("Mean", "Sum", "Average"):
        return _reduced(operation, node, kind)
    numbers = _numbers(node)
    if kind == "Add" and (len(inputs) == 2 or numbers == [0.0]):
        return 1.0, inputs
    if kind == "Multiply" and len(inputs) == 1 and numbers:
        return numbers[0], inputs
    if kind in ("Divide", "TrueDivide") and len(inputs) == 1 and numbers:
        by = numbers[0] if node.arguments.args[0] is inputs[0] else 0.0
        return (1 / by if by else math.nan), inputs
    return None


def _reduced(operation: Any, node: Any, kind: str) -> tuple[float, list[Any]] | None:
    """The same of a mean or sum over members that were stacked, or a mean over other axes."""
    if len(node.input_tensors) != 1 or _numbers(node) or getattr(operation, "keepdims", False):
        return None
    (before,) = node.input_tensors
    rank = len(before.shape)
    axes = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
    if None in axes:
        return None
    axes = sorted(axis % rank for axis in axes)
    history = before._keras_history
    if is_kerass(history.operation, "Stack") and axes == [history.operation.axis % rank]:
        stacked = history.operation._inbound_nodes[history.node_index].input_tensors
        return (1.0 if kind == "Sum" else 1 / len(stacked)), list(stacked)
    between = axes == list(range(1, rank - 1)) and None not in before.shape[1:-1]
    return (1.0, [before]) if between and kind != "Sum" else None


def _numbers(node: Any) -> list[float]:
    """The single numbers among the arguments of an operation; NaN for arrays of several."""
    flat = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
    others = [v for v in flat if v is not None and not isinstance(v, keras.KerasTensor)]
    found = []
    for value in others:
        try:
            array = np.asarray(keras.ops.convert_to_numpy(value), np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        found.append(float(array.reshape(())) if array.size == 1 else math.nan)
    return found
