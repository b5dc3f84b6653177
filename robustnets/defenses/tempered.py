"""Tempered: a network trained at a temperature and used at temperature 1.

Source: the teacher of Papernot et al. 2016, arXiv:1511.04508, sec. III, step 2. As a defense of
its own it is what is left of distillation when the second network is left out (compare Carlini &
Wagner 2017, arXiv:1608.04644, sec. VIII).
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from robustnets.defenses.base import Train, check_single_rule
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
    filter: ClassVar[None] = None
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    starts_trained: ClassVar[bool] = False
    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_single_rule(self.training)

    @property
    def label(self) -> str:
        """The defense and its temperature."""
        return f"Tempered T {self.temperature:g}"

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
        train(network, layer, self.training or training, temperature=self.temperature)
        return network
