"""AutoAttack: which attacks, in which order, with which budgets.

Source: Croce & Hein 2020, arXiv:2003.01690, sec. 5, with the settings of the authors' code, as
RobustBench runs it; l1: Croce & Hein 2021, arXiv:2103.01208, sec. 5.
Deviations: where a network has too few classes for a loss, another one takes its place; `notes`
says which.
"""

from dataclasses import dataclass
from typing import Any

from robustnets.attacks.apgd import APGD
from robustnets.attacks.base import check_threat
from robustnets.attacks.fab import FAB
from robustnets.attacks.square import Square
from robustnets.core.threat import ThreatModel

VERSIONS = ("standard", "rand", "plus")
NORMS = ("linf", "l2", "l1")


@dataclass(frozen=True, slots=True)
class AutoAttack:
    """Four to six attacks, each run on the examples that the ones before it left standing.

    `standard`: APGD on the cross entropy; APGD on the targeted DLR loss towards the nine
    likeliest other classes; FAB towards the same; Square with 5,000 queries. `plus`: APGD on both
    losses and FAB with five restarts each, Square, then the targeted two. `rand`, for a
    model that draws at random: APGD on both losses, gradients averaged over 20 passes.

    `evaluation.worst_case` runs them.

    Args:
        threat: norm "linf", "l2" or "l1".
        version: one of `VERSIONS`.

    Raises:
        ValueError: for another norm or version.

    Example:
        >>> suite = AutoAttack(ThreatModel("linf", 8 / 255))
        >>> [type(attack).__name__ for attack in suite.attacks(classes=10)]
        ['APGD', 'APGD', 'FAB', 'Square']
    """

    threat: ThreatModel
    version: str = "standard"

    def __post_init__(self) -> None:
        check_threat("AutoAttack", self.threat, NORMS)
        if self.threat.norm not in NORMS:
            able = " or ".join(map(repr, NORMS))
            raise ValueError(f"AutoAttack needs norm {able}, got {self.threat.norm!r}")
        if self.version not in VERSIONS:
            raise ValueError(f"version must be one of {', '.join(VERSIONS)}, got {self.version!r}")

    def attacks(self, classes: int) -> tuple[Any, ...]:
        """The attacks in order, for a network of so many classes, >= 2."""
        threat, sparse = self.threat, self.threat.norm == "l1"
        # the targeted form of DLR divides by a difference that needs a fourth class
        dlr = "dlr" if classes >= 3 else "margin"
        targeted = "dlr" if classes >= 4 else "margin"
        if self.version == "rand":
            averaged: dict[str, Any] = {"expectation": 20, "large_radii": sparse}
            return (APGD(threat, **averaged), APGD(threat, loss=dlr, **averaged))
        restarts = 5 if sparse or self.version == "plus" else 1
        aims = min(5 if sparse else 9, classes - 1)
        cross_entropy = APGD(threat, restarts=restarts, large_radii=sparse)
        aimed = APGD(threat, loss=targeted, targets=aims, large_radii=sparse)
        nearest = FAB(threat, targets=min(9, classes - 1))
        black_box = Square(threat, budget=5000)
        if self.version == "standard":
            return (cross_entropy, aimed, nearest, black_box)
        return (
            cross_entropy,
            APGD(threat, restarts=restarts, loss=dlr, large_radii=sparse),
            FAB(threat, restarts=5),
            black_box,
            aimed,
            nearest,
        )

    def notes(self, classes: int) -> tuple[str, ...]:
        """What differs from the reference for a network of so many classes, one line each."""
        found = []
        if classes < 4:
            found.append(
                f"{classes} classes: the DLR loss needs 3 and its targeted form 4; the margin "
                "loss takes their place."
            )
        if classes - 1 < 9 and self.version != "rand":
            found.append(f"Targeted attacks aim at all {classes - 1} other classes.")
        return tuple(found)
