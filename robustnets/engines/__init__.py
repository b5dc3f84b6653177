"""Engines carry an attack out: `native` compiled here, `art` and `cleverhans` by the peers."""

import importlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from keras import ops

from robustnets.attacks.base import Attack, shrink
from robustnets.core.seeds import derive
from robustnets.engines.job import Job, Outcome
from robustnets.models.classifier import Classifier

ENGINES = ("native", "art", "cleverhans")


@dataclass(frozen=True, eq=False, slots=True)
class Adversarial:
    """What an engine made of N examples.

    Args:
        x: float32 (N, H, W, C), the attacked examples, in the box.
        success: bool (N,), whether the model, asked about these very values, gives another
            class than y (the class y, if targeted).
        forward: int32 (N,), forward passes spent on each; verifying success is not counted.
        backward: int32 (N,), backward passes spent on each.
        seconds: wall clock of the whole run, compilation included.
    """

    x: np.ndarray
    success: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    seconds: float


@overload
def run(
    attack: Attack,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    epsilons: None = None,
    engine: str = "native",
    seed: int = 0,
    batch_size: int = 500,
    attack_wrong: bool = False,
    time_budget: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Adversarial: ...


@overload
def run(
    attack: Attack,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    epsilons: Sequence[float],
    engine: str = "native",
    seed: int = 0,
    batch_size: int = 500,
    attack_wrong: bool = False,
    time_budget: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Adversarial, ...]: ...


def run(
    attack: Attack,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    epsilons: Sequence[float] | None = None,
    engine: str = "native",
    seed: int = 0,
    batch_size: int = 500,
    attack_wrong: bool = False,
    time_budget: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Attack every example.

    Args:
        attack: the spec; its `threat.eps` is the radius, unless `epsilons` are given.
        classifier: the victim.
        x: float32 (N, H, W, C), finite, inside the attack's box.
        y: int (N,), true labels, or the classes to reach if the attack is targeted.
        epsilons: radii in place of the attack's own. A minimal attack runs once and its
            perturbations are cut down to each; any other runs once for each.
        engine: one of `ENGINES`.
        seed: of every draw; example i draws the same whatever the batch size.
        batch_size: examples at a time, which bounds the memory.
        attack_wrong: attack also the examples that are a success as they stand. Otherwise
            they come back as they are, and one forward pass finds them out.
        time_budget: seconds after which no new work starts, or None. What is at hand then is
            the result, and depends on the machine.
        progress: called with (examples done, of how many) after each batch.

    Returns:
        The examples, or with `epsilons` a tuple of them in the order of the radii. The
        passes and seconds of a minimal attack stand with every radius: they are the price of
        each, and of all.

    Raises:
        ValueError: for an unknown engine, an attack that the engine does not know, or
            arguments that are not as above.
        RuntimeError: for a peer engine on a backend other than TensorFlow.
        FloatingPointError: if the model's logits or gradients are not finite.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    carrier = _load(engine)
    if not carrier.supports(attack):
        able = ", ".join(name for name in ENGINES if _load(name).supports(attack))
        raise ValueError(
            f"the {engine} engine cannot carry out {type(attack).__name__} with these settings; "
            f"use one of: {able}"
        )
    _check(attack, classifier, x, y, seed, batch_size, time_budget)
    specs = [attack] if epsilons is None else _with_radii(attack, epsilons)
    started = time.perf_counter()
    y = y.astype(np.int64)
    size = min(batch_size, len(x))
    rows = np.arange(len(x))
    if not attack_wrong:
        rows = np.flatnonzero(~_succeeds(attack, classifier, x, y, size))
    runs = 1 if attack.minimal else len(specs)
    # a stream, so that example i draws the same whatever follows it
    stream = np.random.default_rng(derive(seed, "examples"))
    seeds = stream.integers(0, 2**31, len(x), dtype=np.int32)

    def carry_out(spec: Attack, number: int) -> Outcome:
        whole = Outcome(x.copy(), *(np.full(len(x), not attack_wrong, np.int32) for _ in "fb"))
        whole.backward[:] = 0
        if len(rows) == 0:
            return whole

        def report(done: int) -> None:
            if progress is not None:
                progress((number + 1) * len(x) - len(rows) + done, runs * len(x))

        job = Job(
            spec,
            classifier,
            x[rows],
            y[rows],
            seeds[rows],
            seed,
            size,
            report,
            None if time_budget is None else started + time_budget,
        )
        outcome = carrier.generate(job)
        _refuse_broken(classifier, outcome.x)
        whole.x[rows] = outcome.x
        whole.forward[rows] += outcome.forward
        whole.backward[rows] += outcome.backward
        return whole

    results = []
    for number, spec in enumerate(specs):
        if number == 0 or not attack.minimal:
            outcome = carry_out(spec, number)
        moved = _cut(spec, x, outcome.x, size) if attack.minimal else outcome.x
        success = _succeeds(attack, classifier, moved, y, size)
        now = time.perf_counter()
        results.append(
            Adversarial(moved, success, outcome.forward, outcome.backward, now - started)
        )
        if not attack.minimal:
            started = now
    return results[0] if epsilons is None else tuple(results)


def _with_radii(attack: Any, epsilons: Sequence[float]) -> list[Any]:
    if len(epsilons) == 0:
        raise ValueError("epsilons must hold at least one radius")
    return [replace(attack, threat=replace(attack.threat, eps=float(eps))) for eps in epsilons]


def _succeeds(attack, classifier, x, y, batch_size) -> np.ndarray:
    """bool (N,): whether the attacker has what it wants; NaN logits are no success."""
    logits = classifier.predict(x, batch_size)
    hit = (logits.argmax(axis=1) == y) == attack.targeted
    return hit & np.isfinite(logits).all(axis=1)


def _cut(attack, x, moved, batch_size) -> np.ndarray:
    """Minimal perturbations cut down to the radius of the attack, in blocks."""
    parts = []
    for start in range(0, len(x), batch_size):
        block = slice(start, start + batch_size)
        eps = np.full(len(x[block]), attack.threat.eps, np.float32)
        cut = shrink(attack.threat, *map(ops.convert_to_tensor, (x[block], moved[block], eps)))
        parts.append(ops.convert_to_numpy(cut))
    return np.concatenate(parts)


def _refuse_broken(classifier, x) -> None:
    broken = np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(axis=1))
    if len(broken):
        raise FloatingPointError(
            f"logits or gradients of {classifier.model.name} are not finite for {len(broken)} of "
            f"{len(x)} examples (the first is number {broken[0]}); check its weights"
        )


def _load(engine: str) -> Any:
    return importlib.import_module(f"robustnets.engines.{engine}")


def _check(attack, classifier, x, y, seed, batch_size, time_budget) -> None:
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
    if time_budget is not None and not (math.isfinite(time_budget) and time_budget > 0):
        raise ValueError(f"time_budget must be seconds > 0, got {time_budget}")
