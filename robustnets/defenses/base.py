"""What a defense is: a frozen spec that turns a network into a defended one."""

from collections.abc import Callable
from typing import ClassVar, Protocol

import keras

from robustnets.layers import FilterSpec
from robustnets.training import Training

Train = Callable[[keras.Model, keras.layers.Layer | None, Training], None]


def filter_label(defense: "Defense") -> str:
    """The label of a defense by a linear filter: "Reconstruction pca 100"."""
    spec = defense.filter
    words = "" if spec is None else f" {spec.method} {spec.n_components}"
    return f"{type(defense).__name__}{words}"


class Defense(Protocol):
    """What is put in front of a network, and what becomes of the network behind it.

    Attributes:
        filter: the linear filter in front, fitted on the training split; None where the
            layer in front needs no data (`layer` makes it) or there is none.
        label: a few words for progress lines and tables.
        differentiable: a white-box attack can follow the defense's own gradient.
        stochastic: two forward passes may differ.
        starts_trained: `defend` is given the trained network; otherwise a fresh one.
        trains: `defend` trains; otherwise it is done again at each use, and not stored.
    """

    @property
    def filter(self) -> FilterSpec | None: ...

    @property
    def label(self) -> str: ...

    differentiable: ClassVar[bool]
    stochastic: ClassVar[bool]
    starts_trained: ClassVar[bool]
    trains: ClassVar[bool]

    def layer(self) -> keras.layers.Layer | None:
        """The layer in front, if `filter` is None: a new one, or None."""

    def defend(
        self,
        network: keras.Model,
        layer: keras.layers.Layer | None,
        training: Training,
        train: Train,
    ) -> keras.Model:
        """Build the defended network.

        Args:
            network: the network to defend; may be trained further in place.
            layer: the fitted filter, or what `layer` made.
            training: how undefended networks are trained.
            train: trains (network, behind layer, training) in place.

        Returns:
            A model from unfiltered inputs to logits, the filter inside.
        """
