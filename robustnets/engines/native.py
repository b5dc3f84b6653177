"""The engine of this package: one compiled function per attack and classifier."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from robustnets.attacks.base import Attack
from robustnets.core.seeds import derive
from robustnets.models.classifier import Classifier, batches


def supports(attack: Attack) -> bool:
    """Every attack has a `perturb`, which is all that is needed here."""
    return callable(getattr(attack, "perturb", None))


def directions(
    attack: Any, classifier: Classifier, x: np.ndarray, y: np.ndarray, batch_size: int
) -> np.ndarray:
    """The direction of a single-step attack for each example: float32 (N, H, W, C)."""
    batch_size = min(batch_size, len(x))
    spec = dataclasses.replace(attack, threat=dataclasses.replace(attack.threat, eps=0.0))
    find = classifier.compiled(
        ("direction", spec), lambda x, y: spec.direction(classifier.logits, x, y)
    )
    out = []
    for (part, n), (labels, _) in zip(
        batches(x, batch_size), batches(y.astype(np.int32), batch_size)
    ):
        found = find(keras.ops.convert_to_tensor(part), keras.ops.convert_to_tensor(labels))
        out.append(keras.ops.convert_to_numpy(found)[:n])
    return np.concatenate(out)


def step(attack: Any, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Go `attack.threat.eps` along each direction: float32 (N, H, W, C)."""
    eps = np.full(len(x), attack.threat.eps, np.float32)
    tensors = (keras.ops.convert_to_tensor(a) for a in (x, direction, eps))
    return keras.ops.convert_to_numpy(attack.step(*tensors))


def generate(
    attack: Any,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    seed: int,
    batch_size: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """Attack checked arrays; see `engines.run` for the arguments.

    The function compiles once for each batch size and serves every radius: eps is an argument
    of it. The last batch is padded, not smaller.

    Returns:
        float32 (N, H, W, C); rows of NaN where the model's numbers are not finite.
    """
    batch_size = min(batch_size, len(x))
    # specs that differ in eps alone share one compiled function
    spec = dataclasses.replace(attack, threat=dataclasses.replace(attack.threat, eps=0.0))
    perturb = classifier.compiled(
        ("perturb", spec),
        lambda x, y, seeds, eps: spec.perturb(classifier.logits, x, y, seeds, eps),
    )
    eps = keras.ops.convert_to_tensor(np.full(batch_size, attack.threat.eps, np.float32))
    # a stream, so that example i draws the same whatever follows it
    stream = np.random.default_rng(derive(seed, "examples"))
    seeds = stream.integers(0, 2**31, len(x), dtype=np.int32)
    adversarial = np.empty_like(x)
    done = 0
    columns = (batches(a, batch_size) for a in (x, y.astype(np.int32), seeds))
    for (part, n), (labels, _), (draws, _) in zip(*columns):
        tensors = (keras.ops.convert_to_tensor(a) for a in (part, labels, draws))
        moved = keras.ops.convert_to_numpy(perturb(*tensors, eps))
        adversarial[done : done + n] = moved[:n]
        done += n
        if progress is not None:
            progress(done, len(x))
    return adversarial
