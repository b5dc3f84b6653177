"""HopSkipJump: walk along the decision boundary, knowing nothing but predicted classes.

Source: Chen, Jordan & Wainwright 2020, arXiv:1904.02144, algorithms 1 (bisection) and 2, sec.
III-IV; CSDS440 sec. 2.1.3, through ART.
Deviations:
- the bisection stops at a fraction 0.01 / sqrt(d) (l2) or 0.01 / d (linf) of the distance and
  the draws lie 0.01 distances away, as in ART, where the paper has d^-1.5, d^-2 and 1 / d,
  which float32 does not resolve for large d;
- the last step is followed by a bisection, and the nearest success seen is the result, where
  ART returns the last step;
- a step that is halved as often as the bisection halves without a success is not taken, where
  the paper (and ART) would go on for ever;
- fresh draws come in blocks, so that the estimate of many images is one batch.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, queries
from robustnets.attacks.base import Logits, State, carry_out, check, keep, loop
from robustnets.attacks.starts import Starts, check_starts, search
from robustnets.core.threat import ThreatModel

ESTIMATE = 0  # stream of random numbers
BLEND = 10  # halvings of the blend of an image with its start, before linf begins


@dataclass(frozen=True, slots=True)
class HopSkipJump:
    """The smallest perturbation that the label alone leads to.

    An example begins at a start: an image that is a success already. These are taken, in
    random order, from `starts` where it has some (targeted: those of class y; untargeted:
    those of other classes), then uniform draws from the box, `init_size` attempts in all. One
    that finds no start comes back unchanged. A network seldom gives uniform draws more than
    one or two classes, so a targeted attack needs `starts`.

    The settings of CSDS440, whose names are ART's: "fast" `max_iter=8, max_eval=100,
    init_eval=10` and `max_iter=32, max_eval=100, init_eval=10`, "close to the authors'"
    `max_iter=64, max_eval=1000, init_eval=100`.

    Args:
        threat: norm "l2" or "linf", whose distance is made small; eps only cuts the result.
        max_iter: steps along the boundary.
        max_eval: most draws for one estimate of the gradient.
        init_eval: draws for the first estimate; the t-th takes init_eval * sqrt(t).
        init_size: attempts to find a start.
        budget: most queries per example, kept to exactly; None: no limit.
        block: draws of one example asked at once. Results depend on it through the random
            numbers only; smaller blocks take less memory.
        targeted: reach the class y instead of leaving it.
        starts: images to begin at, or None.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> HopSkipJump(ThreatModel("l2", 3.0), max_iter=8, max_eval=100, init_eval=10).chunk
        1
    """

    norms: ClassVar[tuple[str, ...]] = ("l2", "linf")
    minimal: ClassVar[bool] = True

    threat: ThreatModel
    max_iter: int = 64
    max_eval: int = 1000
    init_eval: int = 100
    init_size: int = 100
    budget: int | None = None
    block: int = 10
    targeted: bool = False
    starts: Starts | None = None

    def __post_init__(self) -> None:
        check(self)
        queries.check_counts(self, "max_iter", "init_eval", "init_size", "block")
        queries.check_counts(self, "max_eval", least=self.init_eval)
        queries.check_budget(self)
        check_starts(self)

    @property
    def early(self) -> bool:
        """Some find no start, or spend their budget sooner."""
        return True

    @property
    def chunk(self) -> int:
        """One step along the boundary is work enough."""
        return 1

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """At the boundary, between x and the first start found."""
        del eps  # the smallest distance is looked for
        none = ops.zeros_like(y)
        no = ops.zeros_like(y, dtype="bool")
        distance = ops.zeros_like(x[:, 0, 0, 0])
        state = {
            "x": x,
            "y": y,
            "seeds": seeds,
            "at": x,
            "best": x,
            "distance": distance + float("inf"),
            "found": no,
            "broken": no,
            "step": none,
            "tries": none,
            "forward": none,
            "backward": none,
        }
        hit, state = queries.ask_one(self, logits, state, x, none == 0)
        # a success as it stands has nothing to look for
        state["distance"] = ops.where(hit, 0.0, state["distance"])
        state = search(self, logits, state, self.done)
        if self.threat.norm == "linf":
            state = self._bisect(logits, state, state["found"], "l2", BLEND)
        state = self._bisect(logits, state, state["found"], self.threat.norm, self._halvings(x))
        return self._remember(state)

    def advance(self, logits: Logits, state: State, steps: int) -> State:
        """`steps` steps along the boundary for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those without a start, at the end of their steps, or of their budget."""
        over = ops.logical_or(state["step"] >= self.max_iter, queries.left(state, self.budget) <= 0)
        sought = ops.logical_or(state["found"], state["tries"] < self.init_size)
        over = ops.logical_or(over, ops.logical_not(sought))
        return ops.logical_or(over, ops.logical_or(state["broken"], state["distance"] == 0))

    def result(self, state: State) -> State:
        """The nearest success seen, or x where there was none."""
        broken = balls.per_example(state["broken"], state["x"])
        return {
            "x": ops.where(broken, float("nan"), state["best"]),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _halvings(self, x):
        """How often 1 is halved until the bisection's fraction is reached."""
        size = math.prod(x.shape[1:])
        return math.ceil(math.log2(100 * (size if self.threat.norm == "linf" else size**0.5)))

    def _bisect(self, logits, state, active, norm, halvings):
        """Move "at" towards x as long as it stays a success (algorithm 1)."""
        x, far = state["x"], state["at"]

        @backend.fused
        def between(x, far, fraction):
            return self._between(x, far, fraction, norm)

        def step(i, low, high, s):
            middle = (low + high) / 2
            asking = ops.logical_and(active, ops.logical_not(s["broken"]))
            hit, s = queries.ask_one(self, logits, s, between(x, far, middle), asking)
            return i + 1, ops.where(hit, low, middle), ops.where(hit, middle, high), s

        def going(i, low, high, s):
            some = ops.any(ops.logical_and(active, queries.left(s, self.budget) > 0))
            return ops.logical_and(i < halvings, some)

        zero = ops.zeros_like(state["distance"])
        carry = (ops.convert_to_tensor(0, "int32"), zero, zero + 1.0, state)
        _, _, high, state = ops.while_loop(going, step, carry)
        # bit for bit the nearest point that was a success
        at = ops.where(balls.per_example(high < 1, x), between(x, far, high), far)
        return {**state, "at": at}

    def _between(self, x, far, fraction, norm):
        """The point at this fraction of the way: on the line, or `far` cut to a smaller cube."""
        if norm == "l2":
            ahead = balls.per_example(fraction, x) * (far - x)
        else:
            away = _length(far - x, "linf")
            ahead = balls.project(far - x, "linf", fraction * away)
        return balls.move(x, ahead, self.threat.low, self.threat.high)

    def _remember(self, state):
        """Keep "at" if it is the nearest success so far."""
        x, at, norm = state["x"], state["at"], self.threat.norm
        now = backend.fused(lambda x, at: _length(at - x, norm))(x, at)
        nearer = ops.logical_and(state["found"], now < state["distance"])
        return {
            **state,
            "best": backend.choose_rows(nearer, at, state["best"]),
            "distance": ops.where(nearer, now, state["distance"]),
        }

    def _step(self, logits, state):
        """Estimate the direction, step as far as it leads to a success, bisect (algorithm 2)."""
        going = ops.logical_not(self.done(state))
        x, at, norm = state["x"], state["at"], self.threat.norm
        away = backend.fused(lambda x, at: _length(at - x, norm))(x, at)
        gradient, new = self._estimate(logits, state, going, away)
        direction = backend.fused(lambda g: balls.steepest(g, norm))(gradient)
        first = away / ops.sqrt(ops.cast(state["step"] + 1, "float32"))

        @backend.fused
        def ahead(at, direction, size):
            return balls.move(
                at, balls.per_example(size, at) * direction, self.threat.low, self.threat.high
            )

        def attempt(i, size, open, s):
            point = ahead(at, direction, size)
            hit, s = queries.ask_one(self, logits, s, point, open)
            s["at"] = backend.choose_rows(hit, point, s["at"])
            open = ops.logical_and(open, ops.logical_not(ops.logical_or(hit, s["broken"])))
            open = ops.logical_and(open, queries.left(s, self.budget) > 0)
            return i + 1, size / 2, open, s

        open = ops.logical_and(going, queries.left(new, self.budget) > 0)
        halvings = self._halvings(x)
        *_, open, new = ops.while_loop(
            lambda i, size, open, s: ops.logical_and(i < halvings, ops.any(open)),
            attempt,
            (ops.convert_to_tensor(0, "int32"), first, open, new),
        )
        # where no step was a success, "at" is on the boundary as it was
        moved = ops.logical_and(going, ops.logical_not(open))
        new = self._remember(self._bisect(logits, new, moved, norm, halvings))
        return keep(ops.logical_not(going), state, {**new, "step": state["step"] + 1})

    def _estimate(self, logits, state, going, away):
        """Which way successes lie (eq. 6 with the baseline of sec. III-C), float32 (N, ...)."""
        x, at, block = state["x"], state["at"], self.block
        low, high, shape = self.threat.low, self.threat.high, tuple(x.shape[1:])
        step = state["step"]
        radius = ops.where(step == 0, 0.1 * (high - low), 0.01 * away)
        many = ops.sqrt(ops.cast(step + 1, "float32")) * self.init_eval
        many = ops.minimum(ops.cast(many + 1e-4, "int32"), self.max_eval)
        many = ops.where(going, ops.minimum(many, queries.left(state, self.budget)), 0)
        blocks = -(-self.max_eval // block)  # so that no two draws have the same number

        @backend.fused
        def around(at, radius, u):
            """The points to ask about, and their directions as far as the box lets them go."""
            axes = tuple(range(2, len(u.shape)))
            u = u / ops.sqrt(ops.sum(ops.square(u), axis=axes, keepdims=True))
            u = u * balls.per_example(radius, u)
            points = balls.move(at[:, None] + ops.zeros_like(u), u, low, high)
            return points, (points - at[:, None]) / balls.per_example(
                ops.where(radius > 0, radius, 1.0), u
            )

        def ask_block(i, sums, s):
            taken = ops.clip(many - i * block, 0, block)
            u = self._draw(s["seeds"], (block, *shape), step * blocks + i)
            points, u = around(at, radius, u)
            z, s = queries.ask(logits, s, points, taken)
            valid = ops.cast(ops.arange(block)[None] < taken[:, None], "float32")
            sign = valid * ops.where(queries.hits(z, s["y"], self.targeted), 1.0, -1.0)
            flat = ops.reshape(u, (-1, block, math.prod(shape)))
            weights = ops.stack([sign, valid], axis=1)
            both = ops.matmul(weights, flat)
            return i + 1, (sums[0] + ops.sum(sign, axis=1), sums[1] + both), s

        total = ops.zeros_like(away)
        flat = ops.zeros_like(ops.reshape(x, (-1, 1, math.prod(shape))))
        _, (signs, both), state = ops.while_loop(
            lambda i, sums, s: ops.any(i * block < many),
            ask_block,
            (
                ops.convert_to_tensor(0, "int32"),
                (total, ops.concatenate([flat, flat], axis=1)),
                state,
            ),
        )
        mean = signs / ops.cast(ops.maximum(many, 1), "float32")
        # all alike: no baseline, or nothing would be left
        base = ops.where(ops.abs(mean) == 1, 0.0, mean)[:, None]
        return ops.reshape(both[:, 0] - base * both[:, 1], (-1, *shape)), state

    def _draw(self, seeds, shape, number):
        """Directions of any length: even over the sphere, or over a cube for linf (sec. III-C)."""
        if self.threat.norm == "l2":
            return draws.normal(seeds, shape, ESTIMATE, number)
        return 2.0 * draws.uniform(seeds, shape, ESTIMATE, number) - 1.0


def _length(delta, norm):
    """float32 (N,)."""
    axes = tuple(range(1, len(delta.shape)))
    if norm == "linf":
        return ops.max(ops.abs(delta), axis=axes)
    return ops.sqrt(ops.sum(ops.square(delta), axis=axes))
