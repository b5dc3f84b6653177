"""Fast Adaptive Boundary attack: steps along linearised boundaries that stay near x.

Source: Croce & Hein 2020, arXiv:1907.02044, algorithm 1; towards single classes (FAB-T) as in
AutoAttack (Croce & Hein 2020, arXiv:2003.01690, sec. 5).
Deviations: as in AutoAttack, there is no search along the last segment, which ends so near to
the boundary that rounding decides. Random starts lie within half the distance of the best point
so far, and where there is none within half of `REACH`: the radius of the threat model only cuts
the result short.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, losses, projections
from robustnets.attacks.base import State, carry_out, check, check_count, check_step, loop
from robustnets.attacks.deepfool import dual
from robustnets.core.threat import ThreatModel

REACH = {"linf": 0.3, "l2": 1.0, "l1": 5.0}  # of the box: where random starts look at first


@dataclass(frozen=True, slots=True)
class FAB:
    """Projections onto the nearest linearised boundary, drawn back to x after each success.

    Args:
        threat: norm "linf", "l2" or "l1"; eps only cuts the result short.
        steps: how many from each starting point.
        restarts: starting points for each example, x and then random ones.
        targets: None, or the number of likeliest other classes at x (as many as there are)
            whose boundaries are taken one after the other, each from `restarts` starting
            points. A step then costs one backward pass instead of one for each class.
        alpha_max: greatest share of the step from x itself, in 0..1.
        eta: steps are longer by this factor, >= 1.
        beta: a success is drawn back to this share of its perturbation, in 0..1.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> FAB(ThreatModel("l2", 0.5), targets=9).steps
        100
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    minimal: ClassVar[bool] = True
    targeted: ClassVar[bool] = False

    threat: ThreatModel
    steps: int = 100
    restarts: int = 1
    targets: int | None = None
    alpha_max: float = 0.1
    eta: float = 1.05
    beta: float = 0.9

    def __post_init__(self) -> None:
        check(self)
        check_step(None, self.steps)
        check_count("restarts", self.restarts)
        if self.targets is not None:
            check_count("targets", self.targets)
        for name in ("alpha_max", "beta"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in 0..1, got {getattr(self, name)}")
        if not (math.isfinite(self.eta) and self.eta >= 1):
            raise ValueError(f"eta must be finite and >= 1, got {self.eta}")

    @property
    def early(self) -> bool:
        """All take all steps."""
        return False

    @property
    def chunk(self) -> int:
        """Steps between two looks at the clock."""
        return min(10, self.steps * self.restarts * (self.targets or 1))

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at x, one forward pass spent on whether that is a success already."""
        z, none = logits(x), ops.zeros_like(y)
        state = {
            "x": x,
            "y": y,
            "seeds": seeds,
            "at": x,
            "best": x,
            "distance": ops.where(losses.is_hit(z, y, False), 0.0, ops.full_like(eps, math.inf)),
            "broken": ops.logical_not(ops.all(ops.isfinite(z), axis=-1)),
            "taken": none,  # steps of this run
            "run": none,
            "forward": none + 1,
            "backward": none,
        }
        if self.targets is not None:
            others = ops.where(ops.one_hot(y, z.shape[-1], dtype="bool"), -math.inf, z)
            likeliest = ops.top_k(others, min(self.targets, z.shape[-1] - 1))[1]
            state["classes"] = ops.cast(likeliest, "int32")
        return state

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those with no run left, a success as they stand, or a broken model."""
        runs = self.restarts * (state["classes"].shape[1] if self.targets else 1)
        over = ops.logical_or(state["run"] >= runs, state["distance"] == 0)
        return ops.logical_or(over, state["broken"])

    def result(self, state: State) -> State:
        """The nearest success so far, else x; NaN where numbers were not finite."""
        broken = balls.per_example(state["broken"], state["x"])
        return {
            "x": ops.where(broken, math.nan, state["best"]),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _step(self, logits, state):
        x, y, going = state["x"], state["y"], ops.logical_not(self.done(state))
        w, gap, sound, passes = self._boundary(logits, state)
        moved = self._moved(state, w, gap)
        z = logits(moved)
        sound = ops.logical_and(sound, ops.all(ops.isfinite(z), axis=-1))
        hit = losses.is_hit(z, y, False)
        distance = balls.lengths(moved - x, self.threat.norm)
        distance = ops.reshape(distance, (-1,))
        nearer = ops.logical_and(ops.logical_and(going, hit), distance < state["distance"])
        drawn = balls.move(x, self.beta * (moved - x), self.threat.low, self.threat.high)
        last = state["taken"] >= self.steps - 1
        asked = ops.cast(going, "int32")
        # rows that are done go on, which nobody sees
        new = {
            **state,
            "at": backend.choose_rows(hit, drawn, moved),
            "best": backend.choose_rows(nearer, moved, state["best"]),
            "distance": ops.where(nearer, distance, state["distance"]),
            "broken": ops.logical_or(
                state["broken"], ops.logical_and(going, ops.logical_not(sound))
            ),
            "taken": ops.where(last, 0, state["taken"] + 1),
            "run": state["run"] + ops.cast(last, "int32"),
            "forward": state["forward"] + 2 * asked,
            "backward": state["backward"] + passes * asked,
        }
        if self.restarts > 1 or self.targets is not None:
            rows, at = balls.per_example(last, x), new["at"]
            new["at"] = ops.cond(
                ops.any(ops.logical_and(last, going)),
                lambda: ops.where(rows, self._anywhere(new), at),
                lambda: at,
            )
        return new

    def _boundary(self, logits, state):
        """The nearest linearised boundary, gap + <w, d> = 0.

        Returns:
            w (N, ...), zeros where there is none; gap (N,); bool (N,), whether the numbers were
            finite; backward passes.
        """
        at, y = state["at"], state["y"]
        z, pull = backend.pullback(logits, at)
        kinds, finite = z.shape[-1], ops.all(ops.isfinite(z), axis=-1)
        own = ops.one_hot(y, kinds, dtype=z.dtype)

        def to(other):
            way = ops.one_hot(other, kinds, dtype=z.dtype) - own
            return pull(way), ops.sum(way * z, axis=-1)

        def is_sound(slope):
            return ops.all(ops.isfinite(slope), axis=tuple(range(1, len(at.shape))))

        if self.targets is not None:
            number = ops.minimum(state["run"] // self.restarts, state["classes"].shape[1] - 1)
            other = ops.take_along_axis(state["classes"], number[:, None], axis=1)[:, 0]
            slope, gap = to(other)
            return slope, gap, ops.logical_and(finite, is_sound(slope)), 1

        def consider(j, w, gap, nearest, sound):
            slope, other = to((y + 1 + j) % kinds)
            away = ops.abs(other) / dual(slope, self.threat.norm)
            nearer = away < nearest  # 0/0 is NaN and compares as false
            return (
                j + 1,
                backend.choose_rows(nearer, slope, w),
                ops.where(nearer, other, gap),
                ops.where(nearer, away, nearest),
                ops.logical_and(sound, is_sound(slope)),
            )

        _, w, gap, _, sound = ops.while_loop(
            lambda j, *_: j < kinds - 1,
            consider,
            (
                ops.convert_to_tensor(0, "int32"),
                ops.zeros_like(at),
                ops.zeros_like(z[:, 0]),
                ops.full_like(z[:, 0], math.inf),
                finite,
            ),
        )
        return w, gap, sound, kinds - 1

    def _moved(self, state, w, gap):
        """Between the projections of the iterate and of x, both too far by eta."""
        norm, low, high = self.threat.norm, self.threat.low, self.threat.high

        def go(x, at, w, gap):
            near = projections.hyperplane_in_box(at, w, -gap, norm, low, high)
            offset = ops.sum(w * (at - x), axis=tuple(range(1, len(x.shape)))) - gap
            far = projections.hyperplane_in_box(x, w, offset, norm, low, high)
            one, other = balls.lengths(near, norm), balls.lengths(far, norm)
            both = one + other
            alpha = one / ops.where(both == 0, 1.0, both)
            alpha = ops.where(alpha > self.alpha_max, self.alpha_max, alpha)
            moved = (1.0 - alpha) * (at + self.eta * near) + alpha * (x + self.eta * far)
            return balls.move(moved, ops.zeros_like(x), low, high)

        # that of l1 sorts, which XLA is slow at
        go = go if norm == "l1" else backend.fused(go)
        return go(state["x"], state["at"], w, gap)

    def _anywhere(self, state):
        """x at the first start towards a class, else a random point nearer than the best."""
        x, norm, run = state["x"], self.threat.norm, state["run"]
        low, high = self.threat.low, self.threat.high
        reach = ops.minimum(state["distance"], REACH[norm] * (high - low))
        delta = balls.sphere(state["seeds"], tuple(x.shape[1:]), norm, run)
        first = balls.per_example(run % self.restarts == 0, x)
        delta = ops.where(first, 0.0, balls.per_example(0.5 * reach, x) * delta)
        return balls.move(x, delta, low, high)
