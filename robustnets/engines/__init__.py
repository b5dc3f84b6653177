"""Engines carry an attack out: `native` compiled here, `art` and `cleverhans` by the peers."""

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from robustnets.attacks.base import Attack
from robustnets.models.classifier import Classifier

ENGINES = ("native", "art", "cleverhans")


@dataclass(frozen=True, eq=False, slots=True)
class Adversarial:
    """What an engine made of N examples.

    Args:
        x: float32 (N, H, W, C), the attacked examples, in the box.
        forward: int32 (N,), forward passes spent on each.
        backward: int32 (N,), backward passes spent on each.
        seconds: wall clock of the whole run, compilation included.
    """

    x: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    seconds: float


def run(
    attack: Attack,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    engine: str = "native",
    seed: int = 0,
    batch_size: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> Adversarial:
    """Attack every example.

    Args:
        attack: the spec; its `threat.eps` is the radius.
        classifier: the victim.
        x: float32 (N, H, W, C), finite, inside the attack's box.
        y: int (N,), true labels, or the classes to reach if the attack is targeted.
        engine: one of `ENGINES`.
        seed: of every draw; example i draws the same whatever the batch size.
        batch_size: examples at a time, which bounds the memory.
        progress: called with (examples done, N) after each batch.

    Raises:
        ValueError: for an unknown engine, an attack that the engine does not know, or
            arrays that are not as above.
        RuntimeError: for a peer engine on a backend other than TensorFlow.
        FloatingPointError: if the model's logits or gradients are not finite.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    carrier = _load(engine)
    if not carrier.supports(attack):
        able = ", ".join(name for name in ENGINES if _load(name).supports(attack))
        raise ValueError(
            f"the {engine} engine cannot carry out {type(attack).__name__}; use one of: {able}"
        )
    _check(attack, classifier, x, y, seed, batch_size)
    started = time.perf_counter()
    adversarial = carrier.generate(
        attack, classifier, x, y.astype(np.int64), seed, batch_size, progress
    )
    return _adversarial(attack, classifier, adversarial, started)


def sweep(
    attack: Any,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    epsilons: Sequence[float],
    *,
    engine: str = "native",
    seed: int = 0,
    batch_size: int = 500,
) -> Iterator[tuple[float, Adversarial]]:
    """Attack every example at each of several radii, one radius at a time.

    The native engine finds the direction of a single-step attack once for all radii; the
    examples are those of `run`, and so are the passes, which are the price of one radius.

    Args:
        attack: the spec; its `threat.eps` is replaced by each radius.
        epsilons: radii >= 0, in input units.
        classifier, x, y, engine, seed, batch_size: as for `run`.

    Yields:
        (eps, the examples at eps), in the given order.
    """
    specs = [replace(attack, threat=replace(attack.threat, eps=eps)) for eps in epsilons]
    if engine != "native" or not hasattr(attack, "direction"):
        for eps, spec in zip(epsilons, specs):
            yield eps, run(spec, classifier, x, y, engine=engine, seed=seed, batch_size=batch_size)
        return
    native = _load(engine)
    _check(attack, classifier, x, y, seed, batch_size)
    started = time.perf_counter()
    direction = native.directions(attack, classifier, x, y, batch_size)
    for eps, spec in zip(epsilons, specs):
        yield eps, _adversarial(spec, classifier, native.step(spec, x, direction), started)
        started = time.perf_counter()


def _load(engine: str) -> Any:
    return importlib.import_module(f"robustnets.engines.{engine}")


def _adversarial(attack, classifier, adversarial: np.ndarray, started: float) -> Adversarial:
    broken = np.flatnonzero(~np.isfinite(adversarial).reshape(len(adversarial), -1).all(axis=1))
    if len(broken):
        raise FloatingPointError(
            f"logits or gradients of {classifier.model.name} are not finite for {len(broken)} of "
            f"{len(adversarial)} examples (the first is number {broken[0]}); check its weights"
        )
    forward, backward = (np.full(len(adversarial), count, np.int32) for count in attack.passes)
    return Adversarial(adversarial, forward, backward, time.perf_counter() - started)


def _check(attack, classifier, x, y, seed, batch_size) -> None:
    shape, box = classifier.image_shape, attack.threat
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        kind = getattr(x, "dtype", type(x).__name__)
        raise ValueError(f"x must be a float32 NumPy array, got {kind}; use x.astype('float32')")
    if x.ndim != 4 or len(x) == 0 or x.shape[1:] != shape:
        raise ValueError(f"x must be (N, {', '.join(map(str, shape))}) with N > 0, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x holds NaN or infinite values; remove those examples")
    if x.min() < box.low or x.max() > box.high:
        raise ValueError(
            f"x must lie in the box [{box.low}, {box.high}] of the threat model, "
            f"got [{x.min():g}, {x.max():g}]; rescale x or give the ThreatModel its box"
        )
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.integer):
        kind = getattr(y, "dtype", type(y).__name__)
        raise ValueError(f"y must be an integer NumPy array, got {kind}; use class numbers")
    if y.shape != (len(x),):
        raise ValueError(f"y must be ({len(x)},), one class per example, got {y.shape}")
    if y.min() < 0 or y.max() >= classifier.classes:
        raise ValueError(
            f"y must lie in 0..{classifier.classes - 1}, the classes of the model, "
            f"got {y.min()}..{y.max()}"
        )
    for name, value, least in (("seed", seed, 0), ("batch_size", batch_size, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be an int >= {least}, got {value!r}")
