"""Who attacks, knowing what: the rows of an evaluation, derived from what a defense is.

Source: Carlini et al. 2019, arXiv:1902.06705, sec. 3 (threat models); Carlini & Wagner 2017,
arXiv:1705.07263 (gray-box beside white-box); Athalye et al. 2018, arXiv:1802.00420 (adaptive);
Papernot et al. 2017, arXiv:1602.02697 (transfer from a surrogate).
"""

from dataclasses import dataclass
from typing import Any

from robustnets.attacks import APGD, PGD
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.subject import Subject, loss_name
from robustnets.evaluation.suites import Suite, averaged, with_loss
from robustnets.models.classifier import Classifier

KNOWLEDGE = ("undefended", "gray-box", "white-box", "adaptive", "black-box")
UNDEFENDED, GRAY, WHITE, ADAPTIVE, BLACK = KNOWLEDGE


@dataclass(frozen=True, eq=False, slots=True)
class Row:
    """One attacker.

    Args:
        knowledge: one of `KNOWLEDGE`.
        how: what this attacker does, a phrase.
        attacks: in order, each on what the ones before it left.
        victim: who must be wrong.
        source: who the examples are crafted on.
        key: names the row in files, lower-case.
    """

    knowledge: str
    how: str
    attacks: tuple[Any, ...]
    victim: Classifier
    source: Classifier
    key: str

    @property
    def label(self) -> str:
        """A short name: what the attacker knows, and for black-box ones what they do."""
        return f"{self.knowledge}, {self.key}" if self.knowledge == BLACK else self.knowledge

    @property
    def counts(self) -> bool:
        """Whether it says something about the defended model."""
        return self.knowledge != UNDEFENDED


def rows_of(
    subject: Subject, suite: Suite, threat: ThreatModel, surrogate: Classifier | None = None
) -> tuple[Row, ...]:
    """The attackers that a model has to stand up to.

    Args:
        subject: the model and its defense.
        suite: the attacks.
        threat: norm and radius.
        surrogate: another model of the same inputs and classes, trained apart, or None.
    """
    victim, classes = subject.classifier, subject.classifier.classes
    gradient = suite.gradient(threat, classes)
    transfer = suite.transfer(threat, classes)
    rows = []
    if subject.without is not None:
        bare = subject.without
        rows += [
            Row(UNDEFENDED, "the model without its defense, by its own gradients", gradient,
                bare, bare, "undefended"),
            Row(GRAY, "crafted on the model without the defense", transfer, victim, bare, "gray"),
        ]  # fmt: skip
    through = "through the defense" if subject.defense else "through the model"
    rows.append(Row(WHITE, f"{through}, by its own gradients", gradient, victim, victim, "white"))
    adaptive = adaptive_row(subject, suite, threat)
    rows += [] if adaptive is None else [adaptive]
    queries = suite.black_box(threat, classes)
    if queries:
        names = " and ".join(type(attack).__name__ for attack in queries)
        rows.append(Row(BLACK, f"queries: {names}", queries, victim, victim, "queries"))
    if surrogate is not None:
        how = "crafted on a surrogate trained apart"
        rows.append(Row(BLACK, how, transfer, victim, surrogate, "transfer"))
    return tuple(rows)


def adaptive_row(subject: Subject, suite: Suite, threat: ThreatModel) -> Row | None:
    """The attacker who takes the defense apart, or None where there is nothing to adapt."""
    attacks, source, ways = suite.gradient(threat, subject.classifier.classes), None, []
    if subject.substitute is not None:
        source = subject.substitute
        ways.append("substitute gradient")
    if subject.stochastic:
        attacks = averaged(attacks, suite.draws)
        ways.append(f"gradients averaged over {suite.draws} draws")
    if subject.loss is not None:
        # a loss that an attack climbs already makes no other attack of it
        attacks = tuple(dict.fromkeys((*with_loss(attacks, subject.loss), *attacks)))
        ways.append(f"the defense's own loss, {loss_name(subject.loss)}")
    if not ways:
        return None
    victim = subject.classifier
    return Row(ADAPTIVE, " and ".join(ways), attacks, victim, source or victim, "adaptive")


def recipe(subject: Subject) -> tuple[bool, str]:
    """Whether an attacker who knows the defense was played, and how, in a sentence.

    False where gradients are hidden and nothing stands in for them: what is measured then is an
    upper bound of the robust accuracy.
    """
    if not subject.differentiable and subject.substitute is None:
        return False, (
            "Gradients of this model lead nowhere and nothing stands in for them: declare a "
            "substitute gradient, or name the layer that hides them as the defense."
        )
    ways = []
    if subject.substitute is not None:
        ways.append("through a substitute gradient")
    if subject.stochastic:
        ways.append("on average over its draws")
    if subject.loss is not None:
        ways.append("on its own loss")
    what = "The defense" if subject.defense else "The model"
    if ways:
        return True, f"{what} is attacked {', '.join(ways)}."
    return True, (
        f"{what} is deterministic and has gradients, so that the white-box attacker needs nothing "
        "else."
    )


def strongest(subject: Subject, suite: Suite, attack: Any) -> tuple[Any, Classifier]:
    """An attack as the best-informed attacker carries it out, and the model it is crafted on."""
    if subject.stochastic and isinstance(attack, (PGD, APGD)):
        (attack,) = averaged((attack,), suite.draws)
    return attack, subject.substitute or subject.classifier
