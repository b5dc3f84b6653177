"""Files that another Keras wrote: what Keras 3 takes once a word is changed, and what it does not.

Keras 2 wrote settings that Keras 3 no longer knows. Those that have no effect, or none when a
model predicts, are dropped. The rest is said in one sentence.
"""

import re
from collections.abc import Iterator
from typing import Any

import keras

from robustnets.models.formats import EXPORT

# by class: settings that Keras 3 does not know, and the value that means nothing
# there; ANY where the setting does not matter when a model predicts
_ANY = object()
_SEPARABLE = {
    "groups": 1,
    "kernel_initializer": _ANY,
    "kernel_regularizer": _ANY,
    "kernel_constraint": _ANY,
}
_IDLE: dict[str, dict[str, Any]] = {
    "DepthwiseConv2D": {"groups": 1},
    "DepthwiseConv1D": {"groups": 1},
    "SeparableConv2D": _SEPARABLE,
    "SeparableConv1D": _SEPARABLE,
    "Conv2DTranspose": {"groups": 1},
    "Conv1DTranspose": {"groups": 1},
    "Conv3DTranspose": {"groups": 1},
    "LSTM": {"time_major": False},
    "GRU": {"time_major": False},
    "SimpleRNN": {"time_major": False},
    "RNN": {"time_major": False},
    "BatchNormalization": {"renorm": False, "fused": _ANY, "virtual_batch_size": None},
    "RandomFlip": {"rng_type": _ANY},
    "RandomRotation": {"rng_type": _ANY},
    "RandomZoom": {"rng_type": _ANY},
    "RandomTranslation": {"rng_type": _ANY},
    "RandomContrast": {"rng_type": _ANY},
    "RandomBrightness": {"rng_type": _ANY},
}
# what Keras 2 made of operations that are no layers
_KERAS_2_ONLY = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod",
                 "InstanceMethod", "InstanceProperty")  # fmt: skip


def modernised(config: Any) -> Any:
    """The configuration of a model as Keras 3 takes it; the same object if nothing changes.

    The input shape that the first layer of a Sequential carries goes to an InputLayer before it,
    and settings that mean nothing any more are dropped.
    """
    if isinstance(config, list):
        found = [modernised(item) for item in config]
        return config if all(a is b for a, b in zip(found, config)) else found
    if not isinstance(config, dict):
        return config
    made = {key: modernised(value) for key, value in config.items()}
    changed = any(made[key] is not config[key] for key in config)
    kind, inner = made.get("class_name"), made.get("config")
    idle = _IDLE.get(kind, {}) if isinstance(kind, str) else {}
    if isinstance(inner, dict):
        dropped = [k for k, v in idle.items() if k in inner and (v is _ANY or inner[k] == v)]
        if dropped:
            made["config"] = {k: v for k, v in inner.items() if k not in dropped}
            changed = True
    if kind == "Sequential":
        with_input = _with_input(inner)
        if with_input is not inner:
            made["config"], changed = with_input, True
    return made if changed else config


def _with_input(sequential: Any) -> Any:
    """The configuration of a Sequential, beginning with an InputLayer."""
    if isinstance(sequential, list):  # as Keras wrote it until 2.2
        sequential = {"name": "sequential", "layers": sequential}
    layers = sequential.get("layers") if isinstance(sequential, dict) else None
    if not layers or not all(isinstance(layer, dict) for layer in layers):
        return sequential
    first, *others = layers
    if first.get("class_name") == "InputLayer":
        again = [_without_shape(layer) for layer in others]
        same = all(a is b for a, b in zip(again, others))
        return sequential if same else {**sequential, "layers": [first, *again]}
    inside = first.get("config")
    while isinstance(inside, dict) and "batch_input_shape" not in inside:
        # a wrapper, such as TimeDistributed, holds the layer that carries it
        inside = inside.get("layer", {}).get("config") if "layer" in inside else None
    if not isinstance(inside, dict):
        return sequential
    dtype = inside.get("dtype")
    setting = {"batch_input_shape": inside["batch_input_shape"], "name": "images"}
    if isinstance(dtype, str) and dtype.startswith("float"):
        setting["dtype"] = dtype
    start = {"class_name": "InputLayer", "config": setting}
    return {**sequential, "layers": [start, *map(_without_shape, layers)]}


def _without_shape(layer: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a layer that stands behind another one."""
    inner = layer.get("config")
    if not isinstance(inner, dict) or "batch_input_shape" not in inner:
        return layer
    return {**layer, "config": {k: v for k, v in inner.items() if k != "batch_input_shape"}}


def keras_2_only(config: Any) -> list[str]:
    """The kinds of layers in a configuration that only Keras 2 has."""
    return [name for name in dict.fromkeys(class_names(config)) if name in _KERAS_2_ONLY]


def class_names(config: Any) -> Iterator[str]:
    """Every class that a configuration names."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"]
        for value in config.values():
            yield from class_names(value)
    elif isinstance(config, list):
        for value in config:
            yield from class_names(value)


def is_newer(version: str) -> bool:
    """Whether a file is of a newer Keras than the installed one."""
    return _numbers(version) > _numbers(keras.__version__)


def is_keras_2(version: str) -> bool:
    """Whether a file is of Keras 2 or older."""
    return 0 < _numbers(version)[0] < 3


def why_not(version: str, config: Any) -> str | None:
    """Why a file cannot be read, if another Keras wrote it: the rest of a sentence, or None.

    Args:
        version: that the file names, "" for none.
        config: of its model.
    """
    only = keras_2_only(config)
    if only or is_keras_2(version):
        written = f"Keras {version}" if is_keras_2(version) else "Keras 2"
        lacks = f" with {' and '.join(only)} layers" if only else ""
        return (
            f"was written by {written}{lacks}, and Keras {keras.__version__} cannot read it; "
            f"{EXPORT}"
        )
    if is_newer(version):
        return (
            f"was written by Keras {version}, newer than the installed {keras.__version__}; "
            f"install that version (pip install 'keras>={version}')"
        )
    return None


def _numbers(version: str) -> tuple[int, int]:
    """Major and minor number; (0, 0) for none."""
    found = re.match(r"(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)
