"""Random noise: what an attack must beat to deserve the name.

Source: the random signs of size eps are those of Lacok 2016, table 1 ("random noise"); scaled
Gaussian and uniform noise and salt and pepper are as in Foolbox (Rauber et al. 2017,
arXiv:1707.04131). Deviations: best of several draws for each example.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, losses
from robustnets.attacks.base import State, carry_out, check, check_count, loop
from robustnets.core.threat import ThreatModel

KINDS = {  # kind of noise: the norms that it is made for
    "uniform": ("linf", "l2"),
    "sign": ("linf",),
    "gaussian": ("l2",),
    "salt_and_pepper": ("l0",),
}


@dataclass(frozen=True, slots=True)
class Noise:
    """The worst of some random perturbations.

    Args:
        threat: norm "linf", "l2" or "l0", whose eps is then the number of values changed.
        kind: "uniform": each value alike in [-eps, eps] (linf), or such a direction at
            length eps (l2); "sign": each value -eps or eps (linf); "gaussian": a normal
            direction at length eps (l2), which is noise of standard deviation eps / sqrt(d);
            "salt_and_pepper": as many values as eps says go to one or the other end of the
            box (l0). None: the first of these that the norm has.
        draws: perturbations tried for each example, until one succeeds.
        targeted: y are classes to reach.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> Noise(ThreatModel("linf", 0.25), kind="sign").draws
        1
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2", "l0")
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    kind: str | None = None
    draws: int = 1
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)
        if self.kind is not None and self.threat.norm not in KINDS.get(self.kind, ()):
            able = [kind for kind, norms in KINDS.items() if self.threat.norm in norms]
            raise ValueError(
                f"kind must be one of {', '.join(able)} in {self.threat.norm}, got {self.kind!r}"
            )
        check_count("draws", self.draws)

    @property
    def early(self) -> bool:
        """Whether some examples can be done before others."""
        return self.draws > 1

    @property
    def chunk(self) -> int:
        """Draws between two looks at who is done."""
        return min(8, self.draws)

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """Nothing drawn yet."""
        del logits
        return {
            "x": x,
            "y": y,
            "eps": eps,
            "seeds": seeds,
            "best": x,
            "value": ops.full_like(eps, -math.inf),  # of the best; NaN: the model is broken
            "hit": ops.zeros_like(y, dtype="bool"),
            "drawn": ops.zeros_like(y),
        }

    def advance(self, logits: Any, state: State, steps: int) -> State:
        """`steps` more draws for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those with a success, or with all draws made."""
        over = ops.logical_or(state["drawn"] >= self.draws, ops.isnan(state["value"]))
        return ops.logical_or(over, state["hit"])

    def result(self, state: State) -> State:
        """The worst draw so far."""
        broken = balls.per_example(ops.isnan(state["value"]), state["x"])
        return {
            "x": ops.where(broken, math.nan, state["best"]),
            "forward": state["drawn"],
            "backward": ops.zeros_like(state["drawn"]),
        }

    def _step(self, logits, state):
        going = ops.logical_not(self.done(state))
        drawn = self._draw(state)
        value, hit = losses.standing(logits, drawn, state["y"], self.targeted)
        broken = ops.logical_not(ops.isfinite(value))
        worse = ops.logical_or(ops.logical_or(hit, broken), value > state["value"])
        worse = ops.logical_and(going, worse)
        return {
            **state,
            "best": backend.choose_rows(worse, drawn, state["best"]),
            "value": ops.where(worse, ops.where(broken, math.nan, value), state["value"]),
            "hit": ops.where(worse, hit, state["hit"]),
            "drawn": state["drawn"] + ops.cast(going, "int32"),
        }

    def _draw(self, state):
        x, seeds, step, norm = state["x"], state["seeds"], state["drawn"], self.threat.norm
        shape, low, high = tuple(x.shape[1:]), self.threat.low, self.threat.high
        kind = self.kind or next(kind for kind, norms in KINDS.items() if norm in norms)
        eps = balls.per_example(state["eps"], x)
        if kind == "salt_and_pepper":
            order = draws.uniform(seeds, shape, 3, step)
            ends = ops.where(draws.signs(seeds, shape, 4, step) > 0, high, low)
            return ops.where(_first(order, state["eps"]), ends, x)
        if kind == "sign":
            delta = draws.signs(seeds, shape, 3, step)
        elif kind == "uniform":
            delta = balls.uniform(seeds, shape, "linf", step)
        else:
            delta = draws.normal(seeds, shape, 3, step)
        if norm == "l2":
            delta = balls.steepest(delta, "l2")
        return balls.move(x, eps * delta, low, high)


def _first(order, count):
    """bool (N, ...): the entries of `order` among the `count` (N,) smallest of their row."""
    flat = ops.reshape(order, (-1, math.prod(order.shape[1:])))
    size = flat.shape[1]
    wanted = ops.cast(ops.minimum(ops.floor(count), float(size)), "int32")
    bound = ops.take_along_axis(ops.sort(flat, axis=1), ops.maximum(wanted, 1)[:, None] - 1, axis=1)
    # equal draws at the bound are left out, rather than one value too many changed
    ranks = ops.sum(ops.cast(flat <= bound, "int32"), axis=1, keepdims=True)
    below = ops.where(ranks > wanted[:, None], flat < bound, flat <= bound)
    return ops.reshape(ops.logical_and(below, wanted[:, None] > 0), (-1, *order.shape[1:]))
