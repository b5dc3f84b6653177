"""Basic iterative method: FGSM in small steps (I-FGSM, targeted IT-FGSM).

Source: Kurakin et al. 2017, arXiv:1607.02533, sec. 2.2. All steps are taken and the last
iterate is the result, as in CSCE496 5.1.2; or each example stops once its prediction is what
the attacker wants, as in CSDS440 eq. 3-4 (sec. 2.1.1, extensions 2 and 3).
Deviations: l2 besides linf, with steps as in `fgsm`; each step is clipped to the box before
it is projected onto the ball, as ART and CleverHans do (in linf the order does not matter).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import losses
from robustnets.attacks.base import State, ascend, carry_out, check, check_count, check_step, loop
from robustnets.core.threat import ThreatModel


@dataclass(frozen=True, slots=True)
class BIM:
    """Gradient steps of the cross entropy from x, each projected back onto the ball.

    Args:
        threat: norm "linf" or "l2".
        step: length of one step in the norm, in input units; None: eps / steps.
        steps: how many.
        stop_at_boundary: stop each example at the first iterate that is a success, instead
            of taking all steps.
        targeted: descend towards given classes instead of climbing away from the label.
        expectation: passes averaged in each gradient, for a model that draws at random.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> BIM(ThreatModel("linf", 0.3), step=0.05, steps=20, stop_at_boundary=True).chunk
        4
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2")
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    step: float | None = None
    steps: int = 10
    stop_at_boundary: bool = False
    targeted: bool = False
    expectation: int = 1

    def __post_init__(self) -> None:
        check(self)
        check_count("expectation", self.expectation)
        check_step(self.step, self.steps)
        if not isinstance(self.stop_at_boundary, bool):
            raise ValueError(f"stop_at_boundary must be a bool, got {self.stop_at_boundary!r}")

    @property
    def early(self) -> bool:
        """Whether some examples can be done before others."""
        return self.stop_at_boundary

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done."""
        return min(4, self.steps) if self.stop_at_boundary else self.steps

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at x, with no step taken."""
        del logits, seeds  # exact, nothing is drawn
        none = ops.zeros_like(y)
        return {
            "x": x,
            "at": x,
            "y": y,
            "eps": eps,
            "hit": ops.zeros_like(y, dtype="bool"),
            "forward": none,
            "backward": none,
        }

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that took all steps, or stopped at the boundary."""
        return ops.logical_or(state["hit"], state["backward"] >= self.steps * self.expectation)

    def result(self, state: State) -> State:
        """The iterates as they stand."""
        return {"x": state["at"], "forward": state["forward"], "backward": state["backward"]}

    def _step(self, logits, state):
        x, at = state["x"], state["at"]
        going = ops.logical_not(self.done(state))
        _, hit, gradient = losses.ascent(
            logits, at, state["y"], self.targeted, expectation=self.expectation
        )
        if not self.stop_at_boundary:
            hit = state["hit"]
        length = state["eps"] / self.steps if self.step is None else self.step
        length = length * ops.ones_like(state["eps"])
        moved = ascend(self.threat, x, at, gradient, length, state["eps"])
        asked = self.expectation * ops.cast(going, "int32")
        moves = ops.logical_and(going, ops.logical_not(hit))
        return {
            **state,
            "at": backend.choose_rows(moves, moved, at),
            "hit": ops.logical_or(state["hit"], ops.logical_and(going, hit)),
            "forward": state["forward"] + asked,
            "backward": state["backward"] + asked,
        }
