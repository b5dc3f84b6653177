"""Other training: a fresh network trained in another way, such as with a penalty on its weights.

Source: Lacok 2016, which takes penalties on the weights for a defense.
"""

from dataclasses import dataclass

from robustnets.defenses.base import Recipe
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class OtherTraining:
    """Train a fresh network, from the same initial weights, by another recipe.

    Nothing is put in front: what defends is in the weights. A gray-box attack is one that was
    crafted on the network of the usual training.

    Args:
        training: the recipe; its single rule says when it ends.

    Raises:
        ValueError: for several rules.
    """

    training: Training

    def __post_init__(self) -> None:
        self.recipe  # noqa: B018  says what is wrong

    @property
    def recipe(self) -> Recipe:
        """What it does to a network."""
        return Recipe(training=self.training)

    @property
    def label(self) -> str:
        """The defense and its penalties."""
        return f"OtherTraining l1={self.training.l1:g} l2={self.training.l2:g}"
