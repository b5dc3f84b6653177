"""DeepFool: repeated steps to the nearest boundary of the linearised classifier.

Source: Moosavi-Dezfooli et al. 2016, arXiv:1511.04599, algorithm 2 (l2) and eq. 10-11 with
p = infinity (linf); the overshoot on the whole perturbation at every step, as in the authors'
code; CSDS440 sec. 2.5, figure 2.
Deviations: the class to leave is y, where the paper has the predicted class (they differ only
for examples that are a success as they stand, which come back as they are). Each iterate is
clipped to the box. Steps are longer by a `nudge`, which is the authors' 1e-4 for images whose
largest value is 1 and above what float32 rounds away for all others. An example that `steps` steps
did not take across, as happens where the box cuts most of each step off, begins again at x and
takes as many in the box: these leave out the values at its edge that they would push out, and so
lead to the linearised boundary instead of being cut short of it. An example that never got across
comes back as it was.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, losses
from robustnets.attacks.base import State, carry_out, check, check_step, loop
from robustnets.core.threat import ThreatModel

NUDGE = 1e-4  # see `nudge`
EPSILON = 2.0**-23  # the gap between 1 and the next float32


@dataclass(frozen=True, slots=True)
class DeepFool:
    """Steps to the nearest linearised boundary until the prediction is not y.

    Args:
        threat: norm "l2" or "linf"; eps only cuts the result short.
        steps: how many of the paper's at most, and of those in the box that follow.
        candidates: only so many classes, the most likely ones at the start, or None for all.
            Each costs one backward pass a step.
        overshoot: the perturbation is longer by this share, >= 0.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> DeepFool(ThreatModel("l2", 1.0), candidates=3).chunk
        1
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2")
    minimal: ClassVar[bool] = True
    targeted: ClassVar[bool] = False

    threat: ThreatModel
    steps: int = 50
    candidates: int | None = None
    overshoot: float = 0.02

    def __post_init__(self) -> None:
        check(self)
        check_step(None, self.steps)
        check_candidates(self.candidates)
        if not (math.isfinite(self.overshoot) and self.overshoot >= 0):
            raise ValueError(f"overshoot must be finite and >= 0, got {self.overshoot}")

    @property
    def early(self) -> bool:
        """Each example stops once it is across."""
        return True

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done: a step is one pass for each class."""
        return 1

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at x, one forward pass spent on who is across and on the choice of classes."""
        del seeds, eps  # exact, nothing is drawn
        return begin(logits, x, y, self.candidates) | {"total": ops.zeros_like(x)}

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that are across, have nowhere to go, or took all steps."""
        return is_done(state, self.steps)

    def result(self, state: State) -> State:
        """The iterates that are across, else x."""
        return outcome(state)

    def _step(self, logits, state):
        threat = self.threat
        look = to_boundary(logits, state, threat, self.steps)
        taken = look.state["taken"]
        total = state["total"] + look.step
        ahead = balls.move(state["x"], (1.0 + self.overshoot) * total, threat.low, threat.high)
        # in the box what was cut off does not count, or it would have to be undone first
        inside = balls.move(state["x"], total, threat.low, threat.high) - state["x"]
        total = backend.choose_rows(taken > self.steps, inside, total)
        total = backend.choose_rows(taken == self.steps, ops.zeros_like(total), total)
        new = look.state | {"total": backend.choose_rows(look.moves, total, state["total"])}
        return arrive(logits, new, ahead, look.moves, self.steps)


class Look(NamedTuple):
    """What an iterate's neighbourhood looks like.

    `step` (N, ...) leads to the nearest linearised boundary, for the rows `moves` (N,);
    `state` is the state with its flags and counts brought up to date.
    """

    step: Any
    moves: Any
    state: State


def check_candidates(candidates: int | None) -> None:
    """What specs check of `candidates`.

    Raises:
        ValueError: unless None or an int >= 1.
    """
    if candidates is None:
        return
    if isinstance(candidates, bool) or not isinstance(candidates, int) or candidates < 1:
        raise ValueError(f"candidates must be an int >= 1 or None, got {candidates!r}")


def begin(logits: Any, x: Any, y: Any, candidates: int | None) -> State:
    """The state of an attack of this family: all at x.

    Args:
        logits: float32 (N, H, W, C) -> float32 (N, K).
        x: float32 (N, H, W, C).
        y: int32 (N,), the classes to leave.
        candidates: how many other classes to consider, None for all.
    """
    z = logits(x)
    count = z.shape[-1] - 1
    count = count if candidates is None else min(candidates, count)
    others = ops.where(ops.one_hot(y, z.shape[-1], dtype="bool"), -float("inf"), z)
    none = ops.zeros_like(y)
    return {
        "x": x,
        "at": x,
        "y": y,
        "classes": ops.cast(ops.top_k(others, count)[1], "int32"),
        "hit": losses.is_hit(z, y, False),
        "stuck": ops.zeros_like(y, dtype="bool"),
        "broken": ops.logical_not(ops.all(ops.isfinite(z), axis=-1)),
        "taken": none,  # steps
        "forward": none + 1,
        "backward": none,
    }


def is_done(state: State, steps: int) -> Any:
    """bool (N,): across, stuck, or all steps taken, the paper's and those in the box."""
    ended = ops.logical_or(state["hit"], ops.logical_or(state["stuck"], state["broken"]))
    return ops.logical_or(ended, state["taken"] >= 2 * steps)


def outcome(state: State) -> State:
    """The iterates that are across, else x; NaN where numbers were not finite."""
    x = backend.choose_rows(state["hit"], state["at"], state["x"])
    return {
        "x": ops.where(balls.per_example(state["broken"], x), float("nan"), x),
        "forward": state["forward"],
        "backward": state["backward"],
    }


def to_boundary(logits: Any, state: State, threat: ThreatModel, steps: int) -> Look:
    """Look from the iterates that are not across for the nearest boundary.

    A step ends with a forward pass that says who is across (`arrive`). It begins with another one
    at the same point, so that those who are across can have left: they would be carried through
    a backward pass for each class otherwise.

    Args:
        logits: float32 (N, H, W, C) -> float32 (N, K).
        state: as `begin` makes it.
        threat: whose norm and box are used.
        steps: how many at most, the paper's and then those in the box. Rows that are done do not
            change.
    """
    at, y = state["at"], state["y"]
    going = ops.logical_not(is_done(state, steps))
    boxed = state["taken"] >= steps
    z, pull = backend.pullback(logits, at)
    count, kinds = state["classes"].shape[1], z.shape[-1]
    own = ops.one_hot(y, kinds, dtype=z.dtype)

    # some twenty-five operations on every value, which as a graph cost a fifth of a backward pass
    @backend.fused
    def weigh(slope, gap, error, at, boxed, nearest, step, whole):
        whole = ops.logical_and(whole, ops.all(ops.isfinite(slope), axis=axes(at)))
        inward = balls.inward(slope, at, threat.low, threat.high)
        slope = ops.where(balls.per_example(boxed, at), inward, slope)
        steep = dual(slope, threat.norm)
        distance = ops.abs(gap) / steep
        # 0/0 is NaN and compares as false
        nearer = distance < nearest
        ahead = distance + ops.maximum(error / steep, nudge(at, threat))
        ahead = balls.per_example(ahead, at) * balls.steepest(slope, threat.norm)
        step = backend.choose_rows(nearer, ahead, step)
        return ops.where(nearer, distance, nearest), step, whole

    def consider(j, nearest, step, whole):
        way = ops.one_hot(ops.take(state["classes"], j, axis=1), kinds, dtype=z.dtype) - own
        gap = ops.sum(way * z, axis=-1)
        error = EPSILON * ops.sum(ops.abs(way * z), axis=-1)  # of the two logits
        return j + 1, *weigh(pull(way), gap, error, at, boxed, nearest, step, whole)

    _, nearest, step, whole = ops.while_loop(
        lambda j, *_: ops.logical_and(j < count, ops.any(going)),
        consider,
        (
            ops.convert_to_tensor(0, "int32"),
            ops.full_like(z[:, 0], float("inf")),
            ops.zeros_like(at),
            ops.ones_like(going),
        ),
    )
    broken = ops.logical_and(going, ops.logical_not(whole))
    stuck = ops.logical_and(going, nearest == float("inf"))
    passes = ops.cast(going, "int32")
    new = {
        **state,
        "stuck": ops.logical_or(state["stuck"], stuck),
        "broken": ops.logical_or(state["broken"], broken),
        "taken": state["taken"] + passes,
        "forward": state["forward"] + passes,
        "backward": state["backward"] + count * passes,
    }
    moves = ops.logical_and(going, ops.logical_not(ops.logical_or(stuck, broken)))
    return Look(step, moves, new)


def arrive(logits: Any, state: State, ahead: Any, moves: Any, steps: int) -> State:
    """Go on to the next iterates and see who is across.

    Those that are not after `steps` steps are back at x.

    Args:
        logits: float32 (N, H, W, C) -> float32 (N, K).
        state: that of a `Look`.
        ahead: float32 (N, H, W, C), the next iterates.
        moves: bool (N,), which rows go there.
        steps: how many before they begin again.
    """
    at = backend.choose_rows(moves, ahead, state["at"])
    z = logits(at)
    hit = ops.logical_and(moves, losses.is_hit(z, state["y"], False))
    broken = ops.logical_and(moves, ops.logical_not(ops.all(ops.isfinite(z), axis=-1)))
    again = ops.logical_and(state["taken"] == steps, ops.logical_not(hit))
    again = ops.logical_and(again, moves)
    return state | {
        "at": backend.choose_rows(again, state["x"], at),
        "hit": ops.logical_or(state["hit"], hit),
        "broken": ops.logical_or(state["broken"], broken),
        "forward": state["forward"] + ops.cast(moves, "int32"),
    }


def nudge(at: Any, threat: ThreatModel) -> Any:
    """By how much steps are longer, because a boundary itself is not across.

    The authors' 1e-4 for values of up to 1, in the units of the image: `NUDGE` times its largest
    value, or times the width of the box if that is less. At least eight times what float32 can
    round away: a value v by `EPSILON` |v| / 2, and so <w, x> by that times the sum of |w|, which is
    the dual norm of w (linf) or up to sqrt(D) of it (l2).

    Args:
        at: float32 (N, ...), with D values an example.
        threat: whose norm and box are used.

    Returns:
        float32 (N,), in input units.
    """
    width = threat.high - threat.low
    largest = ops.maximum(ops.max(ops.abs(at), axis=axes(at)), NUDGE * width)  # never zero
    spread = math.sqrt(math.prod(at.shape[1:])) if threat.norm == "l2" else 1.0
    return ops.maximum(NUDGE * ops.minimum(largest, width), 4.0 * EPSILON * spread * largest)


def dual(slope: Any, norm: str) -> Any:
    """The dual norm of each row: how much a linear function grows over a step of length 1."""
    if norm == "linf":
        return ops.sum(ops.abs(slope), axis=axes(slope))
    peak = ops.max(ops.abs(slope), axis=axes(slope))
    if norm == "l1":
        return peak
    return peak * ops.sqrt(ops.sum(ops.square(balls.peak_to_one(slope)), axis=axes(slope)))


def axes(value: Any) -> tuple[int, ...]:
    """All axes but the first."""
    return tuple(range(1, len(value.shape)))
