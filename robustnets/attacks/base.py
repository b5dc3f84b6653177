"""What every attack is: a frozen spec with one pure function."""

from collections.abc import Callable
from typing import Any, Protocol

from robustnets.core.threat import ThreatModel


class Attack(Protocol):
    """A frozen, hashable dataclass. Settings only: it holds no model and no state."""

    @property
    def threat(self) -> ThreatModel:
        """Norm, radius and box. An engine passes `threat.eps` on as `eps`."""

    @property
    def targeted(self) -> bool:
        """Whether `y` names the classes to reach instead of the true labels."""

    @property
    def passes(self) -> tuple[int, int]:
        """(forward, backward) passes per example; an attack of varying cost has none."""

    def perturb(self, logits: Callable[[Any], Any], x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch. Pure and traceable; row i depends on row i of the arguments only.

        Args:
            logits: float32 (N, H, W, C) -> float32 (N, K), traceable.
            x: float32 (N, ...), in the box.
            y: int (N,), true labels, or the classes to reach if targeted.
            seeds: int32 (N,), one per example, so that no draw depends on the batch.
            eps: float32 (N,), a radius per example, in input units. Used in place of
                `threat.eps`, so that one compiled function serves every radius.

        Returns:
            float32 (N, ...), inside the box exactly and inside the ball up to 1e-6 in
            input units. Rows with eps = 0 are those of x bit for bit. Rows whose loss or
            gradient is not a finite number are NaN: an engine refuses those.
        """
