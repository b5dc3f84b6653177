"""Which attacks an evaluation is made of: quick, standard, and the reference list.

Source: Carlini et al. 2019, arXiv:1902.06705, sec. 4 and 5 (several attacks, restarts, gradients
and queries); Croce & Hein 2020, arXiv:2003.01690, sec. 5 (AutoAttack); Croce & Hein 2021,
arXiv:2103.01208 (in l1 steps that know nothing of the box get stuck in it, those of APGD do not).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from robustnets.attacks import APGD, FAB, FGSM, PGD, AutoAttack, HopSkipJump, Square
from robustnets.attacks.losses import Loss
from robustnets.core.threat import ThreatModel

NORMS = ("linf", "l2", "l1")
DRAWS = 20  # passes averaged in a gradient of a model that draws at random


@dataclass(frozen=True, slots=True)
class Suite:
    """The attacks of an evaluation, by what the attacker knows.

    Args:
        gradient: (threat, classes) -> attacks that follow gradients.
        black_box: (threat, classes) -> attacks that ask queries.
        transfer: (threat, classes) -> attacks crafted on another model, which go on past the
            boundary of that one.
        curve: threat -> the attack at each radius of the curve.
        radii: of the curve, as shares of eps.
        minimal: (threat, classes) -> the attack that looks for the smallest perturbations, or
            None.
        draws: for a model that draws at random, how many passes a gradient averages.
        convergence: the numbers of draws at which an average is tried out.
        surrogate: whether a surrogate is trained where there is something to train it on.
        tested: threat -> the attack that the sanity block puts to the test.
        checked: examples that the attacks of the sanity block are run on.
    """

    gradient: Callable[[ThreatModel, int], tuple[Any, ...]]
    black_box: Callable[[ThreatModel, int], tuple[Any, ...]]
    transfer: Callable[[ThreatModel, int], tuple[Any, ...]]
    curve: Callable[[ThreatModel], Any]
    radii: tuple[float, ...]
    minimal: Callable[[ThreatModel, int], Any | None]
    draws: int = DRAWS
    convergence: tuple[int, ...] = (1, 5, 10, 20)
    surrogate: bool = True
    tested: Callable[[ThreatModel], Any] = lambda threat: PGD(threat, steps=40, stop_early=True)
    checked: int = 128


def _quick(threat: ThreatModel) -> PGD | APGD:
    """The quick suite's attack by gradients: PGD, or APGD in l1, where fewer steps end too soon."""
    if threat.norm == "l1":
        return APGD(threat, steps=100, large_radii=True)
    return PGD(threat, steps=20, stop_early=True)


def _quick_gradient(threat: ThreatModel, classes: int) -> tuple[Any, ...]:
    del classes
    if threat.norm == "l1":
        # where the box is near, APGD finds more, in images of few pixels PGD; sparse steps depend
        # on where they start, which is why AutoAttack takes five restarts in l1, too
        climbing = PGD(threat, steps=40, restarts=2, loss="margin", stop_early=True)
        return FGSM(threat), climbing, replace(_quick(threat), restarts=5)
    return FGSM(threat), _quick(threat)


def _quick_black_box(threat: ThreatModel, classes: int) -> tuple[Any, ...]:
    del classes
    # a sparse change takes longer to find
    return (Square(threat, 500 if threat.norm == "l1" else 200),)


def _standard_gradient(threat: ThreatModel, classes: int) -> tuple[Any, ...]:
    restarts = PGD(threat, steps=40, restarts=5, stop_early=True)
    return FGSM(threat), restarts, *_autoattack_gradient(threat, classes)


def _autoattack_gradient(threat: ThreatModel, classes: int) -> tuple[Any, ...]:
    listed = AutoAttack(threat).attacks(classes)
    return tuple(attack for attack in listed if not isinstance(attack, Square))


def _square(budget: int) -> Callable[[ThreatModel, int], tuple[Any, ...]]:
    return lambda threat, classes: (Square(threat, budget),)


def _standard_black_box(threat: ThreatModel, classes: int) -> tuple[Any, ...]:
    square = _square(5000)(threat, classes)
    labels = (HopSkipJump(threat, budget=2000),) if threat.norm in HopSkipJump.norms else ()
    return (*square, *labels)


def _transfer(steps: int, restarts: int) -> Callable[[ThreatModel, int], tuple[Any, ...]]:
    def attacks(threat: ThreatModel, classes: int) -> tuple[Any, ...]:
        del classes
        far = PGD(threat, steps=steps, restarts=restarts)  # the worst iterate, not the first
        return FGSM(threat), far, replace(far, loss="margin")

    return attacks


def _fab(threat: ThreatModel, classes: int) -> Any:
    return FAB(replace(threat, eps=1e6), steps=50, targets=min(3, classes - 1))


SUITES: dict[str, Suite] = {
    "quick": Suite(
        gradient=_quick_gradient,
        black_box=_quick_black_box,
        transfer=_transfer(20, 1),
        curve=_quick,
        radii=(0.25, 0.5, 1.0, 1.5, 2.0),
        minimal=lambda threat, classes: None,
        draws=10,
        convergence=(1, 3, 10),
        surrogate=False,
        tested=_quick,
        checked=64,
    ),
    "standard": Suite(
        gradient=_standard_gradient,
        black_box=_standard_black_box,
        transfer=_transfer(40, 3),
        curve=lambda threat: APGD(threat, large_radii=threat.norm == "l1"),
        radii=(0.125, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0),
        minimal=_fab,
    ),
    "autoattack": Suite(
        gradient=_autoattack_gradient,
        black_box=_square(5000),
        transfer=_transfer(40, 3),
        curve=lambda threat: APGD(threat, large_radii=threat.norm == "l1"),
        radii=(0.25, 0.5, 1.0, 1.5, 2.0),
        minimal=lambda threat, classes: None,  # the list costs what it costs elsewhere
    ),
}


def suite_of(name: str, norm: str) -> Suite:
    """A suite by name.

    Raises:
        ValueError: for an unknown name, or a norm that suites have no attacks in.
    """
    if name not in SUITES:
        raise ValueError(f"suite must be one of {', '.join(SUITES)}, got {name!r}")
    if norm not in NORMS:
        able = " or ".join(map(repr, NORMS))
        raise ValueError(f"an evaluation needs norm {able}, got {norm!r}")
    return SUITES[name]


def averaged(attacks: tuple[Any, ...], draws: int) -> tuple[Any, ...]:
    """Those that can average gradients over draws, each over so many.

    They run to the end: one lucky draw is no success, and stopping at it would waste the rest.
    """
    return tuple(
        replace(attack, expectation=draws, stop_early=False)
        for attack in attacks
        if hasattr(attack, "expectation")
    )


def with_loss(attacks: tuple[Any, ...], loss: Loss) -> tuple[Any, ...]:
    """The untargeted ones that climb a loss of choice, each on this one."""
    return tuple(
        replace(attack, loss=loss)
        for attack in attacks
        if isinstance(attack, (PGD, APGD)) and not getattr(attack, "targets", None)
    )
