"""Any Keras model as a graph of its layers, from one input of images to its outputs."""

from typing import Any

import keras


def as_functional(model: keras.Model) -> keras.Model:
    """A functional model of the same layers.

    Args:
        model: built; functional, sequential or subclassed.

    Returns:
        The model itself if it is a graph already. A subclassed model becomes the graph of what
        its `call` does, where that can be written down (layers and `keras.ops`), and a graph
        of one layer, the whole of it, where it cannot. Weights are shared.

    Raises:
        ValueError: for a model that is not built, or of several inputs that are no list.
    """
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if inputs and outputs:
        # a dictionary of one image or of one answer stands for that image and that answer
        plain = hasattr(model.input, "shape") and hasattr(model.output, "shape")
        if plain or len(inputs) > 1 or len(outputs) > 1:
            return model
        return keras.Model(inputs[0], outputs[0], name=model.name)
    shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
    if shape is None or not all(d is None or isinstance(d, int) for d in shape):
        raise ValueError(
            f"{model.name} does not know the shape of its input; call it once on a batch of "
            "images before it is saved or returned"
        )
    # a fixed name, not Keras' running number: it is part of a model's digest
    images = keras.Input(tuple(shape[1:]), name="images")
    return keras.Model(images, _written_down(model, images), name=model.name)


def _written_down(model: keras.Model, images: Any) -> Any:
    try:
        outputs = model.call(images)
    except Exception:  # whatever code of its own does with a tensor that has no values
        return model(images)
    return outputs if hasattr(outputs, "_keras_history") else model(images)
