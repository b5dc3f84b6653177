"""From scratch: a network that never saw an unfiltered input.

Source: the thesis, section 3.6 (mentioned there and not compared).
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from robustnets.defenses.base import Train
from robustnets.layers import FilterSpec, LinearFilter, prepend
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class FromScratch:
    """Train a fresh network behind the filter, as long as an undefended one is trained."""

    filter: FilterSpec
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    starts_trained: ClassVar[bool] = False
    trains: ClassVar[bool] = True

    def defend(
        self, network: keras.Model, layer: LinearFilter, training: Training, train: Train
    ) -> keras.Model:
        """Build the defended network; see `Defense.defend`."""
        train(network, layer, training)
        return prepend(network, layer)
