"""Every pixel times a grid of colours: the exhaustive form of One Pixel.

Source: the search space of Su et al. 2019, arXiv:1710.08864, sec. III, without its search.
One pixel costs H * W * levels^C queries and one; with the corners of the colour cube
(levels = 2) that is 1,569 for MNIST and 8,193 for CIFAR-10, where differential evolution
takes up to 40,401. It misses colours between the levels, and nothing else.
Deviations: more pixels are found greedily, each round with the best pixel of the last.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, queries
from robustnets.attacks.base import Logits, State, carry_out, check, keep, loop
from robustnets.core.threat import ThreatModel


@dataclass(frozen=True, slots=True)
class EveryPixel:
    """Tries every pixel in every colour of a grid, from the probabilities alone.

    Args:
        threat: norm "l0", and eps the number of pixels (not values: a pixel has one value per
            channel) that may change, rounded down.
        pixels: most pixels that it changes, however large eps is.
        levels: values per channel, evenly from the box's low to its high, >= 2.
        budget: most queries per example, kept to exactly; None: no other limit.
        loss: "margin" (of log-probabilities), "cross_entropy" (the log-probability of y) or "dlr".
        block: candidates of one example asked at once.
        targeted: reach the class y instead of leaving it.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> EveryPixel(ThreatModel("l0", 1), levels=3).early
        True
    """

    norms: ClassVar[tuple[str, ...]] = ("l0",)
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    pixels: int = 5
    levels: int = 2
    budget: int | None = None
    loss: str = "margin"
    block: int = 64
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)
        queries.check_counts(self, "pixels", "block")
        queries.check_counts(self, "levels", least=2)
        queries.check_budget(self)
        queries.check_loss(self)

    @property
    def early(self) -> bool:
        """An example is done at its first success."""
        return True

    @property
    def chunk(self) -> int:
        """Blocks of candidates between two looks at who is done."""
        return 8

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """x, and no candidate tried."""
        del seeds  # exact, nothing is drawn
        none = ops.zeros_like(y)
        state = {
            "x": x,
            "y": y,
            "eps": eps,
            "at": x,
            "best": x,
            "hit": ops.zeros_like(y, dtype="bool"),
            "broken": ops.zeros_like(y, dtype="bool"),
            "stuck": ops.zeros_like(y, dtype="bool"),
            "round": none,
            "tried": none,
            "forward": none,
            "backward": none,
        }
        z, state = queries.ask(logits, state, x[:, None], none + 1)
        state["hit"] = queries.hits(z, y, self.targeted)[:, 0]
        value = queries.fitness(z, y, self.targeted, self.loss)[:, 0]
        return {**state, "value": value, "value_at": value}

    def advance(self, logits: Logits, state: State, steps: int) -> State:
        """`steps` blocks of candidates for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that are a success, have all their pixels, gain nothing, or have no budget."""
        most = ops.minimum(state["eps"], float(self.pixels))
        over = ops.logical_or(state["hit"], ops.cast(state["round"] + 1, "float32") > most)
        over = ops.logical_or(over, queries.left(state, self.budget) <= 0)
        return ops.logical_or(over, ops.logical_or(state["broken"], state["stuck"]))

    def result(self, state: State) -> State:
        """The success, or the best candidate."""
        return {
            "x": ops.where(
                balls.per_example(state["broken"], state["x"]), float("nan"), state["best"]
            ),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _points(self, at, numbers):
        """The images of candidates, int32 (N, B) -> float32 (N, B, H, W, C)."""
        height, width, channels = at.shape[1:]
        low, high = self.threat.low, self.threat.high
        place, colour = numbers // self.levels**channels, numbers % self.levels**channels
        powers = ops.convert_to_tensor([self.levels**c for c in range(channels)], "int32")
        digits = ops.cast((colour[:, :, None] // powers) % self.levels, "float32")
        values = low + digits / (self.levels - 1) * (high - low)
        values = ops.where(values > high, high, values)
        chosen = ops.arange(height * width) == place[:, :, None]
        flat = ops.reshape(at, (-1, 1, height * width, channels))
        flat = ops.where(chosen[..., None], values[:, :, None], flat)
        return ops.reshape(flat, (-1, numbers.shape[1], height, width, channels))

    def _step(self, logits, state):
        going = ops.logical_not(self.done(state))
        at, y = state["at"], state["y"]
        height, width, channels = at.shape[1:]
        total = height * width * self.levels**channels
        numbers = state["tried"][:, None] + ops.arange(self.block, dtype="int32")[None]
        counts = ops.minimum(total - state["tried"], self.block)
        counts = ops.minimum(counts, queries.left(state, self.budget))
        counts = ops.where(going, counts, 0)
        points = backend.fused(self._points)(at, ops.minimum(numbers, total - 1))
        z, new = queries.ask(logits, state, points, counts)
        value = queries.fitness(z, y, self.targeted, self.loss)
        asked = ops.arange(self.block)[None] < counts[:, None]
        value = ops.where(ops.logical_and(asked, ops.isfinite(value)), value, -float("inf"))
        first = ops.argmax(value, axis=1)[:, None, None, None, None]
        point = ops.take_along_axis(points, first, axis=1)[:, 0]
        value = ops.max(value, axis=1)
        better = value > state["value"]
        best = backend.choose_rows(better, point, state["best"])
        value = ops.where(better, value, state["value"])
        over = state["tried"] + counts >= total
        return keep(
            ops.logical_not(going),
            state,
            {
                **new,
                "best": best,
                "value": value,
                "hit": value >= queries.HIT,
                "at": backend.choose_rows(over, best, at),
                "value_at": ops.where(over, value, state["value_at"]),
                # a round without gain would be repeated for ever
                "stuck": ops.logical_and(over, value <= state["value_at"]),
                "round": state["round"] + ops.cast(over, "int32"),
                "tried": ops.where(over, 0, state["tried"] + counts),
            },
        )
