"""The engine of this package: compiled functions, and batches that finished examples leave."""

import dataclasses
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks import HopSkipJump
from robustnets.attacks.base import LoopedAttack
from robustnets.engines import memory
from robustnets.engines.job import Job, Outcome
from robustnets.engines.pool import Pool
from robustnets.models.classifier import Classifier, batches, has_convolutions


def supports(attack: Any) -> bool:
    """Every attack has a `perturb`, which is all that is needed here."""
    return callable(getattr(attack, "perturb", None))


def uses_xla(attack: Any, classifier: Classifier) -> bool:
    """Which compiler carries an attack out on TensorFlow: XLA, or a plain graph.

    On an accelerator XLA. On a CPU a graph for whatever convolves (PGD and DeepFool on the MNIST
    CNN were 8 and 13 times slower under XLA) and for single passes; XLA for loops over dense
    layers (PGD 3 times, DeepFool, Carlini-Wagner and L-BFGS 1.5 to 3 times faster). On JAX there
    is XLA only.
    """
    if backend.name() == "jax":
        return True
    if classifier.graph_only:
        return False
    if backend.on_accelerator():
        return True
    if not isinstance(attack, LoopedAttack):
        return False
    if isinstance(attack, HopSkipJump) and attack.threat.norm == "linf":
        return False  # TensorFlow 2.21 loses the body of its third loop on the way to XLA
    return not has_convolutions(classifier.model)


def directions(
    attack: Any, classifier: Classifier, x: np.ndarray, y: np.ndarray, batch_size: int
) -> np.ndarray:
    """The direction of a single-step attack for each example: float32 (N, H, W, C)."""
    spec = dataclasses.replace(attack, threat=dataclasses.replace(attack.threat, eps=0.0))
    find = classifier.compiled(
        ("direction", spec), lambda x, y: spec.direction(classifier.logits, x, y)
    )
    out = []
    for (part, n), (labels, _) in zip(
        batches(x, batch_size), batches(y.astype(np.int32), batch_size)
    ):
        found = find(ops.convert_to_tensor(part), ops.convert_to_tensor(labels))
        out.append(ops.convert_to_numpy(found)[:n])
    return np.concatenate(out)


def step(attack: Any, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Go `attack.threat.eps` along each direction: float32 (N, H, W, C)."""
    eps = np.full(len(x), attack.threat.eps, np.float32)
    tensors = (ops.convert_to_tensor(a) for a in (x, direction, eps))
    return ops.convert_to_numpy(attack.step(*tensors))


def generate(job: Job) -> Outcome:
    """Attack checked arrays.

    Functions compile once per attack, classifier and batch size and serve every radius: eps
    is an argument of theirs. An attack that shows its loop runs in a `Pool`. Where memory
    runs out, the batch is halved and the examples that are not done begin again; where XLA
    refuses a layer, such as one that calls Python, a plain graph takes its place.

    Raises:
        ValueError: if the attack needs more queries than the job's budget.
    """
    spec, limit = _within_budget(job)
    if getattr(spec, "sensitive", False):
        job = dataclasses.replace(job, batch_size=memory.steady(spec, job.classifier))
    n, xla = len(job.x), uses_xla(spec, job.classifier)
    eps = np.full(n, job.attack.threat.eps, np.float32)
    # results go where the inputs were, which nobody needs any more then
    outcome = Outcome(job.x, np.zeros(n, np.int32), np.zeros(n, np.int32))
    finished = np.ones(n, bool)
    finished[job.rows] = False
    while True:
        rows = np.flatnonzero(~finished)
        progress = _counting_from(len(job.rows) - len(rows), job.progress)
        job = dataclasses.replace(job, rows=rows, progress=progress)
        try:
            if isinstance(spec, LoopedAttack):
                Pool(spec, job, eps, limit, xla).run(outcome, finished)
            else:
                _in_batches(spec, job, eps, outcome, finished)
            return outcome
        except Exception as error:
            if xla and backend.refuses_xla(error):
                job.classifier.graph_only, xla = True, False
                continue
            if not backend.is_out_of_memory(error) or job.batch_size == 1:
                raise
            smaller = -(-job.batch_size // 2)
            warnings.warn(
                f"out of memory in batches of {job.batch_size}; going on in batches of {smaller}",
                stacklevel=3,
            )
            job = dataclasses.replace(job, batch_size=smaller)


def _counting_from(start: int, progress: Callable[[int], None]) -> Callable[[int], None]:
    return lambda count: progress(start + count)


def _within_budget(job: Job) -> tuple[Any, int | None]:
    """The attack without its radius, and the queries that the pool must watch over."""
    # specs that differ in eps alone share their compiled functions
    threat = dataclasses.replace(job.attack.threat, eps=0.0)
    spec: Any = dataclasses.replace(job.attack, threat=threat)
    budget = job.query_budget
    if budget is None:
        return spec, None
    if hasattr(spec, "budget"):
        least = budget if spec.budget is None else min(spec.budget, budget)
        return dataclasses.replace(spec, budget=least), None
    if isinstance(spec, LoopedAttack):
        return spec, budget
    if spec.passes[0] > budget:
        raise ValueError(
            f"{type(spec).__name__} takes {spec.passes[0]} queries per example, the budget "
            f"leaves {budget}"
        )
    return spec, None


def _in_batches(
    spec: Any, job: Job, eps: np.ndarray, outcome: Outcome, finished: np.ndarray
) -> None:
    logits = job.classifier.logits
    perturb = job.classifier.compiled(
        ("perturb", spec), lambda x, y, seeds, eps: spec.perturb(logits, x, y, seeds, eps)
    )
    done = 0
    for numbers, n in batches(job.rows, job.batch_size):
        if job.deadline is not None and time.perf_counter() > job.deadline:
            break
        columns = (job.x, job.y.astype(np.int32), job.seeds, eps)
        moved = perturb(*(ops.convert_to_tensor(column[numbers]) for column in columns))
        rows = numbers[:n]
        outcome.x[rows] = ops.convert_to_numpy(moved)[:n]
        outcome.forward[rows], outcome.backward[rows] = spec.passes
        finished[rows] = True
        done += n
        job.progress(done)
