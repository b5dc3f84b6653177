"""What a defense is: a frozen spec that turns a network into a defended one."""

from collections.abc import Callable
from typing import ClassVar, Protocol

import keras

from robustnets.layers import FilterSpec, LinearFilter
from robustnets.training import Training

Train = Callable[[keras.Model, keras.layers.Layer, Training], None]


class Defense(Protocol):
    """A filter in front of a network, and what becomes of the network behind it.

    Attributes:
        filter: the filter.
        differentiable: a white-box attack can follow the defense's own gradient.
        stochastic: two forward passes may differ.
        starts_trained: `defend` is given the trained network; otherwise a fresh one.
        trains: `defend` trains; otherwise it is done again at each use, and not stored.
    """

    @property
    def filter(self) -> FilterSpec: ...

    differentiable: ClassVar[bool]
    stochastic: ClassVar[bool]
    starts_trained: ClassVar[bool]
    trains: ClassVar[bool]

    def defend(
        self, network: keras.Model, layer: LinearFilter, training: Training, train: Train
    ) -> keras.Model:
        """Build the defended network.

        Args:
            network: the network to defend; may be trained further in place.
            layer: the fitted filter.
            training: how undefended networks are trained.
            train: trains (network, behind layer, training) in place.

        Returns:
            A model from unfiltered inputs to logits, the filter inside.
        """
