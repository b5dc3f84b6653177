"""What the checks look at: some examples, and the attacks on them, each run once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from robustnets import engines
from robustnets.core.seeds import derive
from robustnets.core.threat import ThreatModel
from robustnets.engines import Adversarial
from robustnets.engines.checks import refuse_probabilities
from robustnets.evaluation.sanity.check import Unchecked
from robustnets.evaluation.sanity.probes import iterates, named, probe
from robustnets.evaluation.worst_case import ROBUST, WorstCase
from robustnets.models.classifier import Classifier

FACTORS = (0.5, 1.0, 2.0)  # of the radius


@dataclass(frozen=True, eq=False)
class Evidence:
    """A few of the examples of an evaluation, and what probes do to them.

    Args:
        classifier: the victim.
        x: float32 (n, H, W, C).
        y: int64 (n,).
        rows: int (n,), their numbers in `found`.
        found: what is to be checked, or None.
        threat: what was declared.
        seed: of every draw.
        given: the attack under test, or None.
        others: float32 (n, H, W, C) by name, examples that somebody else made of x.
    """

    classifier: Classifier
    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    found: WorstCase | None
    threat: ThreatModel
    seed: int
    given: Any = None
    others: Mapping[str, np.ndarray] = field(default_factory=dict)
    _runs: dict[tuple[Any, float], Adversarial] = field(default_factory=dict)

    @cached_property
    def outputs(self) -> np.ndarray:
        """float32 (n, K), what the model says of the clean examples."""
        return self.classifier.predict(self.x)

    @property
    def logits(self) -> np.ndarray:
        """The same, fit to be compared.

        Raises:
            Unchecked: if some are not finite.
        """
        if not np.isfinite(self.outputs).all():
            raise Unchecked("outputs are not finite", "Mend the model.")
        return self.outputs

    @cached_property
    def right(self) -> np.ndarray:
        """bool (n,): who is right as it stands.

        Raises:
            Unchecked: if nobody is.
        """
        right = self.logits.argmax(axis=1) == self.y
        if self.evaluations > 1:
            right = ~self.wrong(self.x)
        if not right.any():
            raise Unchecked("no example is right without an attack", "Check the labels.")
        return right

    @cached_property
    def under_test(self) -> Any:
        """The attack given, or the first with steps of gradients in the evaluation, or PGD.

        Raises:
            Unchecked: if there is none in this norm.
        """
        if self.given is not None:
            return self.given
        # a minimal attack knows no radius, and its curve cannot be anything but monotone
        for attack in sorted(filter(iterates, self.attacks), key=lambda a: a.minimal):
            return attack
        return self.probe("iterated")

    @property
    def attacks(self) -> tuple[Any, ...]:
        """Those of the evaluation."""
        return () if self.found is None else tuple(part.attack for part in self.found.parts)

    def probe(self, name: str) -> Any:
        """One of `PROBES` in the declared threat model."""
        return probe(name, self.threat)

    def run(self, attack: Any, eps: float | None = None) -> Adversarial:
        """Carry an attack out on all n examples, right or wrong, once.

        Args:
            attack: untargeted.
            eps: the radius, or None for the declared one.

        Raises:
            Unchecked: if the model's numbers forbid it.
        """
        eps = self.threat.eps if eps is None else eps
        attack = replace(attack, threat=self.threat)
        if (attack, eps) not in self._runs:
            # one run of a minimal attack serves all radii
            radii = sorted({eps, *self.radii, self.reach}) if attack.minimal else [eps]
            found = self.carry_out(attack, self.x, self.y, "first", epsilons=radii)
            self._runs.update({(attack, r): made for r, made in zip(radii, found)})
        return self._runs[attack, eps]

    def carry_out(self, attack: Any, x: np.ndarray, y: np.ndarray, name: str, **settings: Any):
        """`engines.run` on examples that may be wrong already; draws differ by name.

        Raises:
            Unchecked: if the model's numbers forbid it.
        """
        seed = derive(self.seed, "sanity", name)
        try:
            refuse_probabilities(self.classifier, self.logits)
        except ValueError as problem:
            raise Unchecked("outputs are probabilities", "Give the logits.") from problem
        try:
            return engines.run(
                attack, self.classifier, x, y, seed=seed, attack_wrong=True, **settings
            )
        except FloatingPointError as problem:
            why = f"{named(attack)} meets numbers that are not finite"
            raise Unchecked(why, "Mend what makes them: a root of 0, a logarithm.") from problem

    def broken(self, attack: Any, eps: float | None = None) -> np.ndarray:
        """bool (n,): who is right as it stands and wrong after the attack; see `run`."""
        made = self.run(attack, eps)
        wrong = made.success if self.evaluations == 1 else self.wrong(made.x)
        return wrong & self.right

    @property
    def evaluations(self) -> int:
        """How many fresh evaluations decided on a success."""
        return 1 if self.found is None else self.found.evaluations

    def wrong(self, x: np.ndarray) -> np.ndarray:
        """bool (n,): who is wrong in as many fresh evaluations as the evaluation asked for."""
        return wrong(self.classifier, x, self.y, self.found)

    def broken_by(self, which: Callable[[Any], bool]) -> np.ndarray:
        """bool (n,): whom attacks of the evaluation broke that are of some kind."""
        if self.found is None:
            return np.zeros(len(self.x), bool)
        numbers = [i for i, attack in enumerate(self.attacks) if which(attack)]
        return np.isin(self.found.broken_by[self.rows], numbers)

    @cached_property
    def standing(self) -> np.ndarray:
        """bool (n,): whom the evaluation left standing; without one, the attack under test."""
        if self.found is None:
            return self.right & ~self.broken(self.under_test)
        return self.found.broken_by[self.rows] == ROBUST

    @property
    def radii(self) -> tuple[float, ...]:
        """Half of the declared radius, that one, and twice that one."""
        return tuple(min(factor * self.threat.eps, self.reach) for factor in FACTORS)

    @property
    def reach(self) -> float:
        """The radius of a ball that holds the whole box."""
        wide, values = self.threat.high - self.threat.low, self.x[0].size
        return {
            "linf": wide, "l2": wide * values**0.5, "l1": wide * values, "l0": float(values)
        }[self.threat.norm]  # fmt: skip


def wrong(classifier: Classifier, x: np.ndarray, y: np.ndarray, found: WorstCase | None):
    """bool (n,): whose prediction is not y, in as many evaluations as `found` needs."""
    times, needed = (1, 1) if found is None else (found.evaluations, found.needed)
    return wrong_times(classifier, x, y, times) >= needed


def wrong_times(classifier: Classifier, x: np.ndarray, y: np.ndarray, times: int) -> np.ndarray:
    """int64 (n,): in how many of so many fresh evaluations the prediction is not y."""
    predictions = [classifier.predict(x).argmax(axis=1) for _ in range(times)]
    return np.sum([predicted != y for predicted in predictions], axis=0)
