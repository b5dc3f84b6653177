"""What the checks look at: some examples, and the attacks on them, each run once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from robustnets import engines
from robustnets.attacks import (
    FGSM,
    NES,
    PGD,
    EveryPixel,
    Evolutionary,
    HopSkipJump,
    LabelOnlyNES,
    Noise,
    OnePixel,
    Square,
)
from robustnets.core.seeds import derive
from robustnets.core.threat import ThreatModel
from robustnets.engines import Adversarial
from robustnets.evaluation.sanity.check import Unchecked
from robustnets.evaluation.worst_case import ROBUST, WorstCase
from robustnets.models.classifier import Classifier

WITHOUT_GRADIENTS = (
    EveryPixel,
    Evolutionary,
    HopSkipJump,
    LabelOnlyNES,
    NES,
    Noise,
    OnePixel,
    Square,
)
STEPS = 40  # of the gradient attack, where the evaluation had none
QUERIES = 300  # of the black-box attack
DRAWS = 20  # of noise


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
    _runs: dict[Any, Adversarial] = field(default_factory=dict)

    @cached_property
    def logits(self) -> np.ndarray:
        """float32 (n, K), of the clean examples."""
        return self.classifier.predict(self.x)

    @cached_property
    def right(self) -> np.ndarray:
        """bool (n,): who is right as it stands.

        Raises:
            Unchecked: if nobody is, or if logits are not finite.
        """
        if not np.isfinite(self.logits).all():
            raise Unchecked("logits are not finite")
        right = ~self.wrong(self.x)
        if not right.any():
            raise Unchecked("no example is right without an attack")
        return right

    @cached_property
    def under_test(self) -> Any:
        """The attack given, or the first with steps of gradients in the evaluation, or PGD.

        Raises:
            Unchecked: if there is none in this norm.
        """
        if self.given is not None:
            return self.given
        iterated = [a for a in self.attacks if by_gradient(a) and hasattr(a, "steps")]
        # a minimal attack knows no radius, and its curve cannot be anything but monotone
        for attack in sorted(iterated, key=lambda a: a.minimal):
            return attack
        return self.probe(PGD, steps=STEPS)

    @property
    def attacks(self) -> tuple[Any, ...]:
        """Those of the evaluation."""
        return () if self.found is None else tuple(part.attack for part in self.found.parts)

    def probe(self, kind: Any, **settings: Any) -> Any:
        """An attack of this kind in the declared threat model.

        Raises:
            Unchecked: if it does not know the norm.
        """
        if self.threat.norm not in kind.norms:
            raise Unchecked(f"there is no {kind.__name__} in {self.threat.norm}")
        return kind(self.threat, **settings)

    def single_step(self) -> Any:
        return self.probe(FGSM)

    def black_box(self) -> Any:
        return self.probe(Square, budget=QUERIES)

    def noise(self) -> Any:
        return self.probe(Noise, draws=DRAWS)

    def other_loss(self) -> Any:
        return self.probe(PGD, steps=STEPS, loss="margin")

    def run(self, attack: Any, eps: float | None = None) -> Adversarial:
        """Carry an attack out on all n examples, right or wrong, once.

        Args:
            attack: its box and norm are the declared ones.
            eps: the radius, or None for the declared one.

        Raises:
            Unchecked: if the model's numbers forbid it.
        """
        eps = self.threat.eps if eps is None else eps
        attack = replace(attack, threat=replace(self.threat, eps=eps))
        if attack not in self._runs:
            if looks_like_probabilities(self.logits):
                raise Unchecked("outputs are probabilities, through which no attack is run")
            try:
                self._runs[attack] = engines.run(
                    attack, self.classifier, self.x, self.y,
                    seed=derive(self.seed, "sanity"), attack_wrong=True,
                )  # fmt: skip
            except FloatingPointError as problem:
                raise Unchecked(f"{type(attack).__name__} met numbers that are not finite: "
                                f"{problem}") from problem  # fmt: skip
        return self._runs[attack]

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
    def reach(self) -> float:
        """The radius of a ball that holds the whole box."""
        wide, values = self.threat.high - self.threat.low, self.x[0].size
        return {
            "linf": wide, "l2": wide * values**0.5, "l1": wide * values, "l0": float(values)
        }[self.threat.norm]  # fmt: skip


def wrong(classifier: Classifier, x: np.ndarray, y: np.ndarray, found: WorstCase | None):
    """bool (n,): whose prediction is not y, in as many evaluations as `found` needs."""
    times, needed = (1, 1) if found is None else (found.evaluations, found.needed)
    counts = sum((classifier.predict(x).argmax(axis=1) != y).astype(int) for _ in range(times))
    return counts >= needed


def by_gradient(attack: Any) -> bool:
    """Whether an attack differentiates the model."""
    return not isinstance(attack, WITHOUT_GRADIENTS)


def looks_like_probabilities(outputs: np.ndarray) -> bool:
    """Whether no row of outputs, float32 (n, K), is negative, and all have one sum."""
    sums = outputs.sum(axis=1)
    return bool(outputs.min() >= 0 and np.ptp(sums) < 1e-4 * max(float(sums.max()), 1e-30))


def named(attack: Any) -> str:
    """An attack in a line of the block."""
    return type(attack).__name__
