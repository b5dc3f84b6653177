"""Projected gradient descent.

Source: Madry et al. 2018, arXiv:1706.06083, sec. 2.1; PSL report, sec. 2.3; for l1, the sparse
steps of Tramer & Boneh 2019, arXiv:1904.13000, sec. 4.1 (SLIDE) with the projection of Duchi
et al. 2008.
Deviations: the worst iterate of all restarts is kept for each example (one that is a success
before one that is not, then the one of higher loss), not the last one. Each step is clipped to
the box before it is projected onto the ball.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, losses, sparse_steps
from robustnets.attacks.base import State, ascend, carry_out, check, check_count, check_step, loop
from robustnets.core.threat import ThreatModel

SPARSITY = 0.01  # share of the values that one l1 step moves


@dataclass(frozen=True, slots=True)
class PGD:
    """Gradient steps inside the ball from random points of it.

    Args:
        threat: norm "linf", "l2" or "l1".
        step: length of one step in the norm, in input units; None: 2.5 eps / steps.
        steps: how many from each starting point.
        random_start: start anywhere in the ball, uniformly, instead of at x.
        restarts: starting points for each example.
        loss: what to climb, a name in `losses.LOSSES` or a loss of one's own, see
            `losses.check_loss`.
        stop_early: stop each example at its first success, instead of looking for the
            worst iterate.
        targeted: descend towards given classes instead of climbing away from the label.
        expectation: passes averaged in each gradient, for a model that draws at random.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> PGD(ThreatModel("linf", 8 / 255), step=2 / 255, steps=10, restarts=5).chunk
        55
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    step: float | None = None
    steps: int = 40
    random_start: bool = True
    restarts: int = 1
    loss: losses.Loss = "cross_entropy"
    stop_early: bool = False
    targeted: bool = False
    expectation: int = 1

    def __post_init__(self) -> None:
        check(self)
        check_count("expectation", self.expectation)
        check_step(self.step, self.steps)
        for name in ("random_start", "stop_early"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be a bool, got {getattr(self, name)!r}")
        check_count("restarts", self.restarts)
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"restarts must be 1 without random_start, got {self.restarts}")
        losses.check_loss(self.loss)

    @property
    def early(self) -> bool:
        """Whether some examples can be done before others."""
        return self.stop_early

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done; the last point of a restart counts as one."""
        every = self.restarts * (self.steps + 1)
        return min(4, every) if self.stop_early else every

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at their first starting points."""
        del logits
        state = {
            "x": x,
            "y": y,
            "eps": eps,
            "seeds": seeds,
            "best": x,
            "value": ops.full_like(eps, -math.inf),  # of the best; NaN: the model is broken
            "hit": ops.zeros_like(y, dtype="bool"),
            "taken": ops.zeros_like(y),  # steps of this restart
            "restart": ops.zeros_like(y),
            "forward": ops.zeros_like(y),
            "backward": ops.zeros_like(y),
        }
        return {**state, "at": self._anywhere(state) if self.random_start else x}

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        if self.stop_early or steps < self.chunk:
            return loop(lambda s: self._step(logits, s), self.done, state, steps)

        # all rows are at the same step, so that nobody need be asked
        def restart(state):
            state = loop(lambda s: self._step(logits, s, False), self.done, state, self.steps)
            return self._step(logits, state, True)

        return loop(restart, self.done, state, self.restarts)

    def done(self, state: State) -> Any:
        """Those with no restart left, a success if they stop early, or a broken model."""
        over = ops.logical_or(state["restart"] >= self.restarts, ops.isnan(state["value"]))
        return ops.logical_or(over, state["hit"]) if self.stop_early else over

    def result(self, state: State) -> State:
        """The worst iterate so far."""
        broken = balls.per_example(ops.isnan(state["value"]), state["x"])
        return {
            "x": ops.where(broken, math.nan, state["best"]),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _step(self, logits, state, ends=None):
        """One step; `ends`: whether all rows are at their last one, None where they differ."""
        at, y, n = state["at"], state["y"], self.expectation
        going = ops.logical_not(self.done(state))
        last = state["taken"] >= self.steps  # asked about, but not moved any more

        def look():
            return (*losses.standing(logits, at, y, self.targeted, self.loss, n), at)

        def move():
            return self._moved(logits, state)

        if ends is None:
            ends = ops.all(ops.logical_or(last, ops.logical_not(going)))
            value, hit, moved = ops.cond(ends, look, move)
        else:
            value, hit, moved = look() if ends else move()
        worse = ops.where(hit == state["hit"], value > state["value"], hit)
        broken = ops.logical_not(ops.isfinite(value))
        worse = ops.logical_and(going, ops.logical_or(worse, broken))
        ends = ops.logical_and(going, last)
        new = {
            **state,
            "best": backend.choose_rows(worse, at, state["best"]),
            "value": ops.where(worse, ops.where(broken, math.nan, value), state["value"]),
            "hit": ops.where(worse, hit, state["hit"]),
            # rows that are done move on, which nobody sees
            "at": moved,
            "taken": ops.where(last, 0, state["taken"] + 1),
            "restart": state["restart"] + ops.cast(ends, "int32"),
            "forward": state["forward"] + n * ops.cast(going, "int32"),
            "backward": state["backward"] + n * ops.cast(ops.logical_xor(going, ends), "int32"),
        }
        if self.restarts > 1:
            rows = balls.per_example(ends, at)
            new["at"] = ops.cond(
                ops.any(ends), lambda: ops.where(rows, self._anywhere(new), moved), lambda: moved
            )
        return new

    def _moved(self, logits, state):
        x, at, eps = state["x"], state["at"], state["eps"]
        norm, low, high = self.threat.norm, self.threat.low, self.threat.high
        value, hit, gradient = losses.ascent(
            logits, at, state["y"], self.targeted, self.loss, self.expectation
        )
        length = 2.5 * eps / self.steps if self.step is None else self.step * ops.ones_like(eps)
        if norm != "l1":
            return value, hit, ascend(self.threat, x, at, gradient, length, eps)

        free = backend.fused(lambda g, at: balls.inward(g, at, low, high))(gradient, at)
        # not fused: XLA sorts all to find the largest
        least = sparse_steps.nth_largest(free, max(1, round(SPARSITY * math.prod(at.shape[1:]))))

        @backend.fused
        def step(x, at, free, least, length, eps):
            ahead = balls.per_example(length, at) * sparse_steps.even(free, least)
            stepped = balls.move(at, ahead, low, high)
            return balls.move(x, balls.project(stepped - x, norm, eps), low, high)

        return value, hit, step(x, at, free, least, length, eps)

    def _anywhere(self, state):
        """Uniform draws from the balls, clipped to the box."""
        x, threat = state["x"], self.threat
        shape, step = tuple(x.shape[1:]), state["restart"]
        delta = balls.uniform(state["seeds"], shape, threat.norm, step)
        return balls.move(x, balls.per_example(state["eps"], x) * delta, threat.low, threat.high)
