"""Defensive distillation: a network that learns another's probabilities at a temperature.

Source: Papernot et al. 2016, arXiv:1511.04508, sec. III; the treatments of what the teacher
misclassifies: CSDS440, sec. 2.4. See `training.distillation`.
"""

from dataclasses import dataclass

from robustnets.defenses.base import Recipe
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

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_misclassified(self.misclassified)
        self.recipe  # noqa: B018  says what is wrong

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

    @property
    def recipe(self) -> Recipe:
        """What it does to a network."""
        return Recipe(
            training=self.training,
            temperature=self.temperature,
            misclassified=self.misclassified,
            teacher=self.teacher,
        )
