"""The logits of a model that ends in a softmax."""

from typing import Any

import keras


def without_softmax(model: keras.Model) -> tuple[keras.Model, str | None]:
    """Take the softmax off the end of a model.

    Args:
        model: built, with one output.

    Returns:
        The model itself and None if it does not end in a softmax; otherwise a model of what
        goes into the softmax, and the name of the layer that applied it. Weights are shared,
        but for those of a last layer with a softmax activation, which are copied.

    Raises:
        ValueError: for a softmax at the end of a nested model that is not the whole of it.
    """
    last = _last(model)
    if last is None:
        return model, None
    if isinstance(last, keras.Model):
        inner, name = without_softmax(last)
        if name is None:
            return model, None
        before = _before(model)
        return keras.Model(model.inputs, inner(before), name=model.name), name
    if _is_softmax(last):
        return keras.Model(model.inputs, _before(model), name=model.name), last.name
    if getattr(last, "activation", None) is not keras.activations.softmax:
        return model, None
    config = {**last.get_config(), "activation": "linear"}
    bare = type(last).from_config(config)
    outputs = bare(_before(model))
    bare.set_weights(last.get_weights())
    return keras.Model(model.inputs, outputs, name=model.name), last.name


def _is_softmax(operation: Any) -> bool:
    return isinstance(operation, keras.layers.Softmax) or type(operation).__name__ == "Softmax"


def _last(model: keras.Model) -> Any:
    """The operation that makes the output, or None where a subclassed model does not know."""
    outputs = getattr(model, "outputs", None)
    history = getattr(outputs[0], "_keras_history", None) if outputs else None
    return None if history is None else history.operation


def _before(model: keras.Model) -> Any:
    """The symbolic tensor that goes into the last operation of a model."""
    history = model.outputs[0]._keras_history
    return history.operation._inbound_nodes[history.node_index].arguments.args[0]
