"""From scratch: a network that never saw an unfiltered input.

Source: the thesis, section 3.6 (mentioned there and not compared).
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from robustnets.defenses.base import Train, filter_label
from robustnets.layers import FilterSpec, prepend
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class FromScratch:
    """Train a fresh network behind the filter, as long as an undefended one is trained."""

    filter: FilterSpec
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    starts_trained: ClassVar[bool] = False
    trains: ClassVar[bool] = True

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
        train(network, layer, training)
        return prepend(network, layer)
