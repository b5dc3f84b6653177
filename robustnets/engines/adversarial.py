"""What an engine made of some examples."""

from dataclasses import dataclass

import numpy as np

from robustnets.attacks import balls


@dataclass(frozen=True, eq=False, slots=True)
class Adversarial:
    """What an engine made of N examples.

    Args:
        x: float32 (N, H, W, C), the attacked examples, in the box.
        success: bool (N,), whether the model, asked about these very values, gives another
            class than y (the class y, if targeted).
        forward: int32 (N,), forward passes spent on each; verifying success is not counted.
        backward: int32 (N,), backward passes spent on each.
        seconds: wall clock of the whole run, compilation included.
        clean: float32 (N, H, W, C), what was attacked.
    """

    x: np.ndarray
    success: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    seconds: float
    clean: np.ndarray

    def distances(self) -> dict[str, np.ndarray]:
        """How far each example was moved: float64 (N,) by norm, "linf", "l2", "l1", "l0"."""
        return balls.distances(self.clean, self.x)

    def nearest(self, norm: str) -> np.ndarray:
        """float64 (N,): the distance in one norm, infinite where the attack failed."""
        return np.where(self.success, self.distances()[norm], np.inf)
