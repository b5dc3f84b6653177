"""What is run on which network, each run kept as a Record."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.attacks import art_ways
from benchmarks.attacks.auto_attack import words
from benchmarks.attacks.networks import NETWORKS, Hardened, trained
from benchmarks.attacks.scale import Scale
from benchmarks.suite.names import LADDER, MEMBERS, PEERS, RUNS, SUITE
from robustnets import __version__, backend
from robustnets.attacks import APGD, FAB, FGSM, PGD, AutoAttack, Square, balls
from robustnets.core.record import Record
from robustnets.core.spec import to_dict
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.worst_case import worst_case
from robustnets.models import Classifier

SEED, BATCH, SLACK = 0, 16, 1e-5  # small batches, so that a part is done in a minute or two
QUERIES = 1_000  # of Square beside ART's


@dataclass(frozen=True, slots=True)
class Setting:
    """A network, a radius and how many examples.

    Args:
        network: a key of `networks.NETWORKS`.
        title: on the page.
        eps: in linf, such that an undefended network is not fooled on every example.
        n: the first so many test images.
    """

    network: str
    title: str
    eps: float
    n: int


SETTINGS = {
    setting.network: setting
    for setting in (
        Setting("m", "MNIST CNN", 0.15, 100),
        Setting("a", "MNIST CNN, adversarially trained", 0.3, 100),
        Setting("c", "CIFAR-10 CNN", 2 / 255, 100),
        Setting("d", "FC-100-100-10 on digits", 0.08, 200),
    )
}
MAKERS = {"apgd-art": art_ways.apgd, "square-art": art_ways.square}
_QUICK: dict[type, dict[str, Any]] = {
    APGD: {"steps": 4}, FAB: {"steps": 3}, PGD: {"steps": 4}, Square: {"budget": 30}
}  # fmt: skip


def attacks_of(setting: Setting, quick: bool) -> dict[str, Any]:
    """The spec of each run; for the suite a tuple of them."""
    threat = ThreatModel("linf", setting.eps)
    pgd = PGD(threat, steps=40, stop_early=True)
    members = AutoAttack(threat).attacks(10)
    found = {
        **dict(zip(LADDER, (
            FGSM(threat), pgd, PGD(threat, steps=100, restarts=10, stop_early=True),
        ))),
        **dict(zip(MEMBERS, members)),
        # at ART's budgets: the first member is one of the two
        "square-short": Square(threat, budget=QUERIES),
        "apgd-art": members[0],
        "square-art": Square(threat, budget=QUERIES),
    }  # fmt: skip
    if quick:
        found = {name: replace(a, **_QUICK.get(type(a), {})) for name, a in found.items()}
    return {**found, SUITE: tuple(found[name] for name in MEMBERS)}


def carry_out(
    setting: Setting,
    scale: Scale,
    folder: Path,
    cache: Path,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Carry out the runs of a network that `folder` does not have."""
    model, test, source = trained(setting.network, scale, cache, say)
    classifier = Classifier(model)
    n = setting.n if scale.most is None else min(setting.n, scale.most)
    x, y = test.x[:n], test.y[:n]
    clean = classifier.predict(x).argmax(axis=1)
    about = {
        "title": setting.title,
        "images": source,
        "training": described(setting.network, scale),
        "accuracy": float((clean == y).mean()),
        "test accuracy": float((classifier.predict(test.x).argmax(axis=1) == test.y).mean()),
        "test images": len(test),
        "scale": "quick" if scale.quick else "full",
        "CPU": machine.cpu(),
        **backend.describe(),
    }
    attacks = attacks_of(setting, scale.quick)
    for name in RUNS:
        cell = {
            "network": setting.network,
            "model": classifier.digest,
            "run": name,
            "attack": to_dict(attacks[name]),
            "n": n,
            "seed": SEED,
            "batch": BATCH,
            "version": __version__,
        }
        path = folder / "records" / f"{setting.network}-{name}.npz"
        if path.is_file() and Record.load(path).cell == cell:
            continue
        say(f"{setting.title}: {name}")
        # with nothing compiled for it, so that each run's time has its tracing in it
        fresh = Classifier(model)
        if name in PEERS:
            arrays, seconds, parts = _peer(name, attacks[name], fresh, x, y)
        else:
            arrays, seconds, parts = _ours(name, attacks[name], fresh, x, y, cache, say)
        moved = arrays.pop("x")
        far = balls.distances(x, moved)["linf"]
        inside = far <= setting.eps + SLACK
        if name not in PEERS and not inside.all():
            raise ValueError(f"{name} left the ball on {setting.title}: {far.max()}")
        after = np.where(inside, classifier.predict(moved).argmax(axis=1), clean)
        Record(
            cell,
            y,
            clean,
            np.array([setting.eps]),
            after[None],
            arrays,
            about={**about, "seconds": seconds, "parts": parts},
        ).save(path)


def _peer(name, attack, classifier, x, y):
    started = time.perf_counter()
    right = classifier.predict(x).argmax(axis=1) == y
    way = MAKERS[name](classifier, attack, len(x))
    moved = x.copy()
    # ours leaves those alone that are wrong as they stand
    moved[right] = way.attacked(x[right], y[right])
    return {"x": moved}, time.perf_counter() - started, []


def _ours(name, attacks, classifier, x, y, cache, say):
    """One attack on all examples, or several in order; finished parts are kept in the cache."""
    found = worst_case(
        attacks if name == SUITE else (attacks,),
        classifier,
        x,
        y,
        seed=SEED,
        batch_size=BATCH,
        folder=cache / "suite",
        progress=lambda m: say(f"{name}, {m.attack}: {m.done} of {m.examples}"),
    )
    arrays = {
        "x": found.x,
        "broken_by": found.broken_by,
        "forward": found.forward[None],
        "backward": found.backward[None],
    }
    parts = [[words(part.attack), part.attacked, part.broke] for part in found.parts]
    return arrays, sum(part.seconds for part in found.parts), parts


def described(key: str, scale: Scale) -> str:
    """How a network was trained, in a sentence."""
    network = NETWORKS[key]
    if not isinstance(network, Hardened):
        return f"{scale.epochs or network.epochs} epochs of SGD at {network.rate:g}, batches of 100"
    stages = []
    for stage in network.stages:
        epochs, growth = 1 if scale.quick else stage.epochs, stage.adversary.warm_up
        said = f"{epochs} epochs of SGD at {stage.rate:g} on PGD-{stage.adversary.attack.steps}"
        stages.append(said + (f", the radius growing over {growth}" if growth else ""))
    radius = network.stages[-1].adversary.attack.threat.eps
    return f"batches of 50, linf radius {radius:g}: {'; then '.join(stages)}"
