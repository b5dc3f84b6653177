"""Momentum iterative FGSM (MI-FGSM): steps along a running sum of gradients.

Source: Dong et al. 2018, arXiv:1710.06081, algorithm 1 and eq. 6-7, with eq. 8 for l2. Each
gradient is divided by its l1 norm before it is added.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets.attacks import balls, losses
from robustnets.attacks.base import State, ascend, carry_out, check, check_count, check_step, loop
from robustnets.core.threat import ThreatModel


@dataclass(frozen=True, slots=True)
class MIFGSM:
    """Gradient steps of the cross entropy from x with momentum; the last iterate is the result.

    Args:
        threat: norm "linf" or "l2".
        steps: how many, each as long as eps / steps.
        decay: share of the running sum that is kept at each step, >= 0; 1 is the paper's.
        targeted: descend towards given classes instead of climbing away from the label.
        expectation: passes averaged in each gradient, for a model that draws at random.

    Raises:
        ValueError: naming the setting.
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2")
    minimal: ClassVar[bool] = False
    early: ClassVar[bool] = False

    threat: ThreatModel
    steps: int = 10
    decay: float = 1.0
    targeted: bool = False
    expectation: int = 1

    def __post_init__(self) -> None:
        check(self)
        check_count("expectation", self.expectation)
        check_step(None, self.steps)
        if not 0 <= self.decay < float("inf"):
            raise ValueError(f"decay must be finite and >= 0, got {self.decay}")

    @property
    def chunk(self) -> int:
        """All steps: no example is done before another."""
        return self.steps

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at x, at rest."""
        del logits, seeds  # exact, nothing is drawn
        none = ops.zeros_like(y)
        return {"x": x, "at": x, "y": y, "eps": eps, "sum": ops.zeros_like(x), "passes": none}

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` steps."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that took all steps."""
        return state["passes"] >= self.steps * self.expectation

    def result(self, state: State) -> State:
        """The iterates as they stand."""
        return {"x": state["at"], "forward": state["passes"], "backward": state["passes"]}

    def _step(self, logits: Any, state: State) -> State:
        at = state["at"]
        _, _, gradient = losses.ascent(
            logits, at, state["y"], self.targeted, expectation=self.expectation
        )
        slope = balls.peak_to_one(gradient)  # so that no sum of it overflows
        size = balls.lengths(slope, "l1")
        total = self.decay * state["sum"] + slope / ops.where(size == 0, 1.0, size)
        moved = ascend(self.threat, state["x"], at, total, state["eps"] / self.steps, state["eps"])
        return {**state, "at": moved, "sum": total, "passes": state["passes"] + self.expectation}
