"""Any Keras model as a graph of its layers, from one input of images to its outputs."""

from typing import Any

import keras


def as_functional(model: keras.Model) -> keras.Model:
    """A functional model of the same layers.

    Args:
        model: built; functional, sequential or subclassed.

    Returns:
        The model itself if it is a graph that takes any number of images. Otherwise a graph
        of what its `call` does, where that can be written down (layers and `keras.ops`), or
        else of one layer, the whole of it. Weights are shared.

    Raises:
        ValueError: for a model that does not know the shape of its one input.
    """
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not (inputs and outputs):
        shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
        if shape is None or not all(d is None or isinstance(d, int) for d in shape):
            raise ValueError(
                f"{model.name} does not know the shape of its input; take "
                "keras.Model(x, model(x)) with x = keras.Input((height, width, channels)) instead"
            )
        return _graph(model, tuple(shape[1:]))
    if len(inputs) > 1 or len(outputs) > 1:
        return model
    if not isinstance(model, keras.Sequential) and not (
        hasattr(model.input, "shape") and hasattr(model.output, "shape")
    ):
        # a dictionary of one image or of one answer stands for that image and that answer
        model = keras.Model(inputs[0], outputs[0], name=model.name)
    if inputs[0].shape[0] is not None:  # as after a first call on a batch
        return _graph(model, tuple(inputs[0].shape[1:]))
    return model


def within(operation: Any) -> keras.Model | None:
    """The graph inside a layer that is a model itself; None for all others."""
    if not isinstance(operation, keras.Model):
        return None
    try:
        inner = as_functional(operation)
    except ValueError:  # it does not know its shape
        return None
    opaque = inner.outputs[0]._keras_history.operation is operation
    return None if opaque or len(inner.inputs) != 1 else inner


def is_kerass(operation: Any, *names: str) -> bool:
    """Whether an operation is Keras' own of one of these names, and not somebody's namesake."""
    kind = type(operation)
    return kind.__name__ in names and kind.__module__.partition(".")[0] == "keras"


def _graph(model: keras.Model, shape: tuple[int | None, ...]) -> keras.Model:
    # a fixed name, not Keras' running number: it is part of a model's digest
    images = keras.Input(shape, name="images")
    try:
        outputs = model.call(images)
    except Exception:  # whatever code of its own does with a tensor that has no values
        outputs = None
    if not hasattr(outputs, "_keras_history"):
        outputs = model(images)
    return keras.Model(images, outputs, name=model.name)
