"""The logits of a model that ends in a softmax or sigmoid, found or named."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from robustnets.layers import TemperatureSoftmax, TwoLogits
from robustnets.models.functional import is_kerass, within
from robustnets.models.mixture import mixture
from robustnets.models.saved_model import SavedProgram

_HEADS = {
    "softmax": (keras.activations.softmax, "Softmax"),
    "sigmoid": (keras.activations.sigmoid, "Sigmoid"),
}


class Head(NamedTuple):
    """What ends a model.

    Args:
        logits: the symbolic tensor that goes into it.
        kind: "softmax" or "sigmoid"; applied to the logits it gives what the model gives.
        what: it in words, such as "softmax (dense_3)" or "mean of 2 softmaxes (average)".
    """

    logits: Any
    kind: str
    what: str


# What is made anew for a layer or model, by its id: one that is called twice is made once.
Copies = dict[int, Any]
_MEANS = 0  # no id: how many means were made, so that each has a name of its own


def without_head(model: keras.Model) -> tuple[keras.Model, str | None]:
    """Take a softmax, or a sigmoid of each output, off the end of a model.

    It may be a layer, an operation, the activation of the last layer or the end of a
    SavedModel, in nested models too, and layers that do nothing when a model predicts may
    follow it. A weighted mean of several, as an ensemble gives it, is such a head too: what goes
    into it is then the logarithm of the mean, or its log odds; see `layers.MeanProbability`.

    Args:
        model: built, with one output (N, K).

    Returns:
        The model itself and None if it ends in neither; otherwise a model of what goes into
        the head, and what was taken off, such as "softmax (dense_3)". Weights are shared, but
        for those of a last layer with an activation, which are copied.
    """
    found = _before_head(model.outputs[0], {})
    if found is None:
        return model, None
    return _up_to(model, found.logits), found.what


def gives_one_value(model: keras.Model) -> bool:
    """Whether its one output holds a single value for each example."""
    return math.prod(d or 0 for d in model.outputs[0].shape[1:]) == 1


def with_two_logits(model: keras.Model) -> keras.Model:
    """A model of one value z as one of two logits, (0, z)."""
    return _up_to(model, TwoLogits(name="two_logits")(model.outputs[0]))


def at_layer(model: keras.Model, name: str) -> keras.Model:
    """The model up to the output of one of its layers.

    Args:
        model: built; functional or sequential.
        name: of a layer or operation, at any depth; "outer/inner" where a name occurs in
            several nested models; in a SavedModel that of an operation of its graph.

    Raises:
        ValueError: if no layer has the name, or several calls of layers have it.
    """
    found = list(_tensors_named(model, name))
    if len(found) != 1:
        problem = "no layer" if not found else f"{len(found)} calls of layers named"
        raise ValueError(f"{model.name} has {problem} {name!r}; it has {layer_names(model)}")
    return _up_to(model, found[0])


def layer_names(model: keras.Model, most: int = 12) -> str:
    """The last names that `at_layer` knows in a model, in the order of the graph."""
    known = list(dict.fromkeys(_names(model)))
    more = len(known) - most
    return ", ".join(known[-most:]) + (f" and {more} before these" if more > 0 else "")


def _up_to(model: keras.Model, tensor: Any) -> keras.Model:
    # a single input stands for itself: Keras warns of a list of one
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    return keras.Model(inputs, tensor, name=model.name)


def _before_head(tensor: Any, copies: Copies) -> Head | None:
    """The head that made a symbolic tensor."""
    operation, node = _made_by(tensor)
    if len(node.input_tensors) == 1:
        (before,) = node.input_tensors
        found = _single_head(operation, before, tensor, copies)
        if found is not None:
            return found
    number = copies.get(_MEANS, 0)
    copies[_MEANS] = number + 1
    # a fixed name, not Keras' running number: it is part of a model's digest
    name = f"mean_probability_{number}" if number else "mean_probability"
    return mixture(tensor, lambda member: _before_head(member, copies), name)


def _single_head(operation: Any, before: Any, tensor: Any, copies: Copies) -> Head | None:
    """The same where the operation takes one tensor."""
    inner = within(operation)
    if inner is not None:
        if id(operation) not in copies:
            found = _before_head(inner.outputs[0], {})
            copies[id(operation)] = found and (_up_to(inner, found.logits), *found[1:])
        known = copies[id(operation)]
        return None if known is None else Head(known[0](before), *known[1:])
    if isinstance(operation, SavedProgram):
        program = operation.without_head()
        if program is None:
            return None
        return Head(program[0](before), program[1].partition(" ")[0], program[1])
    if isinstance(operation, TemperatureSoftmax):
        # divided, so that the softmax of the logits stays what the model says
        return Head(before / operation.temperature, "softmax", f"softmax ({operation.name})")
    kind = _head(operation, tensor)
    if kind is not None:
        return Head(before, kind, f"{kind} ({operation.name})")
    kind = _activation(operation)
    if kind is not None:
        bare_layer = copies.get(id(operation))
        if bare_layer is None:
            config = {**operation.get_config(), "activation": "linear"}
            bare_layer = copies[id(operation)] = type(operation).from_config(config)
        logits = bare_layer(before)
        bare_layer.set_weights(operation.get_weights())
        return Head(logits, kind, f"{kind} ({operation.name})")
    if _passes_on(operation) and _same_row(before.shape, tensor.shape):
        found = _before_head(before, copies)
        if found is None or tuple(before.shape) == tuple(tensor.shape):
            return found
        return found._replace(logits=operation(found.logits))
    return None


def _same_row(before: Any, after: Any) -> bool:
    """Whether reshaping one into the other leaves the classes where they are, on one axis."""
    if tuple(before) == tuple(after):
        return True
    sizes = [[d for d in shape[1:] if d != 1] for shape in (before, after)]
    return sizes[0] == sizes[1] and len(sizes[0]) < 2 and None not in sizes[0]


def _made_by(tensor: Any) -> tuple[Any, Any]:
    """The operation that made a symbolic tensor, and the node of that call."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index]


def _head(operation: Any, tensor: Any) -> str | None:
    """Which head an operation is, over the last axis, or None."""
    for kind, (_, name) in _HEADS.items():
        if is_kerass(operation, name):
            last = getattr(operation, "axis", -1) in (-1, len(tensor.shape) - 1)
            return kind if last else None
    return None


def _activation(layer: Any) -> str | None:
    """Which head a layer has for its activation, or None."""
    activation = getattr(layer, "activation", None)
    for kind, (function, _) in _HEADS.items():
        if activation is function and isinstance(layer, keras.layers.Layer):
            return kind
    return None


def _passes_on(operation: Any) -> bool:
    """Whether an operation gives what it takes when a model predicts."""
    kinds = (keras.layers.Identity, keras.layers.Dropout, keras.layers.Reshape)
    if isinstance(operation, (*kinds, keras.layers.Flatten)):
        return True
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    return is_kerass(operation, "Cast", "Identity", "Reshape", "Squeeze", "ExpandDims")


def _calls(model: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Every operation of a graph with the node of each of its calls, the last first."""
    waiting, seen = list(model.outputs), set()
    while waiting:
        operation, node = _made_by(waiting.pop(0))
        if id(node) not in seen:
            seen.add(id(node))
            yield operation, node
            waiting += node.input_tensors


def _tensors_named(model: keras.Model, name: str) -> Iterator[Any]:
    """Symbolic tensors, in the graph of the model, that a layer of that name gives."""
    for operation, node in _calls(model):
        if operation.name == name and not isinstance(operation, keras.layers.InputLayer):
            yield node.outputs[0]
        elif (inner := within(operation)) is not None:
            for tensor in _tensors_named(inner, name.removeprefix(f"{operation.name}/")):
                yield _up_to(inner, tensor)(node.input_tensors[0])
        elif isinstance(operation, SavedProgram) and name in operation.operations:
            yield operation.until(name)(node.input_tensors[0])


def _names(model: keras.Model) -> Iterator[str]:
    """The names that `at_layer` knows, in the order of the graph."""
    for operation, _ in reversed(list(_calls(model))):
        if (inner := within(operation)) is not None:
            yield from (f"{operation.name}/{name}" for name in _names(inner))
        elif isinstance(operation, SavedProgram):
            yield from operation.operations
        elif not isinstance(operation, keras.layers.InputLayer):
            yield operation.name
