"""Tempered: a network trained at a temperature and used at temperature 1.

Source: the teacher of Papernot et al. 2016, arXiv:1511.04508, sec. III, step 2. As a defense of
its own it is what is left of distillation when the second network is left out (compare Carlini &
Wagner 2017, arXiv:1608.04644, sec. VIII).
"""

from dataclasses import dataclass

from robustnets.defenses.base import Recipe
from robustnets.layers.temperature_softmax import check_temperature
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class Tempered:
    """Train a fresh network on the labels, with the loss of softmax(logits / temperature).

    Args:
        temperature: > 0.
        training: how; None: as the undefended network. Its single rule says when that ends.

    Raises:
        ValueError: naming the field.
    """

    temperature: float
    training: Training | None = None

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        self.recipe  # noqa: B018  says what is wrong

    @property
    def recipe(self) -> Recipe:
        """What it does to a network."""
        return Recipe(training=self.training, temperature=self.temperature)

    @property
    def label(self) -> str:
        """The defense and its temperature."""
        return f"Tempered T {self.temperature:g}"
