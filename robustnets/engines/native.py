"""The engine of this package: compiled functions, and batches that finished examples leave."""

import dataclasses
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks import LBFGS
from robustnets.attacks.base import LoopedAttack
from robustnets.engines.job import Job, Outcome
from robustnets.engines.pool import Pool
from robustnets.models.classifier import Classifier, batches, has_convolutions

# loops that XLA makes no faster, and takes several times longer to compile
GRAPH_LOOPS = (LBFGS,)


def supports(attack: Any) -> bool:
    """Every attack has a `perturb`, which is all that is needed here."""
    return callable(getattr(attack, "perturb", None))


def uses_xla(attack: Any, classifier: Classifier) -> bool:
    """Which compiler carries an attack out on TensorFlow: XLA, or a plain graph.

    On an accelerator XLA. On a CPU a graph for whatever convolves and for single passes, XLA
    for loops over dense layers; `benchmarks/compilers.py` has the measurements. On JAX
    there is XLA only.
    """
    if backend.name() == "jax" or backend.on_accelerator():
        return True
    if not isinstance(attack, LoopedAttack) or isinstance(attack, GRAPH_LOOPS):
        return False
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
    runs out, the batch is halved and the examples that are not done begin again.

    Raises:
        ValueError: if the attack needs more queries than the job's budget.
    """
    spec, limit = _within_budget(job)
    eps = np.full(len(job.x), job.attack.threat.eps, np.float32)
    none = np.zeros(len(job.x), np.int32)
    outcome, finished = Outcome(job.x.copy(), none, none.copy()), np.zeros(len(job.x), bool)
    while True:
        rows = np.flatnonzero(~finished)
        done = len(job.x) - len(rows)
        part = job.of(rows, _counting_from(done, job.progress))
        found, over = Outcome(part.x.copy(), none[rows], none[rows]), np.zeros(len(rows), bool)
        try:
            if isinstance(spec, LoopedAttack):
                Pool(spec, part, eps[rows], limit, uses_xla(spec, job.classifier)).run(found, over)
            else:
                _in_batches(spec, part, eps[rows], found, over)
            over[:] = True
        except Exception as error:
            if not backend.is_out_of_memory(error) or job.batch_size == 1:
                raise
            smaller = -(-job.batch_size // 2)
            warnings.warn(
                f"out of memory in batches of {job.batch_size}; going on in batches of {smaller}",
                stacklevel=3,
            )
            job = dataclasses.replace(job, batch_size=smaller)
        for whole, some in zip(outcome, found):
            whole[rows[over]] = some[over]
        finished[rows[over]] = True
        if finished.all():
            return outcome


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


def _in_batches(spec: Any, job: Job, eps: np.ndarray, found: Outcome, over: np.ndarray) -> None:
    logits = job.classifier.logits
    perturb = job.classifier.compiled(
        ("perturb", spec), lambda x, y, seeds, eps: spec.perturb(logits, x, y, seeds, eps)
    )
    done = 0
    columns = (job.x, job.y.astype(np.int32), job.seeds, eps)
    for parts in zip(*(batches(column, job.batch_size) for column in columns)):
        if job.deadline is not None and time.perf_counter() > job.deadline:
            break
        n = parts[0][1]
        moved = perturb(*(ops.convert_to_tensor(part) for part, _ in parts))
        rows = slice(done, done + n)
        found.x[rows] = ops.convert_to_numpy(moved)[:n]
        found.forward[rows], found.backward[rows] = spec.passes
        over[rows] = True
        done += n
        job.progress(done)
