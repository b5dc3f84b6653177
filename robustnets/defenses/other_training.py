"""Other training: a fresh network trained in another way, such as with a penalty on its weights.

Source: Lacok 2016, which takes penalties on the weights for a defense.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from robustnets.defenses.base import Train
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class OtherTraining:
    """Train a fresh network, from the same initial weights, by another recipe.

    Nothing is put in front: what defends is in the weights. A gray-box attack is one that was
    crafted on the network of the usual training.

    Args:
        training: the recipe; its single rule says when it ends.
    """

    training: Training
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    starts_trained: ClassVar[bool] = False
    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if len(self.training.rules) != 1:
            raise ValueError(f"other training ends by one rule, got {self.training.rules}")

    @property
    def filter(self) -> None:
        """None: there is no filter."""

    @property
    def label(self) -> str:
        """The defense and its penalties."""
        return f"OtherTraining l1={self.training.l1:g} l2={self.training.l2:g}"

    def layer(self) -> None:
        """None: nothing stands in front."""

    def defend(
        self,
        network: keras.Model,
        layer: keras.layers.Layer | None,
        training: Training,
        train: Train,
    ) -> keras.Model:
        """Build the defended network; see `Defense.defend`."""
        del layer, training
        train(network, None, self.training)
        return network
