"""Fit the attacks of an evaluation to a time, and say what that left out."""

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from robustnets.attacks import PGD
from robustnets.core.threat import ThreatModel
from robustnets.engines import memory, run
from robustnets.evaluation.costs import Planned, cut_down, units
from robustnets.models.classifier import Classifier

COMPILING = 2.0  # seconds that a loop takes to compile on a CPU, about, until it is known
ENOUGH = 1000  # passes of a model, before their time says something about its pace
# what the sanity block costs: runs of the attack under test, other passes, loops to compile
BLOCK_RUNS, BLOCK_PASSES, BLOCK_LOOPS = 10, 600, 8
BLOCK_SHARE = 0.25  # of a time budget
BLOCK_LEAST = 8  # examples
LEAST = 100  # examples, before attacks are cut down
PILOT_STEPS, PILOT_EXAMPLES = 10, 64


def affordable(
    seconds: float, planned: Sequence[Planned], pace: float, n: int, standing: float = 1.0
) -> int:
    """How many of n examples can be attacked in a time, before attacks have to be cut down.

    Fewer examples make an interval wider; weaker attacks make the number wrong.

    Args:
        seconds: for everything.
        planned: what is to come for n examples.
        pace: seconds for a forward pass of one example.
        n: examples at hand.
        standing: as for `Planned.passes`.

    Returns:
        At least `LEAST`, or n where that is less.
    """
    free = (1 - BLOCK_SHARE) * seconds - COMPILING * len(planned)
    each = pace * sum(p.passes(standing) for p in planned) / n
    fitting = n if each == 0 else int(max(free, 0.0) / each)
    return min(n, max(fitting, LEAST))


class Schedule:
    """Watches the clock of one evaluation.

    Args:
        seconds: for everything, or None: no limit.
        planned: all that is to come, in order.
        pace: seconds for a forward pass of one example, 0 where that is not known yet; see
            `pilot`.
        started: reading of `time.perf_counter` from which on the time counts; None: from here.
        standing: share of the examples that may withstand everything, until more is known.
    """

    def __init__(
        self,
        seconds: float | None,
        planned: Sequence[Planned],
        pace: float,
        started: float | None = None,
        standing: float = 1.0,
    ):
        self.started = time.perf_counter() if started is None else started
        self.seconds = seconds
        self.left_out: list[str] = []
        self._planned = list(planned)
        self._pace = pace
        self._paces: dict[type, float] = {}
        self._compiled: list[float] = []
        self._standing = standing
        self._current = 0.0
        self._block = 0.0

    @property
    def omissions(self) -> tuple[str, ...]:
        """What was left out or cut down, each in words; the same several times counted."""
        counted = Counter(self.left_out)
        return tuple(f"{one} ({n} times)" if n > 1 else one for one, n in counted.items())

    @property
    def left(self) -> float | None:
        """Seconds left, at least 0.001, or None for no limit."""
        if self.seconds is None:
            return None
        return max(1e-3, self.seconds - (time.perf_counter() - self.started))

    @property
    def estimate(self) -> float | None:
        """Seconds that what is still planned may take, or None before anything was measured."""
        if not (self._pace or self._paces):
            return None
        return sum(map(self._cost, self._planned)) + self.block

    @property
    def current(self) -> float:
        """Seconds that the attack that `fit` gave last may take, from its beginning on."""
        return self._current

    @property
    def block(self) -> float:
        """Seconds that the sanity block may take."""
        return self._block * self._typical + BLOCK_LOOPS * self._compiling if self._block else 0.0

    @property
    def _typical(self) -> float:
        known = self._paces.values()
        return self._pace or (sum(known) / len(known) if known else 0.0)

    @property
    def _compiling(self) -> float:
        return sum(self._compiled) / len(self._compiled) if self._compiled else COMPILING

    def reserve(self, attack: Any, examples: int) -> int:
        """Set time aside for the sanity block.

        Args:
            attack: under test.
            examples: that the block would like to look at.

        Returns:
            How many its attacks can be run on; 0 leaves these checks out.
        """
        each = BLOCK_RUNS * units(attack) + BLOCK_PASSES
        if self.seconds is None:
            self._block = each * examples
            return examples
        free = BLOCK_SHARE * self.seconds - BLOCK_LOOPS * self._compiling
        fitting = examples if self._pace == 0 else min(examples, int(free / (each * self._pace)))
        if fitting < min(BLOCK_LEAST, examples):
            self.left_out.append("checks that run attacks: left out")
            return 0
        if fitting < examples:
            self.left_out.append(f"checks that run attacks: on {fitting} of {examples} examples")
        self._block = each * fitting
        self.seconds -= self.block
        return fitting

    def stands(self, share: float) -> None:
        """Learn that no more than this share of the examples withstands everything."""
        self._standing = min(self._standing, share)

    def took(
        self,
        attack: Any,
        passes: float,
        seconds: float,
        warm: tuple[float, float] = (0.0, 0.0),
        weight: float = 1.0,
    ) -> None:
        """Learn the pace of an attack, and what it takes to compile one, from a run of it.

        Args:
            attack: that was run.
            passes: in all, as `units` counts them.
            seconds: in all.
            warm: the same two of what came after its first batches, for which it was compiled.
            weight: as in `Planned`.
        """
        if warm[0] >= ENOUGH:
            pace = warm[1] / warm[0]
            self._compiled.append(max(seconds - passes * pace, 0.0))
        elif passes >= ENOUGH and seconds > 2 * self._compiling:
            pace = (seconds - self._compiling) / passes
        else:
            return
        self._paces[type(attack)] = pace / weight

    def fit(
        self, attack: Any, examples: int, weight: float = 1.0, where: str = ""
    ) -> tuple[Any | None, float | None]:
        """The attack as large as time allows, all that is planned after it considered.

        One that asks for less than an equal share of the time that is left has it; the others
        are cut down alike.

        Args:
            attack: as planned.
            examples: that stand.
            weight: as in `Planned`.
            where: who attacks, for what is said about it.

        Returns:
            The attack to run, or None to leave it out; and the seconds that it may take.
        """
        at = next((i for i, p in enumerate(self._planned) if p.attack == attack), None)
        planned = Planned(attack, examples, weight)
        if at is not None:
            planned = self._planned[at]
            # what stood before it in the plan was not needed: nothing stood any more
            del self._planned[: at + 1]
        own = self._current = self._cost(planned, examples)
        if self.seconds is None:
            return attack, None
        cost = own + sum(map(self._cost, self._planned))
        free = self.left or 0.0
        allowed = max(free * own / cost, free / (1 + len(self._planned)))
        # none may take so long that those after it cannot even be compiled
        spare = free - self._compiling * len(self._planned)
        limit = max(allowed, min(2 * allowed, spare))
        if own <= allowed:
            return attack, limit
        running = own - self._compiling
        smaller, said = cut_down(attack, max(allowed - self._compiling, 0.0) / running)
        if said:
            self.left_out.append(f"{where}, {said}" if where else said)
        self._current = allowed if smaller is not None else 0.0
        return smaller, limit

    def _cost(self, planned: Planned, met: int | None = None) -> float:
        pace = self._paces.get(type(planned.attack), self._typical)
        return planned.passes(self._standing, met) * pace + self._compiling


@dataclasses.dataclass(frozen=True, slots=True)
class Pilot:
    """What a first look at some examples gave.

    Args:
        pace: seconds for a forward pass of one example; a backward pass takes about two.
        standing: share of the examples that it left, of which fewer may withstand everything.
    """

    pace: float
    standing: float


def pilot(classifier: Classifier, x: np.ndarray, y: np.ndarray, threat: ThreatModel) -> Pilot:
    """Run a short attack on the first examples, once to compile it and once for the time."""
    attack = PGD(threat, steps=PILOT_STEPS)
    size = min(PILOT_EXAMPLES, memory.batch_size(attack, classifier), len(x))
    x, y = x[:size], y[:size]
    settings: dict[str, Any] = {"attack_wrong": True, "batch_size": size}
    run(attack, classifier, x, y, **settings)
    made = run(attack, classifier, x, y, **settings)
    return Pilot(made.seconds / (units(attack) * size), 1 - float(made.success.mean()))
