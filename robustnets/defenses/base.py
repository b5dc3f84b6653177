"""What a defense is: a frozen spec that turns a network into a defended one."""

from typing import ClassVar, Protocol, runtime_checkable

import keras

from robustnets.layers import FilterSpec
from robustnets.training import Training


class Train(Protocol):
    """What a defense calls to train: a network, behind a layer or None, in place.

    `temperature` is that of the loss. With `misclassified`, one of
    `training.distillation.MISCLASSIFIED`, it learns the probabilities of the defense's teacher
    instead of the classes: see `Taught`.
    """

    def __call__(
        self,
        network: keras.Model,
        layer: keras.layers.Layer | None,
        training: Training,
        *,
        temperature: float = 1.0,
        misclassified: str | None = None,
    ) -> None: ...


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


@runtime_checkable
class Taught(Defense, Protocol):
    """A defense whose network learns from another one, its teacher.

    The teacher is trained first and kept like any other network, so that several students
    share it.
    """

    @property
    def teacher(self) -> Defense | None:
        """The teacher's own defense; None: the teacher is the undefended network."""


def check_single_rule(training: Training | None) -> None:
    """Raise ValueError for a training of a defense that has several rules."""
    if training is not None and len(training.rules) != 1:
        raise ValueError(f"the training of a defense ends by one rule, got {training.rules}")
