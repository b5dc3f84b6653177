"""The two files of a trained network in a store: its model, and its curves and facts beside it."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from robustnets.core.npz import read_arrays
from robustnets.core.store import Damaged, Store
from robustnets.models.stored import read_stored


def write(
    store: Store, key: str, model: keras.Model, curves: dict[str, np.ndarray], about: dict[str, Any]
) -> None:
    """Write both; the model comes last: where it is, all the rest is.

    Args:
        store: where they are kept.
        key: of the network.
        model, curves, about: as in `network_cache.Trained`.
    """
    arrays: dict[str, Any] = dict(curves)
    arrays["facts"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    store.write("networks", key, ".npz", lambda path: np.savez(path, **arrays))
    store.write("networks", key, ".keras", model.save)


def read(
    store: Store, key: str
) -> tuple[keras.Model, dict[str, np.ndarray], dict[str, Any]] | None:
    """The model, its curves and its facts; None unless both files are there and whole.

    What is damaged is set aside with a warning.
    """
    if not store.has("networks", key, ".keras"):
        return None  # the other alone is what a killed run left
    beside = store.read("networks", key, ".npz", read_facts)
    if beside is None:
        return None
    model = store.read("networks", key, ".keras", read_stored)
    return None if model is None else (model, *beside)


def read_facts(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The curves and the facts.

    Raises:
        OSError, Damaged: as for `read_arrays`.
    """
    arrays = read_arrays(path)
    try:
        about = json.loads(arrays.pop("facts").tobytes())
    except (KeyError, ValueError) as problem:
        raise Damaged(path, f"it holds no facts of a network ({problem})") from problem
    return arrays, about
