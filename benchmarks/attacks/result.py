"""What one row measured, and its file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from robustnets.core.store import write_atomically


@dataclass(frozen=True, slots=True)
class Side:
    """What one way did.

    Args:
        name: of the way.
        n: examples.
        first: seconds of the first call, tracing and compiling included.
        seconds: of the later calls; none where once is all that there is time for.
        success: share of the examples that are a success, inside box and ball.
        median: of the distances in the attack's norm, infinite for failures.
        forward, backward: passes per example, None where nobody counted.
        bar: how many times native's time it has to take.
        floor: seconds that its bare passes take, None where they are not counted.
        all_steps: whether it runs all its steps, so that the floor's bar holds.
        limit: how many times the floor it may take, where that is another than for all.
        failed: what it ended with, or "".
    """

    name: str
    n: int
    first: float
    seconds: list[float]
    success: float
    median: float
    forward: float | None = None
    backward: float | None = None
    bar: float | None = None
    floor: float | None = None
    all_steps: bool = False
    limit: float | None = None
    failed: str = ""

    @property
    def best(self) -> float:
        """Seconds per example, of the best call."""
        return min(self.seconds or [self.first]) / self.n

    @property
    def cold(self) -> float | None:
        """Seconds that the first call took longer than the best: tracing and compiling."""
        return max(self.first - min(self.seconds), 0.0) if self.seconds else None


@dataclass(frozen=True, slots=True)
class Result:
    """One row; the first side is the native one.

    Args:
        name, family, title, network, batch: as in `rows.Row`.
        norm: of the distances.
        minimal: whether the attack makes distances small.
        sides: what was compared.
        job: (examples, native seconds on a fresh classifier), or None.
        facts: the machine, the networks, the compiler.
    """

    name: str
    family: str
    title: str
    network: str
    batch: int
    norm: str
    minimal: bool
    sides: tuple[Side, ...]
    job: tuple[int, float] | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> Path:
        """Write `NAME.json`, or `jax/NAME.json`."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        return write_atomically(
            path_of(folder, self.name, self.facts["backend"]), lambda p: p.write_text(text)
        )

    @classmethod
    def load(cls, path: Path) -> "Result":
        """Read what `save` wrote."""
        data = json.loads(path.read_text())
        data["sides"] = tuple(Side(**side) for side in data["sides"])
        data["job"] = data["job"] and tuple(data["job"])
        return cls(**data)

    def ratio(self, side: Side) -> float | None:
        """How many times native's time per example the side takes, None where it failed."""
        return None if side.failed else side.best / self.sides[0].best


def path_of(folder: Path, name: str, backend: str) -> Path:
    """Where a row's result is or would be."""
    return (folder if backend == "tensorflow" else folder / backend) / f"{name}.json"
