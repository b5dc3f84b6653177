"""All attacks of an evaluation in order, before any of them is run."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from robustnets.core.threat import ThreatModel
from robustnets.evaluation import threats
from robustnets.evaluation.costs import Planned, units
from robustnets.evaluation.subject import Subject
from robustnets.evaluation.suites import Suite
from robustnets.models.classifier import Classifier
from robustnets.models.size import multiply_adds

SINGLE = 3  # passes of an attack of a single step
CONVERGENCE = 128  # examples on which an average over draws is tried out


def everything(
    subject: Subject, suite: Suite, threat: ThreatModel, rows: Sequence[threats.Row], n: int
) -> list[Planned]:
    """Attackers, curve and draws, in the order in which they are carried out.

    Args:
        subject: the model.
        suite: the attacks.
        threat: norm and radius.
        rows: the attackers.
        n: examples.
    """
    planned = []
    for row in rows:
        # what is crafted elsewhere says little about what it leaves to the next
        alone, elsewhere = True, row.source not in (row.victim, subject.substitute)
        for attack in row.attacks:
            planned.append(Planned(attack, n, weight_of(subject, row.source), alone))
            alone &= elsewhere or units(attack) <= SINGLE
    weight = weight_of(subject, subject.substitute or subject.classifier)
    nearest = minimal(subject, suite, threat)
    planned += [] if nearest is None else [Planned(nearest, n, weight)]
    for share in suite.radii:
        if share != 1.0:
            attack = at(subject, suite, replace(threat, eps=threat.eps * share))
            planned.append(Planned(attack, n, weight, radius=share))
    for draws in suite.convergence if subject.stochastic else ():
        attack = averaged(subject, suite, threat, draws)
        planned.append(Planned(attack, min(CONVERGENCE, n), weight))
    return planned


def weight_of(subject: Subject, source: Classifier) -> float:
    """What a pass through a model costs, the victim's being 1; a rough count."""
    own, victim = (multiply_adds(c.model) for c in (source, subject.classifier))
    return min(max(own / victim, 0.05), 20.0) if own and victim else 1.0


def at(subject: Subject, suite: Suite, threat: ThreatModel) -> Any:
    """The best-informed attacker's attack at one radius of the curve."""
    return threats.strongest(subject, suite, suite.curve(threat))[0]


def averaged(subject: Subject, suite: Suite, threat: ThreatModel, draws: int) -> Any:
    """The same with so many draws in a gradient."""
    (attack,) = threats.averaged((at(subject, suite, threat),), draws)
    return attack


def minimal(subject: Subject, suite: Suite, threat: ThreatModel) -> Any | None:
    """The attack that looks for the smallest perturbations, or None.

    None for a model that draws: the search for a boundary needs one that stays in place.
    """
    if subject.stochastic:
        return None
    return suite.minimal(threat, subject.classifier.classes)
