"""Retraining: a filter put before a trained network, which then learns filtered inputs.

Source: the thesis, section 3.6, after Bhagoji et al. 2017, arXiv:1704.02654.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from robustnets.defenses.base import Train, filter_label
from robustnets.layers import FilterSpec, prepend
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class Retraining:
    """Put the filter before a trained network, then train it further on filtered inputs.

    Args:
        filter: the filter.
        training: how it is trained further; its single rule says when that ends.
    """

    filter: FilterSpec
    training: Training
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    starts_trained: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if len(self.training.rules) != 1:
            raise ValueError(f"retraining ends by one rule, got {self.training.rules}")

    @property
    def label(self) -> str:
        """The defense and its filter."""
        return filter_label(self)

    def layer(self) -> None:
        """None: the layer in front is the fitted filter."""

    def defend(
        self,
        network: keras.Model,
        layer: keras.layers.Layer | None,
        training: Training,
        train: Train,
    ) -> keras.Model:
        """Build the defended network; see `Defense.defend`."""
        del training
        train(network, layer, self.training)
        return prepend(network, layer)
