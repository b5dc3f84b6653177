"""The whole of AutoAttack: what each attack took, and what leaving the batch saves in passes."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.attacks import art_ways
from benchmarks.attacks.networks import trained
from benchmarks.attacks.result import path_of
from benchmarks.attacks.scale import Scale
from robustnets import backend
from robustnets.attacks import APGD, FAB, AutoAttack, Square
from robustnets.core.store import write_atomically
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.worst_case import ROBUST, worst_case
from robustnets.models import Classifier


@dataclass(frozen=True, slots=True)
class Part:
    """One attack of the suite.

    Args:
        attack: in words.
        attacked: examples that stood until then.
        broke: how many of them it broke.
        seconds: wall clock, tracing included.
        forward: passes of examples that were not done.
        asked: rows of all batches that went forward, those that were done or padding included;
            None where nobody counted.
        most: passes if all that it attacked stayed to the end.
    """

    attack: str
    attacked: int
    broke: int
    seconds: float
    forward: int
    asked: int | None
    most: int


@dataclass(frozen=True, slots=True)
class Beside:
    """The suite and ART's on the same few examples.

    Args:
        n: examples.
        seconds: ours, from a cold start.
        robust: share that ours left standing.
        art_seconds: ART's, or None where it failed.
        art_robust: share that ART's left standing.
        failed: what ART ended with, or "".
    """

    n: int
    seconds: float
    robust: float
    art_seconds: float | None = None
    art_robust: float | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """One run of the suite.

    Args:
        name: of the row.
        title: suite and network.
        n: examples.
        batch: examples at a time.
        robust: share that stands at the end.
        seconds: of the whole, from a cold start.
        parts: its attacks in order.
        beside: ART's suite, or None on a backend on which it does not run.
        facts: the machine, the network.
    """

    name: str
    title: str
    n: int
    batch: int
    robust: float
    seconds: float
    parts: tuple[Part, ...]
    beside: Beside | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write `NAME.json`, or `jax/NAME.json`."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        return write_atomically(
            path_of(folder, self.name, self.facts["backend"]), lambda p: p.write_text(text)
        )

    @classmethod
    def load(cls, path: Path) -> "Whole":
        """Read what `save` wrote."""
        data = json.loads(path.read_text())
        data["parts"] = tuple(Part(**part) for part in data["parts"])
        data["beside"] = data["beside"] and Beside(**data["beside"])
        return cls(**data)


BATCH = 250
# title, network, radius, images, and how many of them beside ART: on A most stand to the end, where
# an image takes seconds, and tens of seconds of ART
CASES = {
    "autoattack-m": ("AutoAttack standard linf 0.3 on M", "m", 0.3, 1_000, 100),
    "autoattack-a": ("AutoAttack standard linf 0.3 on A", "a", 0.3, 100, 10),
}


def measure(
    name: str, scale: Scale, cache: Path, say: Callable[[str], None] = lambda _: None
) -> Whole:
    """Run the suite on the first test images, then both suites on fewer."""
    title, network, eps, n, few = CASES[name]
    load = machine.load()
    model, test, source = trained(network, scale, cache, say)
    suite = AutoAttack(ThreatModel("linf", eps))
    attacks = _at(suite.attacks(10), scale)
    n, few = min(n, scale.most or n), min(few, scale.most or few)
    classifier, asked = counted(model)
    marks: dict[int, int] = {}

    def show(moment):
        marks[moment.number] = asked()
        say(f"{name}: {moment.attack}, {moment.done} of {moment.examples}")

    started = time.perf_counter()
    found = worst_case(
        attacks, classifier, test.x[:n], test.y[:n], batch_size=min(BATCH, n), progress=show
    )
    seconds = time.perf_counter() - started
    parts = tuple(
        Part(
            words(part.attack),
            part.attacked,
            part.broke,
            part.seconds,
            part.forward,
            marks.get(i, 0) - max((marks[j] for j in marks if j < i), default=n)
            if backend.name() == "tensorflow" and part.attacked
            else None,
            part.attacked * most_passes(part.attack, 10),
        )
        for i, part in enumerate(found.parts)
    )
    facts = {
        "backend": backend.name(),
        "device": backend.describe()["device"],
        "accuracy": found.accuracy,
        "images": source,
        "scale": "quick" if scale.quick else "full",
        "load before": load,
        "CPU": machine.cpu(),
    }
    beside = None
    if backend.name() == "tensorflow":
        beside = _beside(model, suite, attacks, test.x[:few], test.y[:few], say)
    return Whole(name, title, n, BATCH, found.robust_accuracy, seconds, parts, beside, facts)


def _at(attacks, scale):
    if not scale.quick:
        return attacks
    quick: dict[type, dict[str, Any]] = {
        APGD: {"steps": 5}, FAB: {"steps": 3}, Square: {"budget": 40}
    }  # fmt: skip
    from dataclasses import replace

    return tuple(replace(attack, **quick[type(attack)]) for attack in attacks)


def _beside(model, suite, attacks, x, y, say):
    say("AutoAttack beside ART's")
    started = time.perf_counter()
    ours = worst_case(attacks, Classifier(model), x, y, batch_size=min(BATCH, len(x)))
    seconds = time.perf_counter() - started
    classifier = Classifier(model)
    try:
        started = time.perf_counter()
        theirs = art_ways.auto_attack(classifier, suite, len(x)).attacked(x, y)
        took = time.perf_counter() - started
    except Exception as problem:
        failed = f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:200]
        return Beside(len(x), seconds, ours.robust_accuracy, failed=failed)
    inside = np.abs(theirs - x).reshape(len(x), -1).max(axis=1) <= suite.threat.eps + 1e-5
    right = classifier.predict(x).argmax(axis=1) == y
    stands = right & ~((classifier.predict(theirs).argmax(axis=1) != y) & inside)
    robust = float((ours.broken_by == ROBUST).mean())
    return Beside(len(x), seconds, robust, took, float(stands.mean()))


def words(attack: Any) -> str:
    """An attack in a few words."""
    loss = getattr(attack, "loss", "")
    targets = getattr(attack, "targets", None)
    parts = [type(attack).__name__, loss.replace("_", " ") if isinstance(attack, APGD) else ""]
    return ", ".join(p for p in (*parts, f"{targets} targets" if targets else "") if p)


def most_passes(attack: Any, classes: int) -> int:
    """Forward passes of an example that stays to the end."""
    if isinstance(attack, Square):
        return attack.budget
    aims = min(attack.targets or 1, classes - 1)
    if isinstance(attack, APGD):
        looks = attack.restarts * aims * (attack.steps + 1)
        return attack.expectation * (looks + (attack.targets is not None))
    return 1 + 2 * attack.restarts * aims * attack.steps


def counted(model: Any) -> tuple[Classifier, Callable[[], int]]:
    """A classifier that counts the rows of all batches that go forward, on TensorFlow.

    Returns:
        The classifier, and how many rows there were until then.
    """
    classifier = Classifier(model)
    if backend.name() != "tensorflow":
        return classifier, lambda: 0
    import tensorflow as tf

    count, bare = tf.Variable(0, dtype=tf.int64), classifier.logits

    def logits(x):
        count.assign_add(tf.shape(x, out_type=tf.int64)[0])
        return bare(x)

    classifier.logits = logits  # type: ignore[method-assign]
    return classifier, lambda: int(count.numpy())
