"""A layer put before a network: a linear filter, a smoothing or any other.

Sources: the thesis, section 3.6, after Bhagoji et al. 2017, arXiv:1704.02654 (reconstruction and
retraining; from scratch is mentioned there and not compared); Xu, Evans & Qi 2018,
arXiv:1704.01155, sec. 3 (feature squeezing), which CSDS440, sections 2.2 and 3.3.2, repeats.
"""

from dataclasses import dataclass

from robustnets.core.spec import quiet
from robustnets.defenses.base import Recipe
from robustnets.layers import LayerSpec
from robustnets.training import Training


@dataclass(frozen=True, slots=True)
class InFront:
    """Put a layer before a network, and train the network behind it or not.

    Args:
        layer: what goes in front.
        training: how the network is trained behind the layer; its single rule says when that
            ends. None: a trained network stays as it is (reconstruction), a fresh one is trained
            as the undefended network is (from scratch).
        start: "trained" or "fresh".

    Raises:
        ValueError: for another start, or several rules.

    Example:
        >>> from robustnets.layers import FilterSpec, SmoothingSpec
        >>> InFront(SmoothingSpec("median", 3)).label
        'median 3'
        >>> InFront(FilterSpec("pca", 100), start="fresh").label
        'pca 100, from scratch'
    """

    layer: LayerSpec
    training: Training | None = quiet(None)
    start: str = quiet("trained")

    def __post_init__(self) -> None:
        self.recipe  # noqa: B018  says what is wrong

    @property
    def recipe(self) -> Recipe:
        """What it does to a network."""
        return Recipe(
            self.layer,
            self.start,
            self.start == "fresh" or self.training is not None,
            self.training,
            differentiable=self.layer.differentiable,
            stochastic=self.layer.stochastic,
        )

    @property
    def label(self) -> str:
        """The layer, and what becomes of the network behind it."""
        if not self.recipe.trains:
            return self.layer.label
        return f"{self.layer.label}, {'from scratch' if self.start == 'fresh' else 'retrained'}"
