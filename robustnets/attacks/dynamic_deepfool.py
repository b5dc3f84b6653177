"""Dynamic DeepFool: DeepFool whose overshoot starts large and falls as a logarithm does.

Source: CSDS440 sec. 2.5 and 3.2.1, an extension of arXiv:1511.04599: the steps of DeepFool are
"always multiplied by a small constant", and here a "logarithmically decreasing learning rate"
takes its place, for fewer iterations until the boundary and a higher success rate.
The report gives no formula and no numbers (its paragraph on the extension breaks off). Chosen:
- step i = 0, 1, ..., n - 1 is r_i of DeepFool times 1 + eta_i;
- eta_i = first + (last - first) ln(1 + i) / ln(n): `first` at step 0, down to `last` at step
  n - 1, a straight line over the logarithm of the step number; `first` where n = 1;
- first = 0.5 and last = 0.02, which is DeepFool's constant;
- each step starts where the one before ended, overshoot included.
Deviations: as for `deepfool`.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets.attacks import balls, deepfool
from robustnets.attacks.base import State, carry_out, check, check_step, loop
from robustnets.core.threat import ThreatModel


@dataclass(frozen=True, slots=True)
class DynamicDeepFool:
    """DeepFool with steps that overshoot by less and less.

    Args:
        threat: norm "l2" or "linf"; eps only cuts the result short.
        steps: how many at most, and as many in the box that follow; see `deepfool`.
        candidates: only so many classes, the most likely ones at the start, or None for all.
        first: the share by which the first step is longer, >= last.
        last: the share by which the last step is longer, >= 0.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> attack = DynamicDeepFool(ThreatModel("l2", 1.0), steps=8)
        >>> [round(attack.rate(i), 2) for i in range(8)]
        [0.5, 0.34, 0.25, 0.18, 0.13, 0.09, 0.05, 0.02]
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2")
    minimal: ClassVar[bool] = True
    targeted: ClassVar[bool] = False

    threat: ThreatModel
    steps: int = 50
    candidates: int | None = None
    first: float = 0.5
    last: float = 0.02

    def __post_init__(self) -> None:
        check(self)
        check_step(None, self.steps)
        deepfool.check_candidates(self.candidates)
        if not 0 <= self.last <= self.first < math.inf:
            raise ValueError(
                f"first and last must be finite with first >= last >= 0, "
                f"got {self.first} and {self.last}"
            )

    @property
    def early(self) -> bool:
        """Each example stops once it is across."""
        return True

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done: a step is one pass for each class."""
        return 1

    def rate(self, i: int) -> float:
        """By which share step i, from 0, is longer than DeepFool's."""
        fallen = math.log(1 + i) / math.log(self.steps) if self.steps > 1 else 0.0
        return self.first + (self.last - self.first) * fallen

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at x, one forward pass spent on who is across and on the choice of classes."""
        del seeds, eps  # exact, nothing is drawn
        return deepfool.begin(logits, x, y, self.candidates)

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that are across, have nowhere to go, or took all steps."""
        return deepfool.is_done(state, self.steps)

    def result(self, state: State) -> State:
        """The iterates that are across, else x."""
        return deepfool.outcome(state)

    def _step(self, logits, state):
        threat = self.threat
        look = deepfool.to_boundary(logits, state, threat, self.steps)
        rates = [self.rate(i) for i in range(self.steps)]
        number = state["taken"] % self.steps  # those in the box begin with the first again
        rate = ops.take(ops.convert_to_tensor(rates, "float32"), number)
        ahead = balls.move(
            state["at"],
            balls.per_example(1.0 + rate, look.step) * look.step,
            threat.low,
            threat.high,
        )
        return deepfool.arrive(logits, look.state, ahead, look.moves, self.steps)
