"""What the adapters of other libraries share."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from robustnets import backend
from robustnets.attacks import BIM, PGD, balls
from robustnets.attacks.carlini_wagner import LARGEST, next_round
from robustnets.engines.job import Job, Outcome
from robustnets.models.classifier import Classifier, batches

ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}


def require_tensorflow(engine: str) -> None:
    """Refuse other backends.

    Raises:
        RuntimeError: unless Keras runs on TensorFlow.
    """
    if backend.name() != "tensorflow":
        raise RuntimeError(
            f"the {engine} engine runs on the tensorflow backend of Keras, this is "
            f"{backend.name()}; set KERAS_BACKEND=tensorflow or use engine='native'"
        )


def logits_function(classifier: Classifier) -> Callable[[Any], Any]:
    """The classifier's logits, compiled, with the input gradient of each row scaled to peak 1.

    Signs and directions of the gradient stay as they are, so one-step attacks do not
    change; what peers do in float32 to tiny gradients (squares that vanish, a smallest norm
    of 1e-6) then no longer happens.

    Returns:
        float32 (N, H, W, C) -> float32 (N, K), the same object at every call, so that a
        peer which compiles per function does so once.
    """

    @keras.ops.custom_gradient
    def same(x):
        def gradient(*args, upstream=None):
            if upstream is None:
                (upstream,) = args
            return balls.peak_to_one(upstream)

        return x, gradient

    return classifier.compiled("logits of peers", lambda x: classifier.logits(same(x)))


def takes_their_steps(attack: Any) -> bool:
    """Whether ART and CleverHans can do what a BIM or PGD asks for.

    Both take all steps with all examples and ask once in each, both keep the last iterate,
    and neither steps through an l1 ball (ART moves one value and rescales, CleverHans
    refuses).
    """
    if type(attack) is BIM:
        return not attack.stop_at_boundary and attack.expectation == 1
    return (
        type(attack) is PGD
        and not attack.stop_early
        and attack.expectation == 1
        and attack.threat.norm in ("linf", "l2")
    )


def step_length(attack: BIM | PGD) -> float:
    """The length of one step, as the native attack has it."""
    if attack.step is not None:
        return attack.step
    return (2.5 if type(attack) is PGD else 1.0) * attack.threat.eps / attack.steps


def stepped(attack: BIM | PGD, x: np.ndarray) -> Outcome:
    """The outcome of steps that all examples take."""
    count = attack.steps * (attack.restarts if type(attack) is PGD else 1)
    return Outcome(x, *(np.full(len(x), count, np.int32) for _ in range(2)))


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's and TensorFlow's global generators, and put back what was there."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    state, before = np.random.get_state(), context.global_seed()  # noqa: NPY002
    try:
        np.random.seed(seed % 2**32)  # noqa: NPY002
        tf.random.set_seed(seed)
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        tf.random.set_seed(before)


def of_its_rows(generate: Callable[[Job], Outcome]) -> Callable[[Job], Outcome]:
    """Give a peer the rows to attack alone, and put what it makes of them among the others."""

    @functools.wraps(generate)
    def whole(job: Job) -> Outcome:
        part = generate(job.alone())
        counts = (np.zeros(len(job.x), np.int32) for _ in range(2))
        outcome = Outcome(job.x, *counts)
        for all_rows, some in zip(outcome, part):
            all_rows[job.rows] = some
        return outcome

    return whole


def in_batches(
    attack_batch: Callable[[np.ndarray, np.ndarray], np.ndarray], job: Job
) -> np.ndarray:
    """Apply (batch of x, batch of y) -> attacked batch to a job, the last batch padded."""
    adversarial = job.x.copy()
    done = 0
    columns = (batches(job.x, job.batch_size), batches(job.y, job.batch_size))
    for (part, n), (labels, _) in zip(*columns):
        if job.deadline is not None and time.perf_counter() > job.deadline:
            break
        adversarial[done : done + n] = attack_batch(part, labels)[:n]
        done += n
        job.progress(done)
    return adversarial


def in_parts(
    attack_part: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, Any, Any]],
    job: Job,
    size: int,
) -> Outcome:
    """Apply an attack that looks for a success to the examples of a job, `size` at a time.

    Those that are a success as they stand are left alone, and those that become none come back
    as they were, as the specs of such attacks have it.

    Args:
        attack_part: (x, y, seeds) -> (attacked x, rows that ran forward, rows backward), rows of
            the whole part or of each example.
        job: what to attack.
        size: most examples in a part.
    """
    x = job.x.copy()
    forward, backward = np.ones(len(x), np.int32), np.zeros(len(x), np.int32)
    todo = np.flatnonzero(~succeeds(job, x, job.y))
    for start in range(0, len(todo), size):
        if job.deadline is not None and time.perf_counter() > job.deadline:
            break
        rows = todo[start : start + size]
        moved, asked, differentiated = attack_part(job.x[rows], job.y[rows], job.seeds[rows])
        hit = succeeds(job, moved, job.y[rows])
        x[rows] = np.where(balls.per_example(hit, moved), moved, job.x[rows])
        for count, total in ((forward, asked), (backward, differentiated)):
            each = total / len(rows) if np.ndim(total) == 0 else total
            count[rows] += np.ceil(each).astype(np.int32)
        job.progress(int(start + len(rows)))
    return Outcome(x, forward, backward)


def in_rounds(
    one_round: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, int, int]], job: Job
) -> Outcome:
    """Carry a Carlini-Wagner job out whose peer does one round of the search for c at a time.

    Args:
        one_round: (x, y, c float32 (N,)) -> (the nearest success of the round, or x, for each
            example, rows that ran forward, rows backward).
        job: what to attack.
    """
    attack = job.attack

    def attack_part(x, y, seeds):
        del seeds  # exact, nothing is drawn
        n = len(x)
        best, nearest = x.copy(), np.full(n, np.inf)
        flat = np.ones(n, np.float32)
        search = {"c": flat * attack.first, "lower": flat * 0, "upper": flat * LARGEST,
                  "round": np.zeros(n, np.int32), "won": flat > 2}  # fmt: skip
        forward = backward = 0
        for _ in range(attack.rounds):
            moved, asked, differentiated = one_round(x, y, np.asarray(search["c"]))
            forward, backward = forward + asked + n, backward + differentiated
            won = succeeds(job, moved, y)
            distance = np.where(won, balls.distances(x, moved)["l2"], np.inf)
            nearer = distance < nearest
            best[nearer], nearest[nearer] = moved[nearer], distance[nearer]
            search = next_round(search, flat > 0, won)
            if job.deadline is not None and time.perf_counter() > job.deadline:
                break
        return best, forward, backward

    return in_parts(attack_part, job, job.batch_size)


def succeeds(job: Job, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """bool (N,): which of some images have the class that the attack wants of them.

    Raises:
        FloatingPointError: if the logits are not finite.
    """
    logits = job.classifier.predict(x, job.batch_size)
    if not np.isfinite(logits).all():
        raise FloatingPointError(f"logits of {job.classifier.model.name} are not finite")
    return (logits.argmax(axis=1) == y) == job.attack.targeted
