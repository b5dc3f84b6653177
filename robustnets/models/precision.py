"""A copy of a model that computes in float64."""

from typing import Any

import keras
import numpy as np

from robustnets.models.classifier import Classifier

SAME = 1e-2  # of the logits' length: more is another model, not rounding


def float64_copy(classifier: Classifier, x: np.ndarray) -> Classifier:
    """Clone the model, every layer with dtype float64, and the same weights.

    Call it, and the copy, inside `backend.double_precision()`.

    Args:
        classifier: a functional or sequential model.
        x: float32 (n, H, W, C), on which the copy must agree with the model.

    Raises:
        ValueError: if the model cannot be cloned, or the clone gives something else or in
            another precision.
    """
    model = classifier.model
    usual = keras.config.dtype_policy()
    # layers made inside other layers ask for the default
    keras.config.set_dtype_policy("float64")
    try:
        clone = _cloned(model)
        clone.set_weights([w.astype(np.float64) for w in model.get_weights()])
        copy = Classifier(clone, precision="float64")
        # as the clone gives it: the Classifier would widen what is narrower
        given = clone(keras.ops.convert_to_tensor(x[:1].astype(np.float64)), training=False)
        found = copy.predict(x.astype(np.float64))
    except Exception as problem:  # layers raise what they like
        first = str(problem).strip().splitlines()
        raise ValueError(f"no float64 copy: {first[0] if first else problem!r}") from problem
    finally:
        keras.config.set_dtype_policy(usual)
    wanted = classifier.predict(x)
    if (dtype := keras.backend.standardize_dtype(given.dtype)) != "float64":
        raise ValueError(f"no float64 copy: a layer gives {dtype}")
    size = np.linalg.norm(wanted, axis=1, keepdims=True)
    if not (np.abs(found - wanted) <= SAME * size).all():
        raise ValueError("no float64 copy: the copy's logits are others")
    return copy


def _cloned(layer: Any) -> Any:
    if isinstance(layer, keras.Model):
        # a sequential model has no `input` before its first call
        given = layer.inputs[0] if isinstance(layer, keras.Sequential) else layer.input
        inputs = keras.tree.map_structure(
            lambda t: keras.Input(batch_shape=t.shape, dtype="float64"), given
        )
        return keras.models.clone_model(layer, input_tensors=inputs, clone_function=_cloned)
    if not isinstance(layer, keras.layers.Layer):
        return layer  # a bare operation, which computes in what it is given
    return type(layer).from_config({**layer.get_config(), "dtype": "float64"})
