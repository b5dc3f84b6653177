"""Gradient estimation by natural evolution strategies, from probabilities.

Source: Ilyas et al. 2018, arXiv:1804.08598, sec. 2.1-2.2 (query-limited setting): antithetic
Gaussian sampling and projected steps with momentum. The other settings are those of
`label_only_nes`.
Deviations: l2 besides linf; each iterate costs one query more, which tells whether to stop;
the best iterate is kept. As in the paper, the points asked about are not clipped: they leave
the box by about sigma.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, queries
from robustnets.attacks.base import Logits, State, carry_out, check, check_step, loop
from robustnets.core.threat import ThreatModel

DIRECTIONS = 0  # stream of random numbers


@dataclass(frozen=True, slots=True)
class NES:
    """Steps along an estimated gradient, projected back onto the ball after each.

    An example stops at its first success, or when its budget is spent.

    Args:
        threat: norm "linf" or "l2".
        budget: most queries per example, kept to exactly.
        samples: queries for one estimate, even: half as many directions, each both ways.
        sigma: standard deviation of a sample, as a share of the box.
        step: length of one step in the norm, in input units; None: eps / 5.
        momentum: share of the last direction in the next, 0 <= momentum < 1.
        loss: "margin" (of log-probabilities), "cross_entropy" (the log-probability of y) or "dlr".
        block: directions of one example asked at once; smaller blocks take less memory.
        targeted: reach the class y instead of leaving it.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> NES(ThreatModel("linf", 0.05), budget=500, samples=40).early
        True
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2")
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    budget: int = 5000
    samples: int = 50
    sigma: float = 0.001
    step: float | None = None
    momentum: float = 0.9
    loss: str = "margin"
    block: int = 25
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)
        check_step(self.step, 1)
        check_sampling(self)
        queries.check_loss(self)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be >= 0 and < 1, got {self.momentum}")

    @property
    def early(self) -> bool:
        """An example is done at its first success."""
        return True

    @property
    def chunk(self) -> int:
        """Steps between two looks at who is done."""
        return 4

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """At x."""
        none = ops.zeros_like(y)
        state = {
            "x": x,
            "y": y,
            "eps": eps,
            "seeds": seeds,
            "at": x,
            "best": x,
            "value": ops.zeros_like(eps) - float("inf"),
            "direction": ops.zeros_like(x),
            "hit": ops.zeros_like(y, dtype="bool"),
            "broken": ops.zeros_like(y, dtype="bool"),
            "step": none,
            "forward": none,
            "backward": none,
        }
        return self._look(logits, state, ops.ones_like(state["hit"]))

    def advance(self, logits: Logits, state: State, steps: int) -> State:
        """`steps` steps for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that are a success, or cannot pay for two samples and a look any more."""
        over = ops.logical_or(state["hit"], state["broken"])
        return ops.logical_or(over, queries.left(state, self.budget) < 3)

    def result(self, state: State) -> State:
        """The success, or the iterate of the highest value."""
        return {
            "x": ops.where(
                balls.per_example(state["broken"], state["x"]), float("nan"), state["best"]
            ),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _look(self, logits, state, looking):
        """Ask about the iterates and keep those that are better than all before."""
        at, y = state["at"], state["y"]
        z, state = queries.ask(logits, state, at[:, None], ops.cast(looking, "int32"))
        value = queries.wanted(z, y, self.targeted, self.loss)[:, 0]
        hit = ops.logical_and(looking, queries.hits(z, y, self.targeted)[:, 0])
        better = ops.logical_or(hit, ops.logical_and(looking, value > state["value"]))
        return {
            **state,
            "best": backend.choose_rows(better, at, state["best"]),
            "value": ops.where(better, value, state["value"]),
            "hit": ops.logical_or(state["hit"], hit),
        }

    def _step(self, logits, state):
        going = ops.logical_not(self.done(state))
        x, at, norm = state["x"], state["at"], self.threat.norm
        pairs = ops.minimum(self.samples // 2, (queries.left(state, self.budget) - 1) // 2)

        def score(s, points, counts, number):
            del number  # exact, nothing is drawn
            z, s = queries.ask(logits, s, points, counts)
            return queries.wanted(z, s["y"], self.targeted, self.loss), s

        gradient, new = estimate(self, score, state, at, ops.where(going, pairs, 0))
        # gradients of all lengths weigh alike in the mean
        mixed = self.momentum * state["direction"]
        mixed = mixed + (1 - self.momentum) * balls.steepest(gradient, "l2")
        length = state["eps"] / 5 if self.step is None else self.step
        length = balls.per_example(length * ops.ones_like(state["eps"]), x)
        ahead = balls.project(at - x + length * balls.steepest(mixed, norm), norm, state["eps"])
        moved = balls.move(x, ahead, self.threat.low, self.threat.high)
        new["at"] = backend.choose_rows(going, moved, at)
        new["direction"] = backend.choose_rows(going, mixed, state["direction"])
        new["step"] = state["step"] + ops.cast(going, "int32")
        return self._look(logits, new, going)


def estimate(
    spec: Any,
    score: Callable[[State, Any, Any, Any], tuple[Any, State]],
    state: State,
    at: Any,
    pairs: Any,
) -> tuple[Any, State]:
    """The gradient of a score by antithetic Gaussian samples (sec. 2.2).

    Args:
        spec: with `samples`, `sigma`, `block` and `threat`.
        score: (state, points float32 (N, P, ...), counts int32 (N,), int32 (N,) that numbers
            the block) -> (float32 (N, P), state).
        state: with "seeds" and "step", int32 (N,), which number the draws.
        at: float32 (N, ...), where.
        pairs: int32 (N,), up to samples / 2: pairs that each example draws.

    Returns:
        float32 (N, ...), per unit of input; zeros without pairs; and the state.
    """
    shape = tuple(at.shape[1:])
    size, block = math.prod(shape), min(spec.block, spec.samples // 2)
    blocks = -(-(spec.samples // 2) // block)
    sigma = spec.sigma * (spec.threat.high - spec.threat.low)

    def ask_block(i, total, s):
        taken = ops.clip(pairs - i * block, 0, block)
        number = s["step"] * blocks + i
        u = draws.normal(s["seeds"], (block, *shape), DIRECTIONS, number)
        both = ops.stack([at[:, None] + sigma * u, at[:, None] - sigma * u], axis=2)
        values, s = score(s, ops.reshape(both, (-1, 2 * block, *shape)), 2 * taken, number)
        values = ops.reshape(values, (-1, block, 2))
        difference = values[:, :, 0] - values[:, :, 1]
        valid = ops.arange(block)[None] < taken[:, None]
        difference = ops.where(valid, difference, 0.0)[:, None]
        return i + 1, total + ops.matmul(difference, ops.reshape(u, (-1, block, size))), s

    total = ops.reshape(ops.zeros_like(at), (-1, 1, size))
    _, total, state = ops.while_loop(
        lambda i, total, s: ops.any(i * block < pairs),
        ask_block,
        (ops.convert_to_tensor(0, "int32"), total, state),
    )
    count = ops.cast(ops.maximum(pairs, 1), "float32")
    return ops.reshape(total, (-1, *shape)) / balls.per_example(2 * sigma * count, at), state


def check_sampling(attack: Any) -> None:
    """What the settings of an estimate must be.

    Raises:
        ValueError: naming the first that is wrong.
    """
    queries.check_counts(attack, "budget", "block")
    queries.check_counts(attack, "samples", least=2)
    if attack.samples % 2:
        raise ValueError(f"samples must be even, got {attack.samples}")
    if not (math.isfinite(attack.sigma) and attack.sigma > 0):
        raise ValueError(f"sigma must be finite and > 0, got {attack.sigma}")
