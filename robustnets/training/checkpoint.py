"""The state of an unfinished training, in one file that a killed run goes on from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from robustnets.core.npz import read_arrays
from robustnets.core.store import Damaged, read_or_set_aside, write_atomically
from robustnets.training.spec import Rule, rule_key


@dataclass(eq=False)
class State:
    """What `load` found; empty where nothing was saved.

    Args:
        history: the logs of each finished epoch.
        stops: (rule, epoch, weights) of each rule that has fired.
        windows: state of StopOnStableWeights by patience.
        learning_rate: as it stood, or None.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    stops: list[tuple[Rule, int, list[np.ndarray]]] = field(default_factory=list)
    windows: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    learning_rate: float | None = None


def save(
    path: Path,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    key: str,
    history: list[dict[str, float]],
    stops: Mapping[Rule, Any],
    windows: Mapping[int, Mapping[str, np.ndarray]],
) -> None:
    """Write everything the next epoch depends on, atomically; `key` says of which training."""
    arrays = {
        f"variable/{i}": keras.ops.convert_to_numpy(v)
        for i, v in enumerate(_variables(model, optimizer))
    }
    for rule, stop in stops.items():
        for i, weight in enumerate(stop.weights):
            arrays[f"stop/{rule_key(rule)}/{i}"] = weight
    for patience, window in windows.items():
        for name, array in window.items():
            arrays[f"window/{patience}/{name}"] = array
    facts = {
        "key": key,
        "history": history,
        "stops": {rule_key(rule): stop.epoch for rule, stop in stops.items()},
    }
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    write_atomically(path, lambda p: np.savez(p, **arrays))


def load(
    path: Path | None,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    rules: Sequence[Rule],
    key: str,
) -> State:
    """Put the saved variables back into the model and the optimizer.

    A damaged file is set aside with a warning, and training begins anew; nothing is put back then.

    Raises:
        ValueError: if the file was written under another key.
    """
    kept = None if path is None else read_or_set_aside(path, _read)
    if kept is None:
        return State()
    facts, arrays = kept
    if facts["key"] != key:
        raise ValueError(f"{path} belongs to another training; delete it or name another file")
    for i, variable in enumerate(_variables(model, optimizer)):
        variable.assign(arrays[f"variable/{i}"])
    stops = []
    for rule in rules:
        if rule_key(rule) in facts["stops"]:
            prefix = f"stop/{rule_key(rule)}/"
            count = sum(name.startswith(prefix) for name in arrays)
            weights = [arrays[f"{prefix}{i}"] for i in range(count)]
            stops.append((rule, facts["stops"][rule_key(rule)], weights))
    windows: dict[int, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        if name.startswith("window/"):
            _, patience, part = name.split("/")
            windows.setdefault(int(patience), {})[part] = array
    return State(facts["history"], stops, windows, float(optimizer.learning_rate))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The facts and the arrays of a checkpoint.

    Raises:
        OSError, Damaged: as for `read_arrays`.
    """
    arrays = read_arrays(path)
    try:
        facts = json.loads(arrays.pop("facts").tobytes())
    except (KeyError, ValueError) as problem:
        raise Damaged(path, f"it is no checkpoint ({problem})") from problem
    if not isinstance(facts, dict) or not {"key", "history", "stops"} <= facts.keys():
        raise Damaged(path, "it is no checkpoint")
    return facts, arrays


def _variables(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> list[Any]:
    return [*model.variables, *optimizer.variables]
