"""Carlini and Wagner's l2 attack: Adam on distance plus c times a margin, and a search for c.

Source: Carlini & Wagner 2017, arXiv:1608.04644, sec. V (objective f6, change of variables) and
VI-A (l2), with the defaults of the authors' code: binary search over c from 1e-3, times ten
until a first success.
Deviations: fewer steps by default, 1,000 for their 10,000; their start 0.999999 atanh(x) inside
the box is a setting, `inside`. Each example has its own c, its own round and its own end.
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
from robustnets.attacks.deepfool import axes
from robustnets.core.threat import ThreatModel

DECAY = (0.9, 0.999)  # of Adam's two averages
LARGEST = 1e10  # c, when nothing succeeds


@dataclass(frozen=True, slots=True)
class CarliniWagner:
    """Least ||delta||^2 + c max(margin to cross, -confidence), c by binary search.

    Distances and c are measured in a box of width 1, so that settings fit any box.

    Args:
        threat: norm "l2"; eps only cuts the result short.
        steps: of Adam in each round, at most.
        rounds: values of c tried.
        rate: Adam's learning rate, in the space of the arctanh.
        first: the first c.
        confidence: by how much the winning logit must lead, in logits, >= 0.
        abort_early: give up a round once a tenth of its steps brought less than 0.01 %. The
            authors' code does, for a batch as a whole; for one example it is too soon.
        inside: x is moved towards the middle of the box by so little that atanh is finite.
        targeted: reach given classes instead of leaving the label.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> CarliniWagner(ThreatModel("l2", 1.0), steps=100, rounds=5).chunk
        500
    """

    norms: ClassVar[tuple[str, ...]] = ("l2",)
    minimal: ClassVar[bool] = True

    threat: ThreatModel
    steps: int = 1000
    rounds: int = 9
    rate: float = 0.01
    first: float = 1e-3
    confidence: float = 0.0
    abort_early: bool = False
    inside: float = 1e-6
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)
        check_step(None, self.steps)
        check_search(self.rounds, self.first)
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate must be finite and > 0, got {self.rate}")
        if not (math.isfinite(self.confidence) and self.confidence >= 0):
            raise ValueError(f"confidence must be finite and >= 0, got {self.confidence}")
        if not isinstance(self.abort_early, bool):
            raise ValueError(f"abort_early must be a bool, got {self.abort_early!r}")
        if not 1e-7 <= self.inside < 1:
            raise ValueError(f"inside must be >= 1e-7 and < 1, got {self.inside}")

    @property
    def early(self) -> bool:
        """Whether rounds can end sooner for some."""
        return self.abort_early

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done."""
        whole = self.steps * self.rounds
        return min(10, whole) if self.abort_early else whole

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """All at x, before the first step of the first round."""
        del logits, seeds, eps  # exact, nothing is drawn
        none, origin = ops.zeros_like(x), self._to_space(x)
        return {
            "y": y,
            "origin": origin,
            "space": origin,
            "mean": none,
            "square": none,
            "step": ops.zeros_like(y),
            "last": ops.full_like(ops.cast(y, "float32"), float("inf")),
            "backward": ops.zeros_like(y),
        } | begin_search(x, y, self.first)

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        if self.abort_early or steps < self.chunk:
            return loop(
                lambda s: keep(self.done(s), s, self._step(logits, s)), self.done, state, steps
            )

        # all rows are at the same step, so that nobody need be asked, and each value is touched
        # a few times less; what becomes of rows that are broken does not matter
        def whole_round(state):
            within = loop(lambda s: self._move(logits, s)[0], self.done, state, self.steps - 1)
            return self._step(logits, within)

        return loop(whole_round, self.done, state, self.rounds)

    def done(self, state: State) -> Any:
        """Those that are through with all rounds."""
        return ops.logical_or(state["broken"], state["round"] >= self.rounds)

    def result(self, state: State) -> State:
        """The nearest success so far, else x; as many forward as backward passes."""
        passes = {"forward": state["backward"], "backward": state["backward"]}
        return {"x": nearest_success(state)} | passes

    def _to_space(self, x):
        threat = self.threat
        half = (threat.high - threat.low) / 2
        centred = (x - threat.low - half) / half
        return ops.arctanh((1.0 - self.inside) * centred)

    def _from_space(self, space):
        threat = self.threat
        half = (threat.high - threat.low) / 2
        # rounding could leave the box
        ahead = threat.low + half * (ops.tanh(space) + 1.0)
        return balls.move(ahead, ops.zeros_like(ahead), threat.low, threat.high)

    def _move(self, logits, state):
        """(the state after a step that ends no row's round, the objective before it)."""
        y, x = state["y"], state["x"]
        width = self.threat.high - self.threat.low
        sign = 1.0 if self.targeted else -1.0

        def objective(space):
            at = self._from_space(space)
            z = logits(at)
            lead = -sign * losses.margin(z, y)  # above 0 where the attacker has it
            far = ops.sum(ops.square((at - x) / width), axis=axes(x))
            value = far + state["c"] * ops.maximum(self.confidence - lead, 0.0)
            hit = ops.logical_and(losses.is_hit(z, y, self.targeted), lead >= self.confidence)
            # NaN would vanish in the maximum
            return value + 0.0 * lead, (at, far, hit)

        (value, (at, far, hit)), gradient = backend.value_and_grad(objective, aux=True)(
            state["space"]
        )
        new = see(state, at, far, hit, value, gradient)
        count = state["step"] + 1
        exponent = ops.cast(count, "float32")
        mean = DECAY[0] * state["mean"] + (1 - DECAY[0]) * gradient
        square = DECAY[1] * state["square"] + (1 - DECAY[1]) * ops.square(gradient)
        # Adam's corrections, as one factor for each example instead of a division for each value
        first = balls.per_example(self.rate / (1.0 - DECAY[0] ** exponent), x)
        second = balls.per_example(1.0 / (1.0 - DECAY[1] ** exponent), x)
        move = first * mean / (ops.sqrt(second * square) + 1e-8)
        new |= {
            "space": state["space"] - move,
            "mean": mean,
            "square": square,
            "step": count,
            "backward": state["backward"] + 1,
        }
        return new, value

    def _step(self, logits, state):
        new, value = self._move(logits, state)
        last = new["step"] >= self.steps
        if self.abort_early:
            looks = state["step"] % max(self.steps // 10, 1) == 0
            idle = ops.logical_and(looks, value > 0.9999 * state["last"])
            last = ops.logical_or(last, idle)
            new["last"] = ops.where(looks, value, state["last"])
        again = balls.per_example(last, state["x"])
        new |= {
            "space": ops.where(again, state["origin"], new["space"]),
            "mean": ops.where(again, 0.0, new["mean"]),
            "square": ops.where(again, 0.0, new["square"]),
            "step": ops.where(last, 0, new["step"]),
            "last": ops.where(last, float("inf"), new["last"]),
        }
        return next_round(new, last, new["won"])


def check_search(rounds: int, first: float) -> None:
    """What specs check of their search for c.

    Raises:
        ValueError: unless rounds is an int >= 1 and first is in (0, 1e10].
    """
    check_count("rounds", rounds)
    if not 0 < first <= LARGEST:
        raise ValueError(f"first must be > 0 and <= {LARGEST:g}, got {first}")


def begin_search(x: Any, y: Any, first: float) -> State:
    """The part of a state that a search for c needs, before the first round."""
    flat = ops.zeros_like(ops.cast(y, "float32"))
    no = ops.zeros_like(y, dtype="bool")
    return {
        "x": x,
        "best": x,
        "distance": flat + float("inf"),
        "won": no,
        "broken": no,
        "c": flat + first,
        "lower": flat,
        "upper": flat + LARGEST,
        "round": ops.zeros_like(y),
    }


def see(state: State, at: Any, far: Any, hit: Any, value: Any, gradient: Any) -> State:
    """Remember the nearest success, that the round has one, and whether numbers broke.

    Args:
        state: with `begin_search` in it.
        at: float32 (N, ...), where the model was asked.
        far: float32 (N,), what is to be small, in any unit.
        hit: bool (N,), who is a success.
        value: float32 (N,), must be finite.
        gradient: float32 (N, ...), must be finite.
    """
    finite = ops.logical_and(
        ops.isfinite(value), ops.all(ops.isfinite(gradient), axis=axes(gradient))
    )
    hit = ops.logical_and(hit, finite)
    nearer = ops.logical_and(hit, far < state["distance"])
    return state | {
        "best": backend.choose_rows(nearer, at, state["best"]),
        "distance": ops.where(nearer, far, state["distance"]),
        "won": ops.logical_or(state["won"], hit),
        "broken": ops.logical_or(state["broken"], ops.logical_not(finite)),
    }


def next_round(state: State, ends: Any, won: Any, even: bool = False) -> State:
    """Choose the next c for rows whose round `ends`: smaller where it was `won`, else larger.

    Args:
        state: with `begin_search` in it.
        ends: bool (N,).
        won: bool (N,).
        even: halve intervals in the logarithm of c; with no lower end yet, divide by ten.
    """
    c = state["c"]
    upper = ops.where(won, ops.minimum(state["upper"], c), state["upper"])
    lower = ops.where(won, state["lower"], ops.maximum(state["lower"], c))
    middle = (lower + upper) / 2
    if even:
        middle = ops.where(lower > 0, ops.sqrt(lower) * ops.sqrt(upper), upper / 10)
    between = ops.where(upper < LARGEST, middle, ops.minimum(10.0 * c, LARGEST))
    return state | {
        "c": ops.where(ends, between, c),
        "upper": ops.where(ends, upper, state["upper"]),
        "lower": ops.where(ends, lower, state["lower"]),
        "won": ops.logical_and(state["won"], ops.logical_not(ends)),
        "round": state["round"] + ops.cast(ends, "int32"),
    }


def nearest_success(state: State) -> Any:
    """The best so far, x where there is none, NaN where numbers broke; float32 (N, ...)."""
    return ops.where(balls.per_example(state["broken"], state["best"]), float("nan"), state["best"])
