"""Defensive distillation: a network that learns another's probabilities at a temperature.

Source: Papernot et al. 2016, arXiv:1511.04508, sec. III; the treatments of what the teacher
misclassifies: CSDS440, sec. 2.4. See `training.distillation`.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from robustnets.defenses.base import Train, check_single_rule
from robustnets.defenses.tempered import Tempered
from robustnets.layers.temperature_softmax import check_temperature
from robustnets.training import Training
from robustnets.training.distillation import check_misclassified


@dataclass(frozen=True, slots=True)
class Distillation:
    """Train a fresh network on a teacher's probabilities, at the temperature of both.

    Args:
        temperature: > 0.
        misclassified: what becomes of the training examples that the teacher misclassifies:
            "soft", "removed" or "hard"; see `training.distillation.lesson`.
        training: of teacher and student; None: as the undefended network. Its single rule says
            when that ends.

    Raises:
        ValueError: naming the field.
    """

    temperature: float
    misclassified: str = "soft"
    training: Training | None = None
    filter: ClassVar[None] = None
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    starts_trained: ClassVar[bool] = False
    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_misclassified(self.misclassified)
        check_single_rule(self.training)

    @property
    def label(self) -> str:
        """The defense, its temperature and the treatment of what the teacher misclassifies."""
        return f"Distillation T {self.temperature:g}, {self.misclassified}"

    @property
    def teacher(self) -> Tempered | None:
        """How the teacher is trained; None at temperature 1: it is the undefended network."""
        if self.temperature == 1 and self.training is None:
            return None
        return Tempered(self.temperature, self.training)

    def layer(self) -> None:
        """None: there is no layer in front."""

    def defend(
        self,
        network: keras.Model,
        layer: keras.layers.Layer | None,
        training: Training,
        train: Train,
    ) -> keras.Model:
        """Build the defended network; see `Defense.defend`."""
        train(
            network,
            layer,
            self.training or training,
            temperature=self.temperature,
            misclassified=self.misclassified,
        )
        return network
