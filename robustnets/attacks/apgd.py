"""Auto-PGD: projected gradient descent that sets its step size itself.

Source: Croce & Hein 2020, arXiv:2003.01690, algorithm 1 and sec. 3-4 (linf, l2), with targets
as in sec. 4.2; Croce & Hein 2021, arXiv:2103.01208, algorithms 1-2 and the radii of sec. 3 (l1).
Deviations: after going back to the best point, the next step is judged by that point's value,
as in the paper and unlike the authors' code. In l2 points are clipped to the box before they
are projected onto the ball, which wastes less of the radius than the other order. Of all
points, a success counts more than a high loss.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, losses, projections, sparse_steps
from robustnets.attacks.base import State, carry_out, check, check_count, check_step, loop
from robustnets.attacks.schedules import look_up, plan, stalls
from robustnets.core.threat import ThreatModel

MOMENTUM = 0.75  # alpha: share of the new step in the next move
SPARSER = 1.5  # l1: steps move so many times fewer values than the best point differs in


@dataclass(frozen=True, slots=True)
class APGD:
    """Gradient steps with momentum that halve, and go back to the best point, where they stall.

    Args:
        threat: norm "linf", "l2" or "l1".
        steps: how many from each starting point.
        restarts: starting points for each example, random ones on the sphere.
        loss: what to climb, a name in `losses.LOSSES` or a loss of one's own, see
            `losses.check_loss`.
        targets: None, or the number of likeliest other classes at x (as many as there are)
            towards which y is left, one after the other, each from `restarts` starting points;
            "dlr" is then `losses.targeted_dlr`.
        large_radii: l1 only: the first steps of each restart are in balls of 3 eps and 2 eps.
        stop_early: stop each example at its first success, instead of looking for the
            worst iterate.
        targeted: descend towards given classes instead of climbing away from the label.
        expectation: passes averaged in each gradient, for a model that draws at random.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> APGD(ThreatModel("linf", 8 / 255), loss="dlr", targets=9).steps
        100
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    steps: int = 100
    restarts: int = 1
    loss: losses.Loss = "cross_entropy"
    targets: int | None = None
    large_radii: bool = False
    stop_early: bool = True
    targeted: bool = False
    expectation: int = 1

    def __post_init__(self) -> None:
        check(self)
        check_step(None, self.steps)
        check_count("restarts", self.restarts)
        check_count("expectation", self.expectation)
        for name in ("large_radii", "stop_early"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be a bool, got {getattr(self, name)!r}")
        losses.check_loss(self.loss)
        if self.targets is not None:
            check_count("targets", self.targets)
            if self.targeted:
                raise ValueError(f"targets must be None for targeted attacks, got {self.targets}")
        if self.large_radii and self.threat.norm != "l1":
            raise ValueError(f"large_radii must be False in {self.threat.norm}, got True")

    @property
    def early(self) -> bool:
        """Whether some examples can be done before others."""
        return self.stop_early

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done; the starting point counts as one."""
        every = self.restarts * (self.targets or 1) * (self.steps + 1)
        return min(4, every) if self.stop_early else every

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at their first starting points; with `targets`, asked which classes to aim at."""
        none, nothing, low = ops.zeros_like(y), ops.zeros_like(eps), ops.full_like(eps, -math.inf)
        state = {
            "x": x,
            "y": y,
            "eps": eps,
            "seeds": seeds,
            # of all restarts: the result. A value of NaN: the model is broken
            "best": x,
            "value": low,
            "hit": ops.zeros_like(y, dtype="bool"),
            # of this restart
            "previous": x,  # the iterate before, for the momentum
            "last": low,  # its value
            "top": x,  # the point of highest value
            "slope": ops.zeros_like(x),  # the gradient there
            "height": low,  # its value
            "rate": ops.ones_like(eps),  # the step, as a share of the first one
            "taken": none,  # looks, of those that a `Plan` has
            "run": none,
            "forward": none,
            "backward": none,
            # since the last checkpoint
            "risen": none,  # steps that raised the value
            "checked": low,  # the height then
            "slowed": ops.zeros_like(y, dtype="bool"),  # whether it lowered the step
            "moved": nothing,  # l1: values in which `top` differed from x then
            "kept": nothing,  # l1: values that a step moves
        }
        if self.targets is not None:
            n = self.expectation
            z = logits(ops.repeat(x, n, axis=0))
            z = ops.mean(ops.reshape(ops.log_softmax(z, axis=-1), (-1, n, z.shape[-1])), axis=1)
            others = ops.where(ops.one_hot(y, z.shape[-1], dtype="bool"), -math.inf, z)
            likeliest = ops.top_k(others, min(self.targets, z.shape[-1] - 1))[1]
            state["classes"] = ops.cast(likeliest, "int32")
            state["forward"] = none + n
        return {**state, "at": self._anywhere(state)}

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those with no restart left, a success if they stop early, or a broken model."""
        runs = self.restarts * (state["classes"].shape[1] if self.targets else 1)
        over = ops.logical_or(state["run"] >= runs, ops.isnan(state["value"]))
        return ops.logical_or(over, state["hit"]) if self.stop_early else over

    def result(self, state: State) -> State:
        """The worst iterate so far."""
        broken = balls.per_example(ops.isnan(state["value"]), state["x"])
        return {
            "x": ops.where(broken, math.nan, state["best"]),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _step(self, logits, state):
        target = None
        if self.targets is not None:
            number = ops.minimum(state["run"] // self.restarts, state["classes"].shape[1] - 1)
            target = ops.take_along_axis(state["classes"], number[:, None], axis=1)[:, 0]
        value, hit, gradient = losses.ascent(
            logits, state["at"], state["y"], self.targeted, self.loss, self.expectation, target
        )
        # some forty operations on every value, which as a graph cost half a convolution's pass;
        # the sorting that l1 needs, XLA does more slowly
        finish = self._finish if self.threat.norm == "l1" else backend.fused(self._finish)
        return finish(state, value, hit, gradient)

    def _finish(self, state, value, hit, gradient):
        """The state after a step in which the model said this of the iterate."""
        going, plan = ops.logical_not(self.done(state)), self._plan()
        asked = self.expectation * ops.cast(going, "int32")
        new = self._keep_worst(state, going, value, hit, plan) | {
            "forward": state["forward"] + asked,
            "backward": state["backward"] + asked,
        }
        # rows that are done go on below, which nobody sees
        new, gradient = self._judge(new, value, gradient, plan)
        last = state["taken"] >= len(plan.windows) - 1
        new |= {
            "at": self._moved(new, gradient, plan),
            "previous": new["at"],
            "taken": ops.where(last, 0, state["taken"] + 1),
            "run": state["run"] + ops.cast(last, "int32"),
        }
        if self.restarts > 1 or self.targets is not None:
            rows, moved = balls.per_example(last, new["at"]), new["at"]
            new["at"] = ops.cond(
                ops.any(ops.logical_and(last, going)),
                lambda: ops.where(rows, self._anywhere(new), moved),
                lambda: moved,
            )
        return new

    def _plan(self):
        return plan(self.steps, self.threat.norm == "l1", self.large_radii)

    def _keep_worst(self, state, going, value, hit, plan):
        """The state with the worst iterate of all restarts brought up to date."""
        at = state["at"]
        counts = ops.logical_and(going, look_up(plan.radii, state) == 1)
        worse = ops.where(hit == state["hit"], value > state["value"], hit)
        worse = ops.logical_and(counts, worse)
        broken = ops.logical_and(going, ops.logical_not(ops.isfinite(value)))
        return {
            **state,
            "best": backend.choose_rows(worse, at, state["best"]),
            "value": ops.where(broken, math.nan, ops.where(worse, value, state["value"])),
            "hit": ops.where(worse, hit, state["hit"]),
        }

    def _judge(self, state, value, gradient, plan):
        """Note the value of the iterate and, at a checkpoint, judge the steps since the last.

        Returns:
            The state, with the iterate put back to the best point where they stalled, and the
            gradient there.
        """
        x, fresh = state["x"], look_up(plan.begins, state)
        window = look_up(plan.windows, state)
        higher = ops.logical_or(fresh, value > state["height"])
        row = balls.per_example(higher, x)
        top = ops.where(row, state["at"], state["top"])
        slope = ops.where(row, gradient, state["slope"])
        height = ops.where(higher, value, state["height"])
        risen = ops.where(fresh, 0, state["risen"] + ops.cast(value > state["last"], "int32"))
        checked = ops.where(fresh, value, state["checked"])
        slowed = ops.logical_and(ops.logical_not(fresh), state["slowed"])
        rate = ops.where(fresh, 1.0, state["rate"])
        moved, kept = state["moved"], state["kept"]
        due = window > 0
        if self.threat.norm == "l1":
            size, differs = math.prod(x.shape[1:]), _count(top - x)
            first = differs / SPARSER if self.large_radii else 0.2 * size * ops.ones_like(rate)
            moved = ops.where(fresh, differs if self.large_radii else float(size), moved)
            back = ops.logical_and(due, differs < 0.95 * moved)
            slower = ops.where(back, 1.0, ops.maximum(rate / 1.5, 0.1))
            kept = ops.where(fresh, first, ops.where(due, differs / SPARSER, kept))
            moved = ops.where(due, differs, moved)
        else:
            back = ops.logical_and(due, stalls(risen, window, height > checked, slowed))
            slower = ops.where(back, 0.5 * rate, rate)
        row = balls.per_example(back, x)
        return {
            **state,
            "top": top,
            "slope": slope,
            "height": height,
            "at": ops.where(row, top, state["at"]),
            "last": ops.where(back, height, value),
            "rate": ops.where(due, slower, rate),
            "risen": ops.where(due, 0, risen),
            "checked": ops.where(due, height, checked),
            "slowed": ops.where(due, back, slowed),
            "moved": moved,
            "kept": kept,
        }, ops.where(row, slope, gradient)

    def _moved(self, state, gradient, plan):
        """The next iterate: a step from this one, or the best one in the next smaller ball."""
        x, at, norm = state["x"], state["at"], self.threat.norm
        low, high = self.threat.low, self.threat.high
        radius = state["eps"] * look_up(plan.radii, state)
        if norm == "l1":
            length = balls.per_example(state["rate"] * radius, x)
            ahead = at + length * sparse_steps.sparse(gradient, state["kept"]) - x
            if self.large_radii:
                shrinks = balls.per_example(look_up(plan.begins, state, 1), x)
                ahead = ops.where(shrinks, state["top"] - x, ahead)
                radius = state["eps"] * look_up(plan.radii, state, 1)
            return balls.move(x, projections.l1_ball_in_box(x, ahead, radius, low, high), low, high)

        def inside(point):
            delta = balls.move(point, ops.zeros_like(x), low, high) - x
            return balls.move(x, balls.project(delta, norm, radius), low, high)

        length = 2.0 * balls.per_example(state["rate"] * radius, x)
        stepped = inside(at + length * balls.steepest(gradient, norm))
        share = balls.per_example(ops.where(look_up(plan.begins, state), 1.0, MOMENTUM), x)
        return inside(at + share * (stepped - at) + (1.0 - share) * (at - state["previous"]))

    def _anywhere(self, state):
        """Random points of the spheres, clipped to the box."""
        x, seeds, step, norm = state["x"], state["seeds"], state["run"], self.threat.norm
        shape, low, high = tuple(x.shape[1:]), self.threat.low, self.threat.high
        radius = state["eps"] * float(self._plan().radii[0])
        if norm == "l1":
            noise = draws.normal(seeds, shape, 0, step) * (high - low)
            delta = projections.l1_ball_in_box(x, noise, radius, low, high)
        else:
            delta = balls.per_example(radius, x) * balls.sphere(seeds, shape, norm, step)
            # the product may round up to beyond the radius
            delta = balls.project(delta, norm, radius)
        return balls.move(x, delta, low, high)


def _count(value):
    """float32 (N,): entries of each row that are not zero."""
    return ops.sum(ops.cast(value != 0, "float32"), axis=tuple(range(1, len(value.shape))))
