"""Adversarial training: each step trains on what an attack makes of its batch.

Source: Madry et al. 2018, arXiv:1706.06083, sec. 2 (the inner maximum by PGD, no clean examples);
the growing radius is that of Liu et al. 2020, arXiv:2006.08403, sec. 5, without which training
at large radii may stay at a constant prediction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustnets.core.seeds import derive


@dataclass(frozen=True, slots=True)
class AdversarialTraining:
    """What the examples of a batch are replaced by before each step.

    Args:
        attack: an untargeted spec with a fixed radius, such as `attacks.PGD`. It sees the
            weights as they stand, in inference mode: no dropout.
        warm_up: epochs over which the radius grows in equal parts to that of the attack, which
            it has from epoch number `warm_up`, counted from 1; 0 and 1: always.

    Raises:
        ValueError: for a targeted attack, one that looks for small perturbations, or a bad
            number of epochs.

    Example:
        >>> from robustnets.attacks import PGD
        >>> from robustnets.core.threat import ThreatModel
        >>> spec = AdversarialTraining(PGD(ThreatModel("linf", 0.3)), warm_up=3)
        >>> [round(spec.radius(epoch), 2) for epoch in range(4)]
        [0.1, 0.2, 0.3, 0.3]
    """

    attack: Any
    warm_up: int = 0

    def __post_init__(self) -> None:
        name = type(self.attack).__name__
        if self.attack.targeted:
            raise ValueError(f"attack must be untargeted, got a targeted {name}")
        if self.attack.minimal:
            raise ValueError(f"attack must have a fixed radius, {name} looks for the smallest")
        if isinstance(self.warm_up, bool) or not isinstance(self.warm_up, int) or self.warm_up < 0:
            raise ValueError(f"warm_up must be an int >= 0, got {self.warm_up!r}")

    def radius(self, epoch: int) -> float:
        """The radius in an epoch, counted from 0, in input units."""
        return self.attack.threat.eps * min(1.0, (epoch + 1) / max(self.warm_up, 1))

    def perturb(self, model: Callable[..., Any]) -> Callable[..., Any]:
        """What `backend.epoch_function` calls on each batch; traceable.

        Args:
            model: a Keras model, logits out, read as its weights stand.

        Returns:
            A function of x (B, ...), y (B,), seeds int32 (B,) and radii float32 (B,) giving
            float32 (B, ...).
        """
        return lambda x, y, seeds, eps: self.attack.perturb(
            lambda points: model(points, training=False), x, y, seeds, eps
        )

    def columns(self, order: np.ndarray, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Seeds and radii of an epoch's examples, by (seed, epoch).

        Args:
            order: int (steps, B), the rows of each step.
            seed: of the training.
            epoch: counted from 0.

        Returns:
            int32 (steps, B) and float32 (steps, B).
        """
        rng = np.random.default_rng(derive(seed, "adversarial", epoch))
        seeds = rng.integers(0, 2**31, order.shape, dtype=np.int32)
        return seeds, np.full(order.shape, self.radius(epoch), np.float32)
