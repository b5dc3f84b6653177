"""Measures one row: all sides in one process, in turn, beside the floor."""

import contextlib
import importlib.metadata
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.attacks.floor import Bare
from benchmarks.attacks.networks import Victim, victim
from benchmarks.attacks.result import Result, Side
from benchmarks.attacks.rows import NATIVE, Peer, Row
from benchmarks.attacks.scale import IN_A_ROW, SHORT, Scale
from benchmarks.attacks.ways import Way, compiler_of, ours
from robustnets import backend
from robustnets.models import Classifier
from robustnets.models.classifier import has_convolutions

SLACK = 1e-5  # by how much a peer may leave ball and box, in input units


class _Runner:
    """One way, its times, and what became of its last call."""

    def __init__(self, name: str, peer: Peer, row: Row, target: Victim, limit: float):
        self.name, self.peer, self.row, self.target = name, peer, row, target
        self.n = min(row.n, peer.most or row.n, len(target.x))
        self.limit = limit
        self.attack = peer.attack or row.attack
        self.first = float("nan")
        self.seconds: list[float] = []
        self.found: np.ndarray | None = None
        self.failed = ""
        self.way: Way | None = None

    def turn(self) -> None:
        """Attack once; where that is short, a few times in a row, of which the last one counts."""
        fresh = self.found is None
        if self.failed or (self.peer.heavy and not fresh):
            return
        took = self._call()
        if fresh:
            self.first = took
            return
        for _ in range(IN_A_ROW - 1 if took < SHORT else 0):
            took = self._call()
        if not self.failed:
            self.seconds.append(took)

    def _call(self) -> float:
        """Seconds of an attack; the first one builds and compiles. NaN if it failed."""
        x, y = self.target.x[: self.n], self.target.y[: self.n]
        try:
            with _at_most(self.limit):
                started = time.perf_counter()
                if self.way is None:
                    # a classifier of its own, for which nothing has been compiled yet
                    fresh = Classifier(self.target.classifier.model)
                    make = self.peer.make or ours
                    self.way = make(fresh, self.attack, self.peer.batch or self.row.batch)
                else:
                    self.way.passes()  # begin to count from here
                found = self.way.attacked(x, y)
                took = time.perf_counter() - started
        except Exception as problem:
            if self.peer.make is None:
                raise
            # a peer that breaks is a result, and no end of the row
            self.failed = f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:200]
            return float("nan")
        self.found = found
        return took

    def side(self, floor: Callable[[tuple[int, int], bool], float]) -> Side:
        """What there is to say about it."""
        every = self.row.floor if self.name == NATIVE else self.peer.floor
        limit = self.row.limit if self.name == NATIVE else None
        shared = {"name": self.name, "n": self.n, "bar": self.peer.bar, "all_steps": every}
        shared["limit"] = limit
        if self.failed or self.found is None or self.way is None:
            failed = self.failed or "no call"
            nothing = float("nan")
            return Side(
                first=nothing, seconds=[], success=0.0, median=np.inf, failed=failed, **shared
            )
        success, median = strength(self.attack, self.target, self.found)
        forward, backward = self.way.passes()
        counted = self.peer.make is None and forward is not None and backward is not None
        return Side(
            first=self.first,
            seconds=self.seconds,
            success=success,
            median=median,
            forward=None if forward is None else forward / self.n,
            backward=None if backward is None else backward / self.n,
            floor=floor((forward, backward), every) if counted else None,
            **shared,
        )


def measure(
    row: Row, scale: Scale, cache: Path, say: Callable[[str], None] = lambda _: None
) -> Result:
    """Time all sides of a row; on JAX, only ours."""
    row = row.at(scale)
    load = machine.load()
    target = _to_attack(row, victim(row.network, scale, cache, say))
    on_tensorflow = backend.name() == "tensorflow"
    runners = [
        _Runner(name, peer, row, target, scale.limit)
        for name, peer in {NATIVE: Peer(None), **row.peers}.items()
        if on_tensorflow or peer.make is None
    ]
    batch = min(row.batch, len(target.x), row.n)
    queries = batch * row.block
    bare = {
        name: Bare(target.classifier, target.x[:batch], target.y[:batch], queries, xla)
        for name, xla in _compilers(target.classifier)
    }
    spent: dict[tuple[str, str], list[float]] = {}
    rounds = min(scale.rounds, row.rounds or scale.rounds)
    for done in range(-1, rounds):
        for runner in runners:
            say(f"{row.name}, round {done + 1} of {rounds}: {runner.name}")
            runner.turn()
        for compiler, passes in bare.items():
            for kind in ("forward", "both"):
                for _ in range(IN_A_ROW):
                    started = time.perf_counter()
                    getattr(passes, kind)()
                    took = time.perf_counter() - started
                if done >= 0:
                    spent.setdefault((compiler, kind), []).append(took)
    least = {key: min(seconds) for key, seconds in spent.items()}

    def floor(passes: tuple[int, int], all_steps: bool) -> float:
        return min(
            b.seconds(least[name, "forward"], least[name, "both"], passes, all_steps)
            for name, b in bare.items()
        )

    sides = tuple(runner.side(floor) for runner in runners)
    say(f"{row.name}, {scale.job} examples from a cold start")
    job = _job(row, target, scale.job) if row.job else None
    described = backend.describe()
    wanted = ("keras", "numpy", "adversarial-robustness-toolbox", "cleverhans", "foolbox")
    packages = [name for name in wanted if _installed(name)]  # Foolbox comes with an extra
    facts = {
        "backend": backend.name(),
        "device": described["device"],
        "compiler": compiler_of(target.classifier, row.attack),
        "floor": min(bare, key=lambda name: least[name, "both"]),
        "accuracy": target.accuracy,
        "images": target.source,
        "scale": "quick" if scale.quick else "full",
        "load before": load,
        "CPU": machine.cpu(),
        backend.name(): described[backend.name()],
        **machine.versions(*packages),
    }
    return Result(
        row.name, row.family, row.title, row.network, row.batch, row.attack.threat.norm,
        row.attack.minimal, sides, job, facts,
    )  # fmt: skip


def _compilers(classifier: Classifier) -> tuple[tuple[str, bool], ...]:
    """What the floor may be compiled with: (name, whether XLA)."""
    if backend.name() == "jax":
        return (("XLA", True),)
    # known to lose there: by two times in a single pass
    if has_convolutions(classifier.model) and backend.describe()["device"] == "cpu":
        return (("graph", False),)
    return (("graph", False), ("XLA", True))


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _to_attack(row: Row, target: Victim) -> Victim:
    """The examples of a row, with the classes to reach if it is targeted."""
    x, y = target.x, target.y
    if row.from_noise:
        shape = (200, *target.classifier.image_shape)
        noise = np.random.default_rng(0).random(shape, np.float32)
        seen = target.classifier.predict(noise).argmax(axis=1)
        common = np.bincount(seen).argmax()
        x, y = x[y != common], y[y != common]
    if row.attack.targeted:
        y = (y + 1 + np.arange(len(y)) % 9) % 10
    return Victim(Classifier(target.classifier.model), x, y, target.accuracy, target.source)


def strength(attack, target: Victim, found: np.ndarray) -> tuple[float, float]:
    """(share of successes, median distance with failures infinitely far).

    What lies outside the box or, for a fixed radius, outside the ball is no success.
    """
    x, y = target.x[: len(found)], target.y[: len(found)]
    hit = (target.classifier.predict(found).argmax(axis=1) == y) == attack.targeted
    threat = attack.threat
    far = distances(found - x, threat.norm)
    outside = np.maximum(found - threat.high, threat.low - found).reshape(len(x), -1).max(axis=1)
    hit &= outside <= SLACK
    if not attack.minimal:
        # the sum of many small excesses
        slack = SLACK * (1 if threat.norm == "linf" else x[0].size if threat.norm == "l1" else 10)
        hit &= far <= threat.eps + slack
    return float(hit.mean()), float(np.median(np.where(hit, far, np.inf)))


def distances(delta: np.ndarray, norm: str) -> np.ndarray:
    """float64 (N,); for l0 the number of pixels, not values."""
    flat = delta.reshape(len(delta), -1).astype(np.float64)
    if norm == "l0":
        return (delta != 0).any(axis=-1).reshape(len(delta), -1).sum(axis=1).astype(np.float64)
    if norm == "linf":
        return np.abs(flat).max(axis=1)
    return np.abs(flat).sum(axis=1) if norm == "l1" else np.sqrt(np.square(flat).sum(axis=1))


def _job(row: Row, target: Victim, n: int) -> tuple[int, float]:
    """So many examples with a fresh classifier: (examples, seconds)."""
    n = min(n, len(target.x))
    way = ours(Classifier(target.classifier.model), row.attack, row.batch)
    started = time.perf_counter()
    way.attacked(target.x[:n], target.y[:n])
    return n, time.perf_counter() - started


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the main thread after so many seconds, where there are signals."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_):
        raise TimeoutError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
