"""What a defense is: a frozen spec, and the recipe that the network cache carries out for it."""

from dataclasses import dataclass
from typing import Protocol

from robustnets.layers import LayerSpec
from robustnets.training import Training

STARTS = ("trained", "fresh")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What becomes of a network, as data: nothing here computes.

    Args:
        front: what goes in front of the network, or None.
        start: "trained", with the weights of the undefended network, or "fresh".
        trains: whether the network is trained from there. Where it is not, the defended network
            is put together at each use, and not stored.
        training: how it is trained, by a single rule; None: as the undefended network is.
        temperature: of the loss.
        misclassified: what becomes of the examples that the teacher misclassifies, one of
            `training.distillation.MISCLASSIFIED`; None where there is no teacher.
        teacher: the defense of the network whose probabilities are learned, where `misclassified`
            is given; None: the undefended network.
        differentiable: a gradient through the defended network leads somewhere.
        stochastic: two forward passes may differ.
        rejects: the defended network has one more logit than classes, which means "flagged".

    Raises:
        ValueError: for another start, or a training by several rules.
    """

    front: LayerSpec | None = None
    start: str = "fresh"
    trains: bool = True
    training: Training | None = None
    temperature: float = 1.0
    misclassified: str | None = None
    teacher: "Defense | None" = None
    differentiable: bool = True
    stochastic: bool = False
    rejects: bool = False

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise ValueError(f"start must be one of {', '.join(STARTS)}, got {self.start!r}")
        if self.training is not None and len(self.training.rules) != 1:
            raise ValueError(
                f"the training of a defense ends by one rule, got {self.training.rules}"
            )


class Defense(Protocol):
    """A frozen dataclass of settings, part of the key of all that is made with it."""

    @property
    def label(self) -> str:
        """A few words for progress lines and tables."""

    @property
    def recipe(self) -> Recipe:
        """What it does to a network.

        Raises:
            ValueError: for settings that make no recipe.
        """
