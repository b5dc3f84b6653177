"""The stages of an evaluation: attackers one by one, the curve, draws, checks."""

import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robustnets.core.dataset import Split, evenly_by_class
from robustnets.core.schemas import EVALUATIONS
from robustnets.core.seeds import derive
from robustnets.core.spec import digest
from robustnets.core.store import Store
from robustnets.core.threat import ThreatModel
from robustnets.engines import memory
from robustnets.evaluation import threats, verdict
from robustnets.evaluation.curve import Curve, Nearest, refine
from robustnets.evaluation.evaluation import Attacker, Convergence
from robustnets.evaluation.judged import FRESH, judged_classes
from robustnets.evaluation.outcome import Standing, WorstCase
from robustnets.evaluation.pieces import ROLES, Carrier
from robustnets.evaluation.plan import CONVERGENCE, at, averaged, everything, minimal, weight_of
from robustnets.evaluation.sanity import Check
from robustnets.evaluation.schedule import Pilot, Schedule, affordable, pilot
from robustnets.evaluation.subject import Subject
from robustnets.evaluation.suites import Suite
from robustnets.evaluation.surrogate import trained_surrogate
from robustnets.evaluation.worst_case import worst_case
from robustnets.models.accept import classifier_of
from robustnets.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Moment:
    """Where an evaluation is, for a live view.

    Args:
        stage: what is under way, such as "white-box".
        number: its place, from 0.
        of: how many stages there are.
        standing: the attack in progress, or None between attacks.
        left: seconds that all the rest may take, or None where that is not known yet.
    """

    stage: str
    number: int
    of: int
    standing: Standing | None
    left: float | None


class Stages:
    """One evaluation under way: what its stages share, and each of them.

    Args:
        subject: the model.
        suite: the attacks.
        threat: norm and radius.
        x: float32 (N, H, W, C).
        y: int64 (N,).
        seed: of every draw.
        query_budget, batch_size: as for `engines.run`.
        progress: called with a `Moment`.
        carrier: carries attacks out in other processes; None: in this one.
    """

    schedule: Schedule
    checked: int  # examples that the sanity block looks at

    def __init__(
        self,
        subject: Subject,
        suite: Suite,
        threat: ThreatModel,
        x: np.ndarray,
        y: np.ndarray,
        seed: int,
        query_budget: int | None,
        batch_size: int | None,
        progress: Callable[[Moment], None] | None,
        carrier: Carrier | None = None,
    ):
        self.subject, self.suite, self.threat = subject, suite, threat
        self.x, self.y, self.seed = x, y, seed
        self.query_budget, self.batch_size, self.progress = query_budget, batch_size, progress
        self.carrier = carrier
        self.folder: Path | None = None
        self.stages: list[str] = []
        self.stage = 0
        self.seconds = 0.0  # of all attacks, also those that are read from a store
        self.right: dict[int, np.ndarray] = {}  # by id of a victim, bool (N,): right as it stands

    def keep_in(self, store: Store | None, defense: Any) -> None:
        """Keep parts under the code of the defense, too: a model's digest knows only its name."""
        if store is not None:
            code = digest(EVALUATIONS, _source(defense), [_source(o) for o in self._layers()])
            self.folder = store.root / "evaluations" / code

    def surrogate(self, given: Any, store: Store | None) -> Classifier | None:
        """The model to craft examples on: the given one, or one trained on given examples."""
        if given is None:
            return None
        if not isinstance(given, Split):
            return classifier_of(given, "surrogate")
        if self.progress is not None:
            self.progress(Moment("training a surrogate", 0, 1, None, None))
        classes, box = self.subject.classifier.classes, (self.threat.low, self.threat.high)
        return trained_surrogate(given, classes, self.seed, store, box)

    def _layers(self) -> list[Any]:
        model = self.subject.classifier.model
        kinds = {type(layer) for layer in model._flatten_layers(include_self=False)}
        foreign = [k for k in kinds if k.__module__.split(".")[0] not in ("keras", "robustnets")]
        return sorted(foreign, key=lambda kind: kind.__qualname__)

    def plan(self, rows: Sequence[threats.Row], time_budget: float | None, started: float) -> None:
        """Say what is to come, and share out the time since `started`: fewer examples first."""
        n, threat = len(self.y), self.threat
        planned = everything(self.subject, self.suite, threat, rows, n)
        self.stages = [row.knowledge for row in rows] + ["curve"]
        if self.subject.stochastic:
            self.stages.append("draws")
        self.stages.append("checks")
        first = Pilot(0.0, 1.0)
        if time_budget is not None:
            first = pilot(self.subject.classifier, self.x, self.y, threat)
            free = time_budget - (time.perf_counter() - started)
            many = affordable(free, planned, first.pace, n, first.standing)
            chosen = evenly_by_class(self.y, many)
            self.x, self.y = self.x[chosen], self.y[chosen]
            planned = everything(self.subject, self.suite, threat, rows, len(chosen))
        self.schedule = Schedule(time_budget, planned, first.pace, started, first.standing)
        tested, _ = threats.strongest(self.subject, self.suite, self.suite.tested(threat))
        self.checked = self.schedule.reserve(tested, min(self.suite.checked, len(self.y)))

    def show(self, stage: str, standing: Standing | None) -> None:
        if self.progress is not None:
            left = self.schedule.estimate
            if stage == "checks":
                share = 0.0 if standing is None else standing.done / standing.examples
                left = (1 - share) * self.schedule.block or None
            elif left is not None and standing is not None:
                left += self.schedule.current if standing.left is None else standing.left
            if left is not None and self.schedule.left is not None:
                left = min(left, self.schedule.left + self.schedule.block)
            number = (
                self.stages.index(stage) if stage in ("curve", "draws", "checks") else self.stage
            )
            self.progress(Moment(stage, number, len(self.stages), standing, left))

    def attacked(
        self, row: threats.Row, number: int
    ) -> tuple[WorstCase, np.ndarray, np.ndarray | None]:
        """Carry out one row: what is left, a class for each outcome, and the source's classes.

        The last ones are of the examples as they stand, None where the source is the victim or
        stands for it.
        """
        self.stage = number
        case = self._worst(
            row.attacks, row.victim, row.source, np.arange(len(self.y)), row.knowledge,
            derive(self.seed, row.key), row,
        )  # fmt: skip
        seed = derive(self.seed, row.key, "predictions")
        elsewhere = row.source not in (row.victim, self.subject.substitute)
        return (
            case,
            judged_classes(self.subject, case.x, self.y, ~case.robust, seed, row.victim),
            row.source.predict(self.x).argmax(axis=1) if elsewhere else None,
        )

    def curve(self, found: WorstCase) -> tuple[Nearest, Curve]:
        """Look for nearer examples at other radii."""
        source = self.subject.substitute or self.subject.classifier

        def attack_all(attack: Any, rows: np.ndarray, seed: int) -> WorstCase:
            return self._worst((attack,), self.subject.classifier, source, rows, "curve", seed)

        def wrong(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return self.subject.classifier.predict(images).argmax(axis=1) != self.y[rows]

        return refine(
            Nearest.of(found, self.threat), self.x, self.threat, self.suite.radii, self._at,
            attack_all, derive(self.seed, "curve"), minimal(self.subject, self.suite, self.threat),
            None if self.subject.stochastic else wrong,
        )  # fmt: skip

    def convergence(self, nearest: Nearest) -> tuple[Convergence, Nearest]:
        """The best-informed attacker with more and more draws, on some examples.

        What it breaks is broken, so that no attacker on the page does more than the worst of all.

        Args:
            nearest: what is known so far.

        Returns:
            What was left at each number of draws, and `nearest` with what that found.
        """
        rows = np.arange(min(CONVERGENCE, len(self.y)))
        attack, source = threats.strongest(self.subject, self.suite, self.suite.curve(self.threat))
        robust = []
        for draws in self.suite.convergence:
            case = self._worst(
                (averaged(self.subject, self.suite, self.threat, draws),),
                self.subject.classifier,
                source,
                rows,
                "draws",
                self.seed,
            )
            robust.append(case.robust)
            nearest = nearest.with_rows(rows, case, self.threat)
        return Convergence(self.suite.convergence, np.stack(robust), attack), nearest

    def checks(self, found: WorstCase, carried: Sequence[Attacker]) -> tuple[Check, ...]:
        """The sanity block, and whether knowing the defense helps."""

        def show(name: str, number: int, of: int) -> None:
            seconds = time.perf_counter() - self.schedule.started
            standing = int(found.robust.sum())
            self.show("checks", Standing(name, 0, 1, number, of, standing, seconds, None))

        with self.subject.classifier.seeded(derive(self.seed, "checks")):
            checks = verdict.checks_of(
                self.subject, self.suite, self.x, self.y, found, threat=self.threat,
                seed=self.seed, examples=self.checked, progress=show,
            )  # fmt: skip
        active = [a for a in carried if a.took_part]
        by = {k: [a.case for a in active if a.row.knowledge == k] for k in threats.KNOWLEDGE}
        through = by[threats.WHITE] + by[threats.ADAPTIVE]
        if by[threats.GRAY] and through:
            checks += (verdict.informed(by[threats.GRAY][0], through),)
        return checks

    def _at(self, threat: ThreatModel) -> Any:
        return at(self.subject, self.suite, threat)

    def _role(self, source: Classifier) -> str:
        known = (self.subject.classifier, self.subject.without, self.subject.substitute)
        return next((role for role, c in zip(ROLES, known) if c is source), ROLES[-1])

    def _worst(self, attacks, victim, source, rows, stage, seed, row=None) -> WorstCase:
        counts, where = (False, stage) if row is None else (row.counts, row.label)
        weight = weight_of(self.subject, source)

        def fit(attack: Any, n: int) -> tuple[Any | None, float | None]:
            if counts:
                self.schedule.stands(n / len(self.y))
            return self.schedule.fit(attack, n, weight, where)

        size = self.batch_size
        if size is None and len(rows) < len(self.y):
            # few sizes, so that an attack compiled for one radius serves the next
            least = min(memory.batch_size(attack, source) for attack in attacks)
            size = min(least, 2 ** int(math.log2(len(rows))))
        fresh = (FRESH, FRESH // 2 + 1) if self.subject.stochastic else (1, 1)
        carry = None if self.carrier is None else self.carrier(self._role(source), source)
        judged = self.right.get(id(victim))
        case = worst_case(
            attacks, victim, self.x[rows], self.y[rows], seed=seed, batch_size=size,
            source=None if source is victim else source,
            evaluations=fresh[0], needed=fresh[1],
            fit=fit, time_budget=self.schedule.left,
            query_budget=self.query_budget, folder=self.folder,
            progress=lambda standing: self.show(stage, standing), carry=carry,
            right=None if judged is None else judged[rows],
        )  # fmt: skip
        if judged is None and len(rows) == len(self.y):
            self.right[id(victim)] = case.right
        for part in case.parts:
            passes = part.forward + 2.0 * part.backward
            side_by_side = 1 if self.carrier is None else self.carrier.processes
            warm = part.warm[0], part.warm[1] / side_by_side
            self.schedule.took(part.attack, passes, part.seconds / side_by_side, warm, weight)
            self.seconds += part.seconds
        if counts:
            self.schedule.stands(case.robust_accuracy)
        return case


def _source(thing: Any) -> str:
    """The code of a class, or of an object's class, where it can be had."""
    kind = thing if isinstance(thing, type) else type(thing)
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return kind.__qualname__
