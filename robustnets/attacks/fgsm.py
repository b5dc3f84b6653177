"""Fast gradient sign method: one steepest-ascent step to the edge of the ball.

Source: Goodfellow et al. 2015, arXiv:1412.6572, sec. 4 (linf); Miyato et al. 2017,
arXiv:1605.07725, eq. 4 (the same step in l2; by the same argument l1 moves the single value of
largest gradient); Kurakin et al. 2017, arXiv:1611.01236, sec. 2
(targeted). The "Fast Gradient Sign" of the thesis, whose eta is eps.
Deviations: none. A zero gradient moves nothing.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from robustnets.attacks import balls, losses
from robustnets.attacks.base import check
from robustnets.core.threat import ThreatModel


@dataclass(frozen=True, slots=True)
class FGSM:
    """One gradient step of the cross entropy.

    Args:
        threat: norm "linf", "l2" or "l1" (which moves a single value).
        targeted: descend towards given classes instead of climbing away from the label.

    Raises:
        ValueError: for another norm, or a targeted that is no bool.

    Example:
        >>> FGSM(ThreatModel("linf", 0.1)).passes
        (1, 1)
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)

    @property
    def passes(self) -> tuple[int, int]:
        """One forward and one backward pass per example."""
        return 1, 1

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        del seeds  # exact, nothing is drawn
        gradient = losses.ascent_gradient(logits, x, y, self.targeted)
        step = balls.per_example(eps, x) * balls.steepest(gradient, self.threat.norm)
        return balls.move(x, step, self.threat.low, self.threat.high)
