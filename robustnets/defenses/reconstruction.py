"""Reconstruction: a filter put before a trained network.

Source: the thesis, section 3.6, after Bhagoji et al. 2017, arXiv:1704.02654.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from robustnets.defenses.base import Train, filter_label
from robustnets.layers import FilterSpec, prepend
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Put the filter before a trained network and change nothing else."""

    filter: FilterSpec
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    starts_trained: ClassVar[bool] = True
    trains: ClassVar[bool] = False

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
        """Build the defended network; see `Defense.defend`. Nothing is trained."""
        del training, train

        return prepend(network, layer)
