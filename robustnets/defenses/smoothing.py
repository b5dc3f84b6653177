"""Smoothing: a spatial smoothing put before a trained network.

Source: Xu, Evans & Qi 2018, arXiv:1704.01155, sec. 3.2; CSDS440, sections 2.2 and 3.3.2.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras

from robustnets.defenses.base import Train
from robustnets.layers import SpatialSmoothing, prepend
from robustnets.layers.spatial_smoothing import check_smoothing
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Put a smoothing before a trained network and change nothing else.

    Args:
        kind, window, border: as for `robustnets.layers.SpatialSmoothing`.

    Raises:
        ValueError: for settings that the layer does not know.

    Example:
        >>> Smoothing("median", 3).label
        'Smoothing median 3'
    """

    kind: str
    window: int
    border: str = "reflect"
    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    starts_trained: ClassVar[bool] = True
    trains: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_smoothing(self.kind, self.window, self.border)

    @property
    def filter(self) -> None:
        """None: a smoothing is not fitted to data."""
        return None

    @property
    def label(self) -> str:
        """The kind, the window, and the border where it is not the usual one."""
        border = "" if self.border == "reflect" else f" {self.border}"
        return f"Smoothing {self.kind} {self.window}{border}"

    def layer(self) -> keras.layers.Layer:
        """A new smoothing layer."""
        return SpatialSmoothing(self.kind, self.window, self.border)

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
