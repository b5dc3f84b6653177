"""Puts a preprocessing layer before an existing model, without changing the model."""

import keras


def prepend(model: keras.Model, layer: keras.layers.Layer) -> keras.Model:
    """Chain layer and model into one model.

    Args:
        model: built, with one input (N, ...); its weights are shared, not copied.
        layer: keeps the shape of its input, such as a LinearFilter.

    Returns:
        A model of the same inputs and outputs, saved and loaded as one `.keras` file.

    Raises:
        ValueError: if the model is not built or has several inputs, or if the layer
            does not take and give its input shape.
    """
    shape = _input_shape(model)
    # fixed names, not Keras' running numbers: they are part of a model's digest
    images = keras.Input(shape[1:], name="images")
    try:
        filtered = layer(images)  # the shape is asked of a call, which every layer has
    except ValueError as problem:
        raise ValueError(f"{layer.name} does not take what {model.name} does: {problem}") from None
    if tuple(filtered.shape) != shape:
        raise ValueError(
            f"{model.name} takes {shape}, but {layer.name} turns that into {tuple(filtered.shape)}"
        )
    return keras.Model(images, model(filtered), name=f"{layer.name}_{model.name}")


def _input_shape(model: keras.Model) -> tuple[int | None, ...]:
    if not model.built:
        raise ValueError(f"{model.name} is not built; call it once, or build it with its shape")
    inputs = getattr(model, "inputs", None)
    if inputs is not None:
        if len(inputs) != 1:
            raise ValueError(f"{model.name} has {len(inputs)} inputs, a filter goes before one")
        return tuple(inputs[0].shape)
    # a subclassed model remembers the shape only in its build configuration
    shape = (model.get_build_config() or {}).get("input_shape")
    if shape is None:
        raise ValueError(f"{model.name} has no single input shape; build it with one shape")
    return (None, *shape[1:])
