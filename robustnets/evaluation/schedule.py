"""Fit the attacks of an evaluation to a time, and say what that left out."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from robustnets.attacks import FAB, PGD
from robustnets.core.threat import ThreatModel
from robustnets.engines import memory, run
from robustnets.models.classifier import Classifier

# what an attack can be cut down by, the first of them that it has, and the least that makes sense
SIZES = (("budget", 100), ("restarts", 1), ("targets", 1), ("steps", 10))
COMPILING = 2.0  # seconds that a loop takes to compile on a CPU, about
# what the sanity block costs: runs of the attack under test, other passes, loops to compile
BLOCK_RUNS, BLOCK_PASSES, BLOCK_LOOPS = 10, 600, 8
BLOCK_SHARE = 0.25  # of a time budget
BLOCK_LEAST = 8  # examples
LEAST = 100  # examples, before attacks are cut down
EXPECTED = 0.6  # of what the attacks may cost at most: some examples break early


def units(attack: Any) -> float:
    """What an attack costs for each example at most, in forward passes.

    A backward pass counts as two. An attack that nothing is known of counts as a hundred.
    """
    budget = getattr(attack, "budget", None)
    if budget is not None:
        return float(budget)
    if hasattr(attack, "passes"):
        forward, backward = attack.passes
        return forward + 2.0 * backward
    steps = getattr(attack, "steps", None)
    if steps is None:
        return 100.0
    starts = getattr(attack, "restarts", 1) * (getattr(attack, "targets", None) or 1)
    # FAB asks again for the gap that it linearises, and for its way back
    factor = 5.0 if isinstance(attack, FAB) else 3.0
    return factor * steps * starts * getattr(attack, "expectation", 1)


def cut_down(attack: Any, share: float) -> tuple[Any | None, str]:
    """An attack at about a share of its cost.

    Args:
        attack: the spec.
        share: in (0, 1).

    Returns:
        The smaller attack, or None where there is none that makes sense; and what became of
        it, in words.
    """
    name, smaller, said = type(attack).__name__, attack, []
    for field, least in SIZES:
        value = getattr(smaller, field, None)
        if not isinstance(value, int) or value <= least:
            continue
        wanted = max(least, round(value * share))
        smaller = dataclasses.replace(smaller, **{field: wanted})
        said.append(f"{wanted} of {value} {'queries' if field == 'budget' else field}")
        share = units(attack) * share / units(smaller)
        attack = smaller
        if share >= 1:
            break
    # half of what was wanted is still an attack; much less is none
    if share < 0.5:
        return None, f"{name}: left out"
    return (smaller, f"{name}: {', '.join(said)}") if said else (smaller, "")


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """An attack that is to come.

    Args:
        attack: its spec.
        examples: that it may have to run on.
        weight: what a pass through the model that it is crafted on costs, the victim's being 1.
    """

    attack: Any
    examples: int
    weight: float = 1.0


def affordable(seconds: float, planned: Sequence[Planned], pace: float, n: int) -> int:
    """How many of n examples can be attacked in a time, before attacks have to be cut down.

    Fewer examples make an interval wider; weaker attacks make the number wrong.

    Args:
        seconds: for everything.
        planned: what is to come for n examples.
        pace: see `pace_of`.
        n: examples at hand.

    Returns:
        At least `LEAST`, or n where that is less.
    """
    free = (1 - BLOCK_SHARE) * seconds - COMPILING * len(planned)
    each = EXPECTED * pace * sum(units(p.attack) * p.weight for p in planned)
    fitting = n if each == 0 else int(max(free, 0.0) / each)
    return min(n, max(fitting, LEAST))


class Schedule:
    """Watches the clock of one evaluation.

    Args:
        seconds: for everything, or None: no limit.
        planned: all that is to come, in order.
        pace: seconds for a forward pass of one example; see `pace_of`.
        started: reading of `time.perf_counter` from which on the time counts; None: from here.
    """

    def __init__(
        self,
        seconds: float | None,
        planned: Sequence[Planned],
        pace: float,
        started: float | None = None,
    ):
        self.started = time.perf_counter() if started is None else started
        self.seconds = seconds
        self.left_out: list[str] = []
        self._planned = list(planned)
        self._pace = pace
        self._paces: dict[type, float] = {}

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
        return sum(map(self._cost, self._planned))

    def reserve(self, attack: Any, examples: int) -> int:
        """Set time aside for the sanity block.

        Args:
            attack: under test.
            examples: that the block would like to look at.

        Returns:
            How many its attacks can be run on; 0 leaves these checks out.
        """
        if self.seconds is None:
            return examples
        each = (BLOCK_RUNS * units(attack) + BLOCK_PASSES) * self._pace
        free = BLOCK_SHARE * self.seconds - BLOCK_LOOPS * COMPILING
        fitting = examples if each == 0 else min(examples, int(free / each))
        if fitting < min(BLOCK_LEAST, examples):
            self.left_out.append("checks that run attacks: left out")
            return 0
        if fitting < examples:
            self.left_out.append(f"checks that run attacks: on {fitting} of {examples} examples")
        self.seconds -= BLOCK_LOOPS * COMPILING + fitting * each
        return fitting

    def took(self, attack: Any, passes: float, seconds: float) -> None:
        """Learn the pace of an attack from a run of it: passes as `units` counts them, in all."""
        if passes > 0 and seconds > 2 * COMPILING:
            self._paces[type(attack)] = (seconds - COMPILING) / passes

    def fit(
        self, attack: Any, examples: int, weight: float = 1.0
    ) -> tuple[Any | None, float | None]:
        """The attack as large as time allows, all that is planned after it considered.

        One that asks for less than an equal share of the time that is left has it; the others
        are cut down alike.

        Args:
            attack: as planned.
            examples: that stand.
            weight: as in `Planned`.

        Returns:
            The attack to run, or None to leave it out; and the seconds that it may take.
        """
        at = next((i for i, p in enumerate(self._planned) if p.attack == attack), None)
        if at is not None:
            # what stood before it in the plan was not needed: nothing stood any more
            del self._planned[: at + 1]
        if self.seconds is None:
            return attack, None
        own = self._cost(Planned(attack, examples, weight))
        cost = own + sum(map(self._cost, self._planned))
        free = self.left or 0.0
        allowed = max(free * own / cost, free / (1 + len(self._planned)))
        if own <= allowed:
            return attack, 2 * allowed
        smaller, said = cut_down(attack, max(allowed - COMPILING, 0.0) / (own - COMPILING))
        if said:
            self.left_out.append(said)
        return smaller, 2 * allowed

    def _cost(self, planned: Planned) -> float:
        known = self._paces.values()
        typical = self._pace or (sum(known) / len(known) if known else 0.0)
        pace = self._paces.get(type(planned.attack), typical * planned.weight)
        return units(planned.attack) * planned.examples * pace + COMPILING


def pace_of(classifier: Classifier, x: np.ndarray, y: np.ndarray) -> float:
    """Seconds for a forward pass of one example; a backward pass takes about two of them."""
    attack = PGD(ThreatModel("linf", 0.0), steps=5)
    size = memory.batch_size(attack, classifier)
    x, y = x[:size], y[:size]
    settings: dict[str, Any] = {"attack_wrong": True, "batch_size": size}
    run(attack, classifier, x, y, **settings)
    taken = run(attack, classifier, x, y, **settings).seconds
    return taken / (units(attack) * len(x))
