"""The worst of several attacks for each example: an ensemble run in order, resumable.

Source: Croce & Hein 2020, arXiv:2003.01690, sec. 5 (AutoAttack); the worst case per example is
that of Carlini et al. 2019, arXiv:1902.06705, sec. 4.
"""

import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from robustnets.core.npz import read_arrays
from robustnets.core.seeds import derive
from robustnets.core.spec import digest, to_dict
from robustnets.core.store import Damaged, read_or_set_aside, write_atomically
from robustnets.engines import memory
from robustnets.engines.checks import check_attack, check_budgets, check_examples
from robustnets.evaluation.outcome import ROBUST, WRONG, Part, Standing, WorstCase
from robustnets.evaluation.pieces import Carry, Found, Piece, cut, one_by_one
from robustnets.models.accept import classifier_of
from robustnets.models.classifier import Classifier

_COLUMNS = ("x", "success", "forward", "backward")  # of a part, one entry for each example

__all__ = ["ROBUST", "WRONG", "Part", "Standing", "WorstCase", "worst_case"]


def worst_case(
    attacks: Any,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    seed: int = 0,
    batch_size: int | None = None,
    source: Classifier | None = None,
    evaluations: int = 1,
    needed: int = 1,
    fit: Callable[[Any, int], tuple[Any, float | None]] | None = None,
    time_budget: float | None = None,
    query_budget: int | None = None,
    folder: Path | None = None,
    progress: Callable[[Standing], None] | None = None,
    carry: Carry | None = None,
    right: np.ndarray | None = None,
) -> WorstCase:
    """Run attacks in order, each on the examples that still stand.

    Every attack begins at the clean examples and is given the true labels. One that is a
    success leaves the run. Each example draws what it would draw if its attack were run alone on
    all examples with the same seed: what withstands the ensemble withstands each member, up to
    the rounding of batches of other sizes.

    Args:
        attacks: untargeted specs, the order in which they are run; or a single one.
        classifier: the victim, or a bare Keras model.
        x: (N, H, W, C), in the box of the attacks.
        y: class numbers (N,) or (N, 1), true labels.
        seed: of every draw, as for `engines.run`; the attacks share it.
        batch_size: as for `engines.run`.
        source: the model that examples are crafted on, of the same inputs and classes; None
            is the victim itself. What it gives is a success only if the victim is wrong.
        evaluations: for a model that draws at random: how many fresh evaluations of an
            adversarial example decide whether it is one.
        needed: how many of them must be wrong.
        fit: called before each attack with (attack, examples that stand); gives the attack to
            run in its place, such as one of fewer steps, or None to leave it out; and the
            seconds that it may take, or None.
        time_budget: seconds; what is not done by then is left out, and `finished` says so.
        query_budget: forward passes for each example over all attacks.
        folder: where finished parts of an attack are kept; a run that was killed goes on
            from there. Parts are kept under what made them, so that any runs may share it.
        progress: called before and after each batch.
        carry: carries out the pieces of an attack, such as in several processes; see `pieces`.
            None: here, one by one. What is found does not depend on it, up to the rounding of
            machines or numbers of threads that differ.
        right: bool (N,), who is right as it stands, where that was judged before; None judges
            it here. A model that draws at random may say something else each time.

    Raises:
        ValueError: for no attack, one twice, targeted attacks, or bad arguments.
    """
    if hasattr(attacks, "perturb"):
        attacks = (attacks,)
    _check(attacks, evaluations, needed)
    check_budgets(time_budget, query_budget)
    classifier = classifier_of(classifier)
    source = None if source is None else classifier_of(source, "source")
    x, y = check_examples(classifier, x, y, attacks[0].threat.low, attacks[0].threat.high)
    started = time.perf_counter()
    crafted_on = source or classifier
    size = min(batch_size or min(memory.batch_size(a, crafted_on) for a in attacks), len(x))
    run = _Run(x, y, classifier, crafted_on, size, evaluations, needed, folder, seed, right)
    models = (classifier.digest, *(() if source is None else (source.digest,)))
    run.key = digest(models, _fingerprint(x, y), seed, size, evaluations, needed)
    run.carry = carry or one_by_one(crafted_on)
    end = None if time_budget is None else started + time_budget
    parts = []
    for number, wanted in enumerate(attacks):
        total = run.robust()
        attack, seconds = (wanted, None) if fit is None or total == 0 else fit(wanted, total)
        limits = [end, None if seconds is None else time.perf_counter() + seconds]
        run.deadline = min((limit for limit in limits if limit is not None), default=None)
        if attack is None:
            parts.append(Part(wanted))
            continue

        def show(done, left, attack=attack, number=number, total=total):
            if progress is not None:
                name, spent = type(attack).__name__, time.perf_counter() - started
                progress(
                    Standing(name, number, len(attacks), done, total, run.robust(), spent, left)
                )

        part = Part(attack)
        for rows, found in run.attack(attack, number, seed, query_budget, show):
            forward, backward = (int(found[name].sum()) for name in ("forward", "backward"))
            seconds, (passes, warm) = float(found["seconds"]), part.warm
            if part.attacked:
                passes, warm = passes + forward + 2.0 * backward, warm + seconds
            part = replace(
                part,
                attacked=part.attacked + len(rows),
                broke=part.broke + int(found["success"].sum()),
                forward=part.forward + forward,
                backward=part.backward + backward,
                seconds=part.seconds + seconds,
                warm=(passes, warm),
            )
        parts.append(replace(part, finished=part.attacked == total and not run.late))
    return WorstCase(
        run.x, y, run.broken_by, run.forward, run.backward, tuple(parts), x, evaluations, needed
    )


class _Run:
    """What is known of each example so far."""

    key: str
    carry: Carry
    deadline: float | None = None
    late = False  # whether the deadline may have cut something short

    def __init__(self, x, y, classifier, source, size, evaluations, needed, folder, seed, right):
        self.clean, self.y, self.classifier, self.size = x, y, classifier, size
        self.source = source
        self.evaluations, self.needed, self.folder = evaluations, needed, folder
        self.x = x.copy()
        self.forward = np.ones(len(x), np.int64)
        self.backward = np.zeros(len(x), np.int64)
        right = ~self.wrong(x, y, derive(seed, "clean")) if right is None else right
        self.broken_by = np.where(right, ROBUST, WRONG).astype(np.int32)

    def wrong(self, x, y, seed):
        """bool (N,): who is wrong in enough fresh evaluations."""
        with self.classifier.seeded(seed):
            times = sum(
                (self.classifier.predict(x, self.size).argmax(axis=1) != y).astype(int)
                for _ in range(self.evaluations)
            )
        return times >= self.needed

    def robust(self) -> int:
        return int((self.broken_by == ROBUST).sum())

    def attack(self, attack, number, seed, query_budget, show):
        """Carry an attack out on all that stand; yields (row numbers, what it gave)."""
        cuts = cut(np.flatnonzero(self.broken_by == ROBUST), self.size)
        pieces, places, paths, read = [], [], [], []
        until = self.deadline and time.time() + self.deadline - time.perf_counter()
        for rows in cuts:
            spent = int(self.forward[rows].max())
            left = None if query_budget is None else query_budget - spent
            name = digest(self.key, to_dict(attack), number, rows.tolist(), left)
            path = None if self.folder is None else self.folder / "parts" / f"{name}.npz"
            kept = None if path is None else read_or_set_aside(path, functools.partial(_part, rows))
            if kept is not None:
                read.append((rows, kept))
            elif left is None or left >= 2:
                batch = min(self.size, len(cuts[0]))
                x, y = self.clean[rows], self.y[rows]
                pieces.append(Piece(attack, x, y, rows, seed, batch, left, until))
                places.append(rows)
                paths.append(path)
        done = [0] * len(pieces)
        old = sum(len(rows) for rows, _ in read)
        asked = sum(map(len, places))
        started = time.perf_counter()
        self.late = False

        def tell(place=None, examples=0):
            if place is not None:
                done[place] = examples
            new = sum(done)
            pace = (time.perf_counter() - started) / new if new else None
            show(old + new, None if pace is None else pace * (asked - new))

        tell()
        for rows, kept in read:
            self._note(number, rows, kept)
            yield rows, kept
        for place, found in self.carry(pieces, tell):
            if found is None:
                self.late = True
                continue
            rows, path = places[place], paths[place]
            # what a deadline cut short depends on the machine
            late = found.pop("late")
            self.late |= late
            if self.evaluations > 1 or self.source is not self.classifier:
                judged = derive(seed, "judged", number, int(rows[0]))
                found["success"] = self.wrong(found["x"], self.y[rows], judged)
            if path is not None and not late:
                write_atomically(path, functools.partial(_save, found=found))
            self._note(number, rows, found)
            tell(place, len(rows))
            yield rows, found

    def _note(self, number, rows, found):
        won = rows[found["success"]]
        self.x[won] = found["x"][found["success"]]
        self.broken_by[won] = number
        self.forward[rows] += found["forward"]
        self.backward[rows] += found["backward"]


def _save(path: Path, found: Found) -> None:
    np.savez(path, **found)


def _part(rows: np.ndarray, path: Path) -> Found:
    """What was found for these examples, as `_save` wrote it.

    Raises:
        OSError, Damaged: as for `read_arrays`.
    """
    found = read_arrays(path)
    lengths = {name: found[name].shape[:1] for name in _COLUMNS if name in found}
    if lengths != dict.fromkeys(_COLUMNS, (len(rows),)) or "seconds" not in found:
        raise Damaged(path, f"it is no part of an attack on {len(rows)} examples")
    return found


def _fingerprint(x: np.ndarray, y: np.ndarray) -> str:
    sha = hashlib.sha256(np.ascontiguousarray(x).data)
    sha.update(np.ascontiguousarray(y).data)
    return sha.hexdigest()[:16]


def _check(attacks: Sequence[Any], evaluations: int, needed: int) -> None:
    if isinstance(attacks, str) or not hasattr(attacks, "__len__") or len(attacks) == 0:
        raise ValueError(f"attacks must hold at least one attack, got {attacks!r}")
    for attack in attacks:
        check_attack(attack)
    if len(set(attacks)) < len(attacks):
        raise ValueError("attacks must differ; one twice draws the same, give it restarts instead")
    aimed = [type(attack).__name__ for attack in attacks if attack.targeted]
    if aimed:
        raise ValueError(f"attacks must be untargeted, got a targeted {aimed[0]}")
    for name, value, most in (("evaluations", evaluations, None), ("needed", needed, evaluations)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an int >= 1, got {value!r}")
        if most is not None and value > most:
            raise ValueError(f"{name} must be at most evaluations, {most}, got {value}")
