"""Peak memory of an attack over more and more examples, each size in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.attacks.scale import Scale
from robustnets.core.store import write_atomically

GROWTH = 1.1  # of what is needed beyond the arrays, from the first size to the last


@dataclass(frozen=True, slots=True)
class Peak:
    """What one process needed.

    Args:
        n: examples.
        arrays: bytes of the examples handed in and of those that come back.
        before: peak bytes before the attack, with the network built and the examples made.
        peak: peak bytes at the end.
    """

    n: int
    arrays: int
    before: int
    peak: int

    @property
    def beyond(self) -> int:
        """Bytes beyond the arrays."""
        return self.peak - self.arrays


@dataclass(frozen=True, slots=True)
class Memory:
    """One row.

    Args:
        name: of the row.
        title: of the attack and the network.
        batch: examples at a time.
        peaks: by growing n.
        facts: the machine.
    """

    name: str
    title: str
    batch: int
    peaks: tuple[Peak, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write `NAME.json`."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        return write_atomically(folder / f"{self.name}.json", lambda p: p.write_text(text))

    @classmethod
    def load(cls, path: Path) -> "Memory":
        """Read what `save` wrote."""
        data = json.loads(path.read_text())
        return cls(**{**data, "peaks": tuple(Peak(**peak) for peak in data["peaks"])})

    @property
    def flat(self) -> bool:
        """Whether what is needed beyond the arrays stays the same."""
        return self.peaks[-1].beyond <= GROWTH * self.peaks[0].beyond


# title, model, image shape, batch; the attacks stand in `_attack`
CASES = {
    "memory-pgd-fc": ("PGD-10 linf on FC", "fc_100_100_10", (28, 28, 1), 500),
    "memory-deepfool-fc": ("DeepFool l2, 3 classes, on FC", "fc_100_100_10", (28, 28, 1), 500),
    "memory-pgd-c": ("PGD-2 linf on C", "cifar10_cnn", (32, 32, 3), 250),
}


def measure(name: str, scale: Scale, say: Callable[[str], None] = lambda _: None) -> Memory:
    """Run one process for each size."""
    title, _, _, batch = CASES[name]
    load, peaks = machine.load(), []
    for n in scale.memory:
        say(f"{name}: {n} examples")
        out = subprocess.run(
            [sys.executable, "-m", "benchmarks.attacks.memory", name, str(n)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        peaks.append(Peak(**json.loads(out.splitlines()[-1])))
    facts = {
        "scale": "quick" if scale.quick else "full",
        "load before": load,
        "CPU": machine.cpu(),
    }
    return Memory(name, title, batch, tuple(peaks), facts)


def _attack(name: str) -> Any:
    from robustnets.attacks import PGD, DeepFool
    from robustnets.core.threat import ThreatModel

    return {
        "memory-pgd-fc": PGD(ThreatModel("linf", 0.03), steps=10),
        "memory-deepfool-fc": DeepFool(ThreatModel("l2", 100.0), candidates=3),
        "memory-pgd-c": PGD(ThreatModel("linf", 2 / 255), steps=2),
    }[name]


def _peak() -> int:
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def child(name: str, n: int) -> Peak:
    """Attack n random images, in this process."""
    import numpy as np

    from robustnets import engines
    from robustnets.experiments.quiet import quiet_backend
    from robustnets.models import MODELS, Classifier

    quiet_backend()
    _, model, shape, batch = CASES[name]
    classifier = Classifier(MODELS[model](shape, 10, 0))
    x = np.random.default_rng(0).random((n, *shape), np.float32)
    y = classifier.predict(x, batch).argmax(axis=1)
    before = _peak()
    found = engines.run(_attack(name), classifier, x, y, batch_size=batch)
    return Peak(n, x.nbytes + found.x.nbytes, before, _peak())


if __name__ == "__main__":
    print(json.dumps(asdict(child(sys.argv[1], int(sys.argv[2])))))
