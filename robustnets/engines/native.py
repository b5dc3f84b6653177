"""The engine of this package: compiled functions, and batches that finished examples leave."""

import dataclasses
import time
from typing import Any

import numpy as np
from keras import ops

from robustnets.attacks.base import LoopedAttack
from robustnets.engines.job import Job, Outcome, fixed_cost
from robustnets.engines.pool import Pool
from robustnets.models.classifier import Classifier, batches


def supports(attack: Any) -> bool:
    """Every attack has a `perturb`, which is all that is needed here."""
    return callable(getattr(attack, "perturb", None))


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
    is an argument of theirs. An attack that shows its loop runs in a `Pool`.
    """
    # specs that differ in eps alone share their compiled functions
    threat = dataclasses.replace(job.attack.threat, eps=0.0)
    spec = dataclasses.replace(job.attack, threat=threat)
    eps = np.full(len(job.x), job.attack.threat.eps, np.float32)
    if isinstance(spec, LoopedAttack):
        return Pool(spec, job, eps).run()
    return _in_batches(spec, job, eps)


def _in_batches(spec: Any, job: Job, eps: np.ndarray) -> Outcome:
    logits = job.classifier.logits
    perturb = job.classifier.compiled(
        ("perturb", spec), lambda x, y, seeds, eps: spec.perturb(logits, x, y, seeds, eps)
    )
    adversarial = job.x.copy()
    outcome = fixed_cost(spec, adversarial)
    done = 0
    columns = (job.x, job.y.astype(np.int32), job.seeds, eps)
    for parts in zip(*(batches(column, job.batch_size) for column in columns)):
        if job.deadline is not None and time.perf_counter() > job.deadline:
            outcome.forward[done:] = outcome.backward[done:] = 0
            break
        n = parts[0][1]
        moved = perturb(*(ops.convert_to_tensor(part) for part, _ in parts))
        adversarial[done : done + n] = ops.convert_to_numpy(moved)[:n]
        done += n
        job.progress(done)
    return outcome
