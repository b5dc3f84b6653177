"""L-BFGS: distance plus c times a loss, minimised inside the box, and a search for c.

Source: Szegedy et al. 2014, arXiv:1312.6199, sec. 4.1; CSCE496 sec. 5.1.3. The minimiser is
the two-loop recursion of Nocedal & Wright 2006, algorithm 7.4, on the values that the box
leaves free, with a backtracking search along the projected path (Bertsekas 1982).
Deviations: c multiplies the loss and not the distance, as in CSCE496, and the distance is
squared, which is smooth at x. Instead of the largest weight of the distance that still ends in
a success, the smallest c: times ten until one does, then halved in its logarithm. Untargeted
(the source is targeted only), the loss is softplus(z_y - z_k) for the strongest other class k:
the cross entropy of k against y alone. Every point at which the model was
asked can be the result, not only the ends of the minimisations. Each example has its own c,
its own search along its path and its own end: a step is one evaluation for each.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, losses
from robustnets.attacks.base import (
    State,
    carry_out,
    check,
    check_count,
    check_step,
    keep,
    loop,
)
from robustnets.attacks.carlini_wagner import (
    begin_search,
    check_search,
    nearest_success,
    next_round,
    see,
)
from robustnets.core.threat import ThreatModel

ARMIJO = 1e-4  # the share of the expected decrease that is enough
FLAT = 1e-6  # a relative decrease that ends a round, and a gradient that does, per value
TRIES = 15  # shorter and shorter steps in one search
CURVED = 1e-5  # least cosine between a step and the change of the gradient that is remembered


@dataclass(frozen=True, slots=True)
class LBFGS:
    """Least ||delta||^2 + c loss in the box, for the smallest c that ends in a success.

    Distances and c are measured in a box of width 1, so that settings fit any box.

    Args:
        threat: norm "l2"; eps only cuts the result short.
        steps: evaluations of the model in each round, at most.
        rounds: values of c tried.
        first: the first c.
        history: pairs of steps and gradient changes that are remembered.
        targeted: reach given classes instead of leaving the label.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> LBFGS(ThreatModel("l2", 1.0), steps=20, targeted=True).chunk
        10
    """

    norms: ClassVar[tuple[str, ...]] = ("l2",)
    minimal: ClassVar[bool] = True
    # a last bit decides when a search ends, and so which c succeeds
    sensitive: ClassVar[bool] = True

    threat: ThreatModel
    steps: int = 50
    rounds: int = 10
    first: float = 0.1
    history: int = 10
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)
        check_step(None, self.steps)
        check_search(self.rounds, self.first)
        check_count("history", self.history)

    @property
    def early(self) -> bool:
        """Rounds end sooner for some."""
        return True

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done."""
        return min(10, self.steps * self.rounds)

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at x, before the first evaluation of the first round."""
        del logits, seeds, eps  # exact, nothing is drawn
        flat = self._to_unit(x)
        number = ops.zeros_like(ops.cast(y, "float32"))
        pairs = ops.zeros_like(ops.repeat(flat[:, None], self.history, axis=1))
        no = ops.zeros_like(y, dtype="bool")
        none = ops.zeros_like(flat)
        return {
            "y": y,
            "at": flat,
            "value": number,
            "slope": none,
            "way": none,
            "length": number + 1.0,
            "moves": pairs,
            "bends": pairs,
            "curvature": pairs[:, :, 0],
            "scale": number + 1.0,
            "hit": no,
            "fresh": ops.logical_not(no),
            "step": ops.zeros_like(y),
            "tries": ops.zeros_like(y),
            "backward": ops.zeros_like(y),
        } | begin_search(x, y, self.first)

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` evaluations for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that are through with all rounds."""
        return ops.logical_or(state["broken"], state["round"] >= self.rounds)

    def result(self, state: State) -> State:
        """The nearest success so far, else x; as many forward as backward passes."""
        passes = {"forward": state["backward"], "backward": state["backward"]}
        return {"x": nearest_success(state)} | passes

    def _to_unit(self, x):
        flat = ops.reshape(x, (-1, math.prod(x.shape[1:])))
        return (flat - self.threat.low) / (self.threat.high - self.threat.low)

    def _from_unit(self, flat, like):
        low, high = self.threat.low, self.threat.high
        image = ops.reshape(low + (high - low) * flat, (-1, *like.shape[1:]))
        return balls.move(image, ops.zeros_like(image), low, high)

    def _step(self, logits, state):
        y = state["y"]

        def loss(image):
            z = logits(image)
            return _loss(z, y, self.targeted), losses.is_hit(z, y, self.targeted)

        # some hundred operations on every value, which as a graph cost as much as small passes do
        ahead, image = backend.fused(self._ahead)(state)
        (value, hit), gradient = backend.value_and_grad(loss, aux=True)(image)
        return backend.fused(self._judge)(state, ahead, image, value, hit, gradient)

    def _ahead(self, state):
        """Where to ask: (N, D) in the unit box, and the image."""
        way = state["length"][:, None] * state["way"]
        ahead = ops.clip(state["at"] + way, 0.0, 1.0)
        return ahead, self._from_unit(ahead, state["x"])

    def _judge(self, state, ahead, image, loss, hit, gradient):
        """The state after asking at `ahead`, which gave the other arguments.

        The squared distance is added here, and its gradient, which needs no pass.
        """
        fresh, at, c = state["fresh"], state["at"], state["c"]
        moved = ahead - self._to_unit(state["x"])
        far = ops.sum(ops.square(moved), axis=1)
        value = far + c * loss
        width = self.threat.high - self.threat.low
        slope = 2.0 * moved + c[:, None] * (width * balls.lay_flat(gradient))
        new = see(state, image, far, hit, value, slope)

        # is it low enough, or is a shorter step needed?
        gain = state["value"] - value
        expected = ops.minimum(_dot(state["slope"], ahead - at), 0.0)
        taken = ops.logical_or(fresh, gain >= -ARMIJO * expected)
        shorter = -0.5 * expected / ops.maximum(-gain - expected, 1e-30)
        shorter = state["length"] * ops.clip(shorter, 0.1, 0.5)

        # remember the step
        move, bend = ahead - at, slope - state["slope"]
        bent, moved2, bent2 = _dot(move, bend), _dot(move, move), _dot(bend, bend)
        curved = bent > CURVED * ops.sqrt(moved2) * ops.sqrt(bent2)
        curved = ops.logical_and(ops.logical_and(taken, ops.logical_not(fresh)), curved)
        moves = _push(state["moves"], move, curved)
        bends = _push(state["bends"], bend, curved)
        inverse = 1.0 / ops.where(curved, bent, 1.0)
        curvature = _push(state["curvature"], inverse, curved)
        scale = ops.where(curved, bent / ops.where(curved, bent2, 1.0), state["scale"])

        # where to go from there
        at = ops.where(taken[:, None], ahead, at)
        slope = ops.where(taken[:, None], slope, state["slope"])
        free = ops.logical_not(
            ops.logical_or(
                ops.logical_and(at <= 0.0, slope > 0), ops.logical_and(at >= 1.0, slope < 0)
            )
        )
        steep = ops.where(free, slope, 0.0)
        way = ops.where(free, _recursion(steep, moves, bends, curvature, scale), 0.0)
        known = ops.logical_and(curvature[:, -1] > 0, _dot(way, steep) < 0)
        way = ops.where(known[:, None], way, -steep)
        first = 1.0 / ops.maximum(ops.sqrt(_dot(steep, steep)), 1.0)
        tries = ops.where(taken, 0, state["tries"] + 1)

        step = state["step"] + 1
        small = FLAT * ops.maximum(ops.abs(value), ops.abs(state["value"]))
        idle = ops.logical_and(ops.logical_and(taken, ops.logical_not(fresh)), gain <= small)
        idle = ops.logical_or(idle, ops.max(ops.abs(steep), axis=1) <= FLAT)
        ends = ops.logical_or(idle, ops.logical_or(step >= self.steps, tries >= TRIES))
        hit = ops.where(taken, hit, state["hit"])

        wipe = ends[:, None]
        new |= {
            "at": ops.where(wipe, self._to_unit(state["x"]), at),
            "value": ops.where(taken, value, state["value"]),
            "slope": slope,
            "way": ops.where(wipe, 0.0, ops.where(taken[:, None], way, state["way"])),
            "length": ops.where(taken, ops.where(known, 1.0, first), shorter),
            "moves": moves,
            "bends": bends,
            "curvature": ops.where(wipe, 0.0, curvature),
            "scale": scale,
            "hit": hit,
            "fresh": ends,
            "step": ops.where(ends, 0, step),
            "tries": ops.where(ends, 0, tries),
            "backward": state["backward"] + 1,
        }
        new = next_round(new, ends, hit, even=True)
        return keep(self.done(state), state, new)


def _loss(z, y, targeted):
    """-log p_y if targeted, else the same of the strongest other class against y alone; (N,)."""
    return losses.cross_entropy(z, y) if targeted else ops.softplus(-losses.margin(z, y))


def _dot(a, b):
    return ops.sum(a * b, axis=-1)


def _push(rows, newest, where):
    """Drop the oldest of rows (N, m, ...) for newest (N, ...), where bool (N,)."""
    pushed = ops.concatenate([rows[:, 1:], newest[:, None]], axis=1)
    return backend.choose_rows(where, pushed, rows)


def _recursion(slope, moves, bends, curvature, scale):
    """Minus the inverse Hessian times the slope; pairs that are not there have curvature 0."""
    # in loops over the pairs, whose number is static and small
    count = moves.shape[1]
    weights = []
    way = -slope
    for i in reversed(range(count)):
        weight = (curvature[:, i] * _dot(moves[:, i], way))[:, None]
        way = way - weight * bends[:, i]
        weights.append(weight)
    way = scale[:, None] * way
    for i, weight in zip(range(count), reversed(weights)):
        back = (curvature[:, i] * _dot(bends[:, i], way))[:, None]
        way = way + (weight - back) * moves[:, i]
    return way
