"""What stands for a classifier where one is wanted."""

import os
from typing import Any

import keras

from robustnets.models.classifier import Classifier


def classifier_of(model: Any, name: str = "classifier") -> Classifier:
    """The Classifier that is meant.

    Functions are compiled once for each Classifier: who attacks a model several times makes one
    and keeps it.

    Args:
        model: a Classifier, or what wraps one, which comes back as it is; a Keras model; or
            where one is, as for `load_classifier`, read in Keras' safe mode.
        name: of the argument, for messages.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for anything else, or a model that is no classifier of images.
    """
    wrapped = hasattr(model, "logits") and hasattr(model, "image_shape")
    if isinstance(model, Classifier) or (wrapped and not isinstance(model, (type, keras.Model))):
        return model
    if isinstance(model, (str, os.PathLike)):
        from robustnets.models.load import load_classifier

        return load_classifier(os.fspath(model))
    if isinstance(model, keras.Model):
        return Classifier(model)
    kind = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
    raise ValueError(
        f"{name} must be a Keras model, a Classifier or the path of a saved model, got {kind}"
        + ("; make an instance of it" if isinstance(model, type) else "")
    )
