"""The worst of several attacks for each example: an ensemble run in order, resumable.

Source: Croce & Hein 2020, arXiv:2003.01690, sec. 5 (AutoAttack); the worst case per example is
that of Carlini et al. 2019, arXiv:1902.06705, sec. 4.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robustnets import engines
from robustnets.core.seeds import derive
from robustnets.core.spec import digest, to_dict
from robustnets.core.store import write_atomically
from robustnets.engines import memory
from robustnets.engines.checks import check_examples
from robustnets.models.classifier import Classifier

ROBUST, WRONG = -1, -2  # instead of the number of the attack that broke an example
BATCHES = 4  # of an attack to a part that is written down


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """One attack of an ensemble, as it went.

    Args:
        attack: its spec.
        attacked: examples that it was run on, those that stood until then.
        broke: how many of them it broke.
        forward: passes summed over examples.
        backward: the same.
        seconds: wall clock.
        finished: False where a budget ended it, or left it out altogether.
    """

    attack: Any
    attacked: int = 0
    broke: int = 0
    forward: int = 0
    backward: int = 0
    seconds: float = 0.0
    finished: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class WorstCase:
    """What is left of N examples after all attacks.

    Args:
        x: float32 (N, H, W, C), adversarial where an attack broke it, else the clean example.
        y: int64 (N,), true labels.
        broken_by: int32 (N,), the number of the attack, `ROBUST` or `WRONG` (as it stood).
        forward: int64 (N,), forward passes spent on each example by all attacks.
        backward: int64 (N,), backward passes.
        parts: the attacks.
        clean: float32 (N, H, W, C), what was attacked.
        evaluations: how many fresh evaluations decide on a success.
        needed: how many of them must be wrong.
    """

    x: np.ndarray
    y: np.ndarray
    broken_by: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    parts: tuple[Part, ...]
    clean: np.ndarray
    evaluations: int = 1
    needed: int = 1

    @property
    def accuracy(self) -> float:
        """Share of all examples that are right as they stand."""
        return float((self.broken_by != WRONG).mean())

    @property
    def robust_accuracy(self) -> float:
        """Share of all examples that no attack broke, those already wrong counted as broken."""
        return float((self.broken_by == ROBUST).mean())

    @property
    def finished(self) -> bool:
        """Whether every attack was run on all that stood; otherwise this is an upper bound."""
        return all(part.finished for part in self.parts)


@dataclass(frozen=True, slots=True)
class Standing:
    """A moment of a run, for a progress line.

    Args:
        attack: which one is at work, by name.
        number: its place, from 0.
        of: how many attacks there are.
        done: examples that it is done with.
        examples: that it has to do.
        robust: examples that still stand.
        seconds: since the run began.
        left: estimated seconds until this attack is done, or None.
    """

    attack: str
    number: int
    of: int
    done: int
    examples: int
    robust: int
    seconds: float
    left: float | None


def worst_case(
    attacks: Sequence[Any],
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    seed: int = 0,
    batch_size: int | None = None,
    evaluations: int = 1,
    needed: int = 1,
    time_budget: float | None = None,
    query_budget: int | None = None,
    folder: Path | None = None,
    progress: Callable[[Standing], None] | None = None,
) -> WorstCase:
    """Run attacks in order, each on the examples that still stand.

    Every attack begins at the clean examples and is given the true labels. One that is a
    success leaves the run.

    Args:
        attacks: untargeted specs, the order in which they are run.
        classifier: the victim.
        x: float32 (N, H, W, C), in the box of the attacks.
        y: int (N,), true labels.
        seed: of every draw.
        batch_size: as for `engines.run`.
        evaluations: for a model that draws at random: how many fresh evaluations of an
            adversarial example decide whether it is one.
        needed: how many of them must be wrong.
        time_budget: seconds; what is not done by then is left out, and `finished` says so.
        query_budget: forward passes for each example over all attacks.
        folder: where finished parts of an attack are kept; a run that was killed goes on
            from there. Parts are kept under what made them, so that any runs may share it.
        progress: called after each batch.

    Raises:
        ValueError: for no attack, targeted attacks, or bad arguments.
    """
    _check(attacks, evaluations, needed)
    check_examples(classifier, x, y, attacks[0].threat.low, attacks[0].threat.high)
    started = time.perf_counter()
    y = np.asarray(y, np.int64)
    size = min(batch_size or min(memory.batch_size(a, classifier) for a in attacks), len(x))
    run = _Run(x, y, classifier, size, evaluations, needed, started, folder)
    run.key = digest(classifier.digest, _fingerprint(x, y), seed, size, evaluations, needed)
    run.deadline = None if time_budget is None else started + time_budget
    parts = []
    for number, attack in enumerate(attacks):
        part = Part(attack)
        blocks = run.standing(BATCHES * size)
        total = sum(map(len, blocks))
        for rows in blocks:
            spent = int(run.forward[rows].max())
            left = None if query_budget is None else query_budget - spent
            if run.late() or (left is not None and left < 2):
                break

            def show(done, _, part=part, total=total, attack=attack, number=number):
                if progress is not None:
                    seconds = time.perf_counter() - started
                    at = part.attacked + done
                    pace = (part.seconds + 1e-9) / part.attacked if part.attacked else None
                    progress(
                        Standing(
                            type(attack).__name__,
                            number,
                            len(attacks),
                            at,
                            total,
                            run.robust(),
                            seconds,
                            pace and pace * (total - at),
                        )
                    )

            found = run.attack(attack, number, rows, seed, left, show)
            part = replace(
                part,
                attacked=part.attacked + len(rows),
                broke=part.broke + int(found["success"].sum()),
                forward=part.forward + int(found["forward"].sum()),
                backward=part.backward + int(found["backward"].sum()),
                seconds=part.seconds + float(found["seconds"]),
            )
        parts.append(replace(part, finished=part.attacked == total and not run.late()))
    return WorstCase(
        run.x, y, run.broken_by, run.forward, run.backward, tuple(parts), x, evaluations, needed
    )


class _Run:
    """What is known of each example so far."""

    key: str
    deadline: float | None

    def __init__(self, x, y, classifier, size, evaluations, needed, started, folder):
        self.clean, self.y, self.classifier, self.size = x, y, classifier, size
        self.evaluations, self.needed, self.folder = evaluations, needed, folder
        self.started = started
        self.x = x.copy()
        self.forward = np.ones(len(x), np.int64)
        self.backward = np.zeros(len(x), np.int64)
        right = ~self.wrong(x, y)
        self.broken_by = np.where(right, ROBUST, WRONG).astype(np.int32)

    def wrong(self, x, y):
        """bool (N,): who is wrong in enough fresh evaluations."""
        times = sum(
            (self.classifier.predict(x, self.size).argmax(axis=1) != y).astype(int)
            for _ in range(self.evaluations)
        )
        return times >= self.needed

    def robust(self) -> int:
        return int((self.broken_by == ROBUST).sum())

    def late(self) -> bool:
        return self.deadline is not None and time.perf_counter() > self.deadline

    def standing(self, most):
        """Row numbers of the examples that stand, in parts of so many."""
        rows = np.flatnonzero(self.broken_by == ROBUST)
        return [rows[i : i + most] for i in range(0, len(rows), most)]

    def attack(self, attack, number, rows, seed, queries, show):
        """Carry an attack out on some examples, or read what it gave, and take note."""
        name = digest(self.key, to_dict(attack), number, rows.tolist(), queries)
        path = None if self.folder is None else self.folder / "parts" / f"{name}.npz"
        if path is not None and path.is_file():
            with np.load(path) as file:
                found = dict(file)
        else:
            left = None if self.deadline is None else self.deadline - time.perf_counter()
            result = engines.run(
                attack, self.classifier, self.clean[rows], self.y[rows],
                seed=derive(seed, "worst case", number, int(rows[0])), batch_size=self.size,
                attack_wrong=True, time_budget=left, query_budget=queries, progress=show,
            )  # fmt: skip
            success = result.success
            if self.evaluations > 1:
                success = self.wrong(result.x, self.y[rows])
            found = {
                "x": result.x,
                "success": success,
                "forward": result.forward,
                "backward": result.backward,
                "seconds": np.float64(result.seconds),
            }
            # what a deadline cut short depends on the machine
            if path is not None and not self.late():
                write_atomically(path, lambda file: np.savez(file, **found))
        won = rows[found["success"]]
        self.x[won] = found["x"][found["success"]]
        self.broken_by[won] = number
        self.forward[rows] += found["forward"]
        self.backward[rows] += found["backward"]
        return found


def _fingerprint(x: np.ndarray, y: np.ndarray) -> str:
    sha = hashlib.sha256(np.ascontiguousarray(x).data)
    sha.update(np.ascontiguousarray(y).data)
    return sha.hexdigest()[:16]


def _check(attacks: Sequence[Any], evaluations: int, needed: int) -> None:
    if not attacks:
        raise ValueError("attacks must hold at least one attack")
    aimed = [type(attack).__name__ for attack in attacks if attack.targeted]
    if aimed:
        raise ValueError(f"attacks must be untargeted, got a targeted {aimed[0]}")
    for name, value, most in (("evaluations", evaluations, None), ("needed", needed, evaluations)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an int >= 1, got {value!r}")
        if most is not None and value > most:
            raise ValueError(f"{name} must be at most evaluations, {most}, got {value}")
