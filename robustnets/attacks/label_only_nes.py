"""NES where only the predicted class is known.

Source: Ilyas et al. 2018, arXiv:1804.08598, sec. 2.3-2.4 and algorithm 1: begin at an image
that is a success, outside of the ball; estimate the gradient of a proxy score, the share of
successes among noisy copies; step along it while the cube around x is made smaller, until its
radius is eps.
Deviations: the score knows one label (k = 1); untargeted besides targeted; the first cube is
the smallest that a bisection leads to, where the paper begins at 0.5; how much the cube is to
shrink is doubled by a success and halved by a failure, and so is the step, which is a share of
the radius.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, queries
from robustnets.attacks.base import Logits, State, carry_out, check, keep, loop
from robustnets.attacks.nes import check_sampling, estimate
from robustnets.attacks.starts import Starts, check_starts, search
from robustnets.core.threat import ThreatModel

NOISE = 1  # stream of random numbers, besides that of `estimate`
HALVINGS = 10  # of the radius of the first cube
MOST, FIRST_STEP = 0.5, 0.2  # largest shares of the radius that one iteration takes off or steps


@dataclass(frozen=True, slots=True)
class LabelOnlyNES:
    """Shrinks a cube around x with a success inside, until it is the ball.

    Where an example begins is told at `HopSkipJump`: images of `starts`, then uniform draws.

    Args:
        threat: norm "linf".
        budget: most queries per example, kept to exactly.
        samples: points of one estimate, even: half as many directions, each both ways.
        copies: noisy copies of each point; an estimate costs samples * copies queries.
        noise: the copies lie within this share of the box, in linf.
        sigma: standard deviation of a sample, as a share of the box.
        init_size: attempts to find a start.
        block: directions of one example asked at once.
        targeted: reach the class y instead of leaving it.
        starts: images to begin at, or None.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> LabelOnlyNES(ThreatModel("linf", 0.1), samples=20, copies=5).early
        True
    """

    norms: ClassVar[tuple[str, ...]] = ("linf",)
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    budget: int = 10000
    samples: int = 20
    copies: int = 10
    noise: float = 0.001
    sigma: float = 0.001
    init_size: int = 100
    block: int = 5
    targeted: bool = False
    starts: Starts | None = None

    def __post_init__(self) -> None:
        check(self)
        check_sampling(self)
        queries.check_counts(self, "copies", "init_size")
        check_starts(self)
        if not (math.isfinite(self.noise) and self.noise > 0):
            raise ValueError(f"noise must be finite and > 0, got {self.noise}")

    @property
    def early(self) -> bool:
        """An example is done once its cube is the ball."""
        return True

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done."""
        return 2

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """At the corner of the smallest cube that cuts the start down and leaves a success."""
        none = ops.zeros_like(y)
        no = ops.zeros_like(y, dtype="bool")
        state = {
            "x": x,
            "y": y,
            "eps": eps,
            "seeds": seeds,
            "at": x,
            "radius": ops.zeros_like(eps) + float("inf"),
            "shrinkage": ops.zeros_like(eps) + MOST,
            "stride": ops.zeros_like(eps) + FIRST_STEP,
            "found": no,
            "broken": no,
            "step": none,
            "tries": none,
            "forward": none,
            "backward": none,
        }
        hit, state = queries.ask_one(self, logits, state, x, none == 0)
        state["radius"] = ops.where(hit, 0.0, state["radius"])
        state = search(self, logits, state, self.done)
        found = state["found"]
        reach = ops.max(ops.abs(state["at"] - x), axis=(1, 2, 3))
        state["radius"] = ops.where(found, reach, state["radius"])

        def halve(i, low, s):
            middle = (low + s["radius"]) / 2
            point = self._within(s, s["at"], middle)
            asking = ops.logical_and(found, queries.left(s, self.budget) > 0)
            hit, s = queries.ask_one(self, logits, s, point, asking)
            s["at"] = backend.choose_rows(hit, point, s["at"])
            low = ops.where(ops.logical_and(asking, ops.logical_not(hit)), middle, low)
            return i + 1, low, {**s, "radius": ops.where(hit, middle, s["radius"])}

        def going(i, low, s):
            some = ops.any(ops.logical_and(found, queries.left(s, self.budget) > 0))
            return ops.logical_and(i < HALVINGS, some)

        carry = (ops.convert_to_tensor(0, "int32"), ops.zeros_like(eps), state)
        return ops.while_loop(going, halve, carry)[2]

    def advance(self, logits: Logits, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those in the ball, without a start, or unable to pay for a step."""
        poor = ops.where(
            state["found"],
            queries.left(state, self.budget) < 2 * self.copies + 2,
            ops.logical_or(state["tries"] >= self.init_size, queries.left(state, self.budget) <= 0),
        )
        over = ops.logical_or(poor, state["broken"])
        return ops.logical_or(over, state["radius"] <= state["eps"])

    def result(self, state: State) -> State:
        """The success where the cube is the ball, else its cut to the ball."""
        at, broken = state["at"], balls.per_example(state["broken"], state["x"])
        inside = ops.logical_and(state["radius"] <= state["eps"], state["found"])
        cut = self._within(state, at, state["eps"])
        return {
            "x": ops.where(broken, float("nan"), backend.choose_rows(inside, at, cut)),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _within(self, state, point, radius):
        delta = balls.project(point - state["x"], "linf", radius)
        return balls.move(state["x"], delta, self.threat.low, self.threat.high)

    def _step(self, logits, state):
        going = ops.logical_not(self.done(state))
        x, at, radius = state["x"], state["at"], state["radius"]
        pairs = (queries.left(state, self.budget) - 2) // (2 * self.copies)
        pairs = ops.where(going, ops.minimum(pairs, self.samples // 2), 0)
        gradient, new = estimate(self, self._score(logits), state, at, pairs)
        stride = balls.per_example(state["stride"] * radius, x)
        ahead = at + stride * balls.steepest(gradient, "linf")
        smaller = ops.maximum(radius * (1 - state["shrinkage"]), state["eps"])
        inner, outer = self._within(new, ahead, smaller), self._within(new, ahead, radius)
        shrunk, new = queries.ask_one(self, logits, new, inner, going)
        second = ops.logical_and(going, ops.logical_not(shrunk))
        moved, new = ops.cond(
            ops.any(second),
            lambda: queries.ask_one(self, logits, new, outer, second),
            lambda: (second, new),
        )
        stays = backend.choose_rows(moved, outer, at)
        either = ops.logical_or(shrunk, moved)
        return keep(
            ops.logical_not(going),
            state,
            {
                **new,
                "at": backend.choose_rows(shrunk, inner, stays),
                "radius": ops.where(shrunk, smaller, radius),
                "shrinkage": _adapt(state["shrinkage"], shrunk, MOST),
                "stride": _adapt(state["stride"], either, FIRST_STEP),
                "step": state["step"] + 1,
            },
        )

    def _score(self, logits):
        """The share of successes among noisy copies (sec. 2.4)."""
        reach = self.noise * (self.threat.high - self.threat.low)

        def score(s, points, counts, number):
            many, shape = points.shape[1], tuple(points.shape[2:])
            noise = draws.uniform(s["seeds"], (many, self.copies, *shape), NOISE, number)
            near = points[:, :, None] + reach * (2.0 * noise - 1.0)
            near = ops.reshape(near, (-1, many * self.copies, *shape))
            z, s = queries.ask(logits, s, near, self.copies * counts)
            hit = ops.cast(queries.hits(z, s["y"], self.targeted), "float32")
            return ops.mean(ops.reshape(hit, (-1, many, self.copies)), axis=2), s

        return score


def _adapt(share, success, most):
    """Twice as much after a success, half after a failure."""
    return ops.where(success, ops.minimum(2 * share, most), share / 2)
