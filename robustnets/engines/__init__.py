"""Engines carry an attack out: `native` compiled here, `art` and `cleverhans` by the peers."""

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np
from keras import ops

from robustnets.attacks.base import Attack, shrink
from robustnets.engines import memory
from robustnets.engines.adversarial import Adversarial
from robustnets.engines.bar import bar
from robustnets.engines.checks import (
    check,
    check_attack,
    refuse_broken,
    refuse_probabilities,
    with_radii,
)
from robustnets.engines.job import Job, Outcome
from robustnets.engines.seeds import seed_of_model, seeds_of_examples
from robustnets.models.accept import classifier_of
from robustnets.models.classifier import Classifier

ENGINES = ("native", "art", "cleverhans")


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
    numbers: np.ndarray | None = None,
    batch_size: int | None = None,
    attack_wrong: bool = False,
    time_budget: float | None = None,
    query_budget: int | None = None,
    progress: Callable[[int, int], None] | bool = False,
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
    numbers: np.ndarray | None = None,
    batch_size: int | None = None,
    attack_wrong: bool = False,
    time_budget: float | None = None,
    query_budget: int | None = None,
    progress: Callable[[int, int], None] | bool = False,
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
    numbers: np.ndarray | None = None,
    batch_size: int | None = None,
    attack_wrong: bool = False,
    time_budget: float | None = None,
    query_budget: int | None = None,
    progress: Callable[[int, int], None] | bool = False,
) -> Any:
    """Attack every example.

    Args:
        attack: the spec; its `threat.eps` is the radius, unless `epsilons` are given.
        classifier: the victim; a bare Keras model, too, whose functions are then compiled
            anew in each call.
        x: (N, H, W, C), finite, inside the attack's box.
        y: class numbers (N,) or (N, 1), the true ones, or those to reach if the attack is
            targeted.
        epsilons: radii in place of the attack's own. A minimal attack runs once and its
            perturbations are cut down to each; any other runs once for each.
        engine: one of `ENGINES`.
        seed: of every draw; example i draws the same whatever the batch size. The generators of
            a model that draws at random are set by it, too, and are afterwards as they were:
            the same call gives the same examples. What such a model draws for an example
            depends on the batch.
        numbers: int (N,), the places of the examples in a larger set, so that they draw what
            they would draw there; None: 0, 1, 2, … Native engine only.
        batch_size: examples at a time, which bounds the memory; None: see `memory`. The native
            engine halves it where memory runs out. It changes the last bits of an example at
            most; an attack that enlarges those (L-BFGS) runs in batches of one size, whatever
            is asked for, see `memory.steady`.
        attack_wrong: attack also the examples that are a success as they stand. Otherwise
            they come back as they are, and one forward pass finds them out.
        time_budget: seconds after which no new work starts, or None. What is at hand then is
            the result, and depends on the machine.
        query_budget: most forward passes for each example, the one that finds out who is wrong
            included, or None: what the attack asks for. Native engine only.
        progress: True for a progress bar on the terminal, or a function that is called with
            (examples done, of how many) after each batch.

    Returns:
        The examples, or with `epsilons` a tuple of them in the order of the radii. The
        passes and seconds of a minimal attack stand with every radius: they are the price of
        each, and of all.

    Raises:
        ValueError: for an unknown engine, an attack that the engine does not know, arguments
            that are not as above, or a model whose draws compiling would freeze.
        TypeError: for a model that cannot be compiled.
        RuntimeError: for a peer engine on a backend other than TensorFlow.
        FloatingPointError: if the model's logits or gradients are not finite.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    check_attack(attack)
    classifier = classifier_of(classifier)
    carrier = _load(engine)
    if not carrier.supports(attack):
        able = ", ".join(name for name in ENGINES if supports(name, attack))
        raise ValueError(
            f"the {engine} engine cannot carry out {type(attack).__name__} with these settings; "
            f"use one of: {able}"
        )
    x, y = check(attack, classifier, x, y, seed, batch_size, time_budget, query_budget)
    for name, value in (("query_budget", query_budget), ("numbers", numbers)):
        if value is not None and engine != "native":
            raise ValueError(f"{name} needs engine='native', got {engine!r}")
    numbers = np.arange(len(x)) if numbers is None else np.asarray(numbers)
    if numbers.shape != (len(x),) or numbers.dtype.kind not in "iu" or numbers.min() < 0:
        raise ValueError(f"numbers must be {len(x)} ints >= 0, got {numbers!r}")
    specs = [attack] if epsilons is None else with_radii(attack, epsilons)
    with (
        classifier.seeded(seed_of_model(seed, attack, numbers)),
        bar(type(attack).__name__, progress) as show,
    ):
        results = _run(
            carrier, specs, classifier, x, y, seed,
            seeds_of_examples(seed, numbers),
            min(batch_size or memory.batch_size(attack, classifier), len(x)),
            attack_wrong, time_budget, query_budget, show,
        )  # fmt: skip
    return results[0] if epsilons is None else tuple(results)


def _run(
    carrier, specs, classifier, x, y, seed, seeds, size, attack_wrong, time_budget, queries, show
):
    started = time.perf_counter()
    deadline = None if time_budget is None else started + time_budget
    attack = specs[0]
    rows = np.arange(len(x))
    if not attack_wrong:
        rows = np.flatnonzero(~_succeeds(attack, classifier, x, y, size))
    runs = 1 if attack.minimal else len(specs)

    def carry_out(spec: Attack, number: int) -> Outcome:
        asked = int(not attack_wrong)
        if len(rows) == 0:
            return Outcome(x.copy(), np.full(len(x), asked, np.int32), np.zeros(len(x), np.int32))
        job = Job(
            spec,
            classifier,
            x.copy(),
            y,
            seeds,
            rows,
            seed,
            size,
            lambda done: show((number + 1) * len(x) - len(rows) + done, runs * len(x)),
            deadline,
            None if queries is None else queries - asked,
        )
        outcome = carrier.generate(job)
        refuse_broken(classifier, outcome.x)
        outcome.forward[:] += asked
        return outcome

    results = []
    for number, spec in enumerate(specs):
        if number == 0 or not attack.minimal:
            outcome = carry_out(spec, number)
        moved = outcome.x
        if attack.minimal:
            out = moved if number + 1 == len(specs) else np.empty_like(x)
            moved = _cut(spec, classifier, x, moved, size, out)
        success = _succeeds(attack, classifier, moved, y, size)
        now = time.perf_counter()
        results.append(
            Adversarial(moved, success, outcome.forward, outcome.backward, now - started, x)
        )
        if not attack.minimal:
            started = now
    return results


def supports(engine: str, attack: Attack) -> bool:
    """Whether an engine can carry an attack out, with the settings that it has.

    Raises:
        ValueError: for an unknown engine.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    return _load(engine).supports(attack)


def sweep(
    attack: Any,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    epsilons: Sequence[float],
    *,
    engine: str = "native",
    seed: int = 0,
    batch_size: int | None = None,
) -> Iterator[tuple[float, Adversarial]]:
    """Attack every example, also those already wrong, at each of several radii.

    One radius is held at a time, so that memory does not grow with their number. The native
    engine finds the direction of a single-step attack once for all radii; the examples are
    those of `run`, and so are the passes, which are the price of one radius.

    Args:
        attack: the spec; its `threat.eps` is replaced by each radius.
        epsilons: radii >= 0, in input units.
        classifier, x, y, engine, seed, batch_size: as for `run`.

    Yields:
        (eps, the examples at eps), in the given order.
    """
    check_attack(attack)
    classifier = classifier_of(classifier)
    settings: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "attack_wrong": True}
    if attack.minimal:
        results = run(attack, classifier, x, y, engine=engine, epsilons=epsilons, **settings)
        yield from zip(epsilons, results)
        return
    specs = with_radii(attack, epsilons)
    if engine != "native" or not hasattr(attack, "direction"):
        for eps, spec in zip(epsilons, specs):
            yield eps, run(spec, classifier, x, y, engine=engine, **settings)
        return
    native = _load(engine)
    x, y = check(attack, classifier, x, y, seed, batch_size)
    started = time.perf_counter()
    size = min(batch_size or memory.batch_size(attack, classifier), len(x))
    first = np.zeros(1, np.int64)
    with classifier.seeded(seed_of_model(seed, attack, first)):
        direction = native.directions(attack, classifier, x, y, size)
    forward, backward = (np.full(len(x), count, np.int32) for count in attack.passes)
    for eps, spec in zip(epsilons, specs):
        moved = native.step(spec, x, direction)
        refuse_broken(classifier, moved)
        with classifier.seeded(seed_of_model(seed, spec, first)):
            success = _succeeds(spec, classifier, moved, y, size)
        seconds = time.perf_counter() - started
        yield eps, Adversarial(moved, success, forward, backward, seconds, x)
        started = time.perf_counter()


def _succeeds(attack, classifier, x, y, batch_size) -> np.ndarray:
    """bool (N,): whether the attacker has what it wants; NaN logits are no success."""
    logits = classifier.predict(x, batch_size)
    refuse_probabilities(classifier, logits)
    hit = (logits.argmax(axis=1) == y) == attack.targeted
    return hit & np.isfinite(logits).all(axis=1)


def _cut(attack, classifier, x, moved, batch_size, out) -> np.ndarray:
    """Minimal perturbations cut down to the radius of the attack, written to `out`."""
    threat = replace(attack.threat, eps=0.0)
    cut = classifier.compiled(
        ("shrink", threat), lambda *columns: shrink(threat, *columns), any_batch=True
    )
    for start in range(0, len(x), batch_size):
        block = slice(start, start + batch_size)
        eps = np.full(len(x[block]), attack.threat.eps, np.float32)
        found = cut(*map(ops.convert_to_tensor, (x[block], moved[block], eps)))
        out[block] = ops.convert_to_numpy(found)
    return out


def _load(engine: str) -> Any:
    return importlib.import_module(f"robustnets.engines.{engine}")
