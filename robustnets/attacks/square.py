"""Square Attack: random search over squares, from logits alone.

Source: Andriushchenko et al. 2020, arXiv:1912.00049, algorithms 1 and 2 (linf) and 3 (l2), the
starting points of sec. 3.3-3.4 and the schedule of sec. 4; rescaled to the budget and with
p = 0.8 as in AutoAttack (Croce & Hein 2020, arXiv:2003.01690). l1, algorithm 3 with lengths in l1
and projections onto the ball cut with the box: Croce & Hein 2021, arXiv:2103.01208, sec. 4.
Deviations: the margin is climbed for targets too. The largest square fits in images that are not
square. Positions at the far edges are as likely as all others.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, projections, queries
from robustnets.attacks.base import Logits, State, carry_out, check, loop
from robustnets.core.threat import ThreatModel

HALVED = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # after so many of 10000 squares
TILES = 5  # along the shorter side of an image, at the start in l2
# streams of random numbers
START_SIGNS, START_TURNS, CORNERS, CLEARED, SIGNS, TURNS = range(6)


@dataclass(frozen=True, slots=True)
class Square:
    """Changes inside one random square at a time, kept if they help.

    An example stops at its first success, or when its budget is spent.

    Args:
        threat: norm "linf", "l2" or "l1".
        budget: most queries per example, kept to exactly.
        p_init: share of the image that the first squares cover, 0 < p_init <= 1.
        loss: what to climb, a name in `losses.LOSSES`.
        targeted: reach the class y instead of leaving it.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> Square(ThreatModel("linf", 8 / 255), budget=1000).chunk
        10
    """

    norms: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    budget: int = 5000
    p_init: float = 0.8
    loss: str = "margin"
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)
        queries.check_counts(self, "budget")
        queries.check_loss(self)
        if not 0 < self.p_init <= 1:
            raise ValueError(f"p_init must be > 0 and <= 1, got {self.p_init}")

    @property
    def early(self) -> bool:
        """An example is done at its first success."""
        return True

    @property
    def chunk(self) -> int:
        """Queries between two looks at who is done."""
        return 10

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """Vertical stripes (linf) or a grid of tiles (l2, l1), asked about."""
        none = ops.zeros_like(y)
        state = {
            "x": x,
            "y": y,
            "eps": eps,
            "seeds": seeds,
            "best": x,
            "value": ops.full_like(eps, -math.inf),
            "hit": ops.zeros_like(y, dtype="bool"),
            "broken": ops.zeros_like(y, dtype="bool"),
            "forward": none,
            "backward": none,
        }
        shape = tuple(x.shape[1:])
        if self.threat.norm == "linf":
            way = draws.signs(seeds, (1, *shape[1:]), START_SIGNS) * ops.ones_like(x)
        else:
            way = _unit(_tiles(seeds, shape), self.threat.norm, (1, 2, 3))
        return self._look(logits, state, self._within(state, balls.per_example(eps, x) * way))

    def advance(self, logits: Logits, state: State, steps: int) -> State:
        """`steps` queries for those that are not done."""
        propose = self._repainted if self.threat.norm == "linf" else self._reshaped
        return loop(lambda s: self._look(logits, s, propose(s)), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that are a success, or have spent their budget."""
        over = ops.logical_or(state["hit"], state["broken"])
        return ops.logical_or(over, queries.left(state, self.budget) < 1)

    def result(self, state: State) -> State:
        """The success, or the point of the highest value."""
        return {
            "x": ops.where(balls.per_example(state["broken"], state["x"]), math.nan, state["best"]),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _look(self, logits, state, points):
        """Ask about one point each and keep those that are better than all before."""
        going = ops.logical_not(self.done(state))
        z, state = queries.ask(logits, state, points[:, None], ops.cast(going, "int32"))
        value = queries.wanted(z, state["y"], self.targeted, self.loss)[:, 0]
        hit = ops.logical_and(going, queries.hits(z, state["y"], self.targeted)[:, 0])
        better = ops.logical_or(hit, ops.logical_and(going, value > state["value"]))
        return {
            **state,
            "best": backend.choose_rows(better, points, state["best"]),
            "value": ops.where(better, value, state["value"]),
            "hit": ops.logical_or(state["hit"], hit),
        }

    def _within(self, state, delta):
        x, eps, threat = state["x"], state["eps"], self.threat
        if threat.norm == "l1":
            delta = projections.l1_ball_in_box(x, delta, eps, threat.low, threat.high)
        else:
            delta = balls.project(delta, threat.norm, eps)
        return balls.move(x, delta, threat.low, threat.high)

    def _repainted(self, state):
        """Best points with one square at -eps or eps, by channel (algorithm 2)."""
        x, eps, number = state["x"], state["eps"], state["forward"]
        window, *_ = self._window(state, CORNERS, least=1)
        way = draws.signs(state["seeds"], (1, 1, x.shape[-1]), SIGNS, number)
        # best points are corners of the ball, so that 2 eps more or less ends at another corner
        moved = self._within(state, balls.per_example(eps, x) * way * ops.ones_like(x))
        return ops.where(window, moved, state["best"])

    def _reshaped(self, state):
        """Best points with the length of two windows moved into the first (algorithm 3), l2, l1."""
        x, eps, seeds, number = state["x"], state["eps"], state["seeds"], state["forward"]
        channels, norm = x.shape[-1], self.threat.norm
        delta = state["best"] - x
        window, row, column, stage = self._window(state, CORNERS, least=3)
        cleared, *_ = self._window(state, CLEARED, least=3)
        sides = self._sides(x.shape, least=3)
        turned = balls.per_example(draws.signs(seeds, (1,), TURNS, number)[:, 0] > 0, x)
        row, column = ops.where(turned, column, row), ops.where(turned, row, column)
        widest = max(sides)
        table = np.stack([np.pad(eta(side), (0, widest - side)) for side in sides])
        place = ops.clip(row, 0, widest - 1) * widest + ops.clip(column, 0, widest - 1)
        shape = ops.take(table.reshape(-1), balls.per_example(stage, x) * widest**2 + place, axis=0)
        shape = shape * draws.signs(seeds, (1, 1, channels), SIGNS, number)
        old = ops.where(window, delta, 0.0)
        new = _unit(ops.where(window, shape, 0.0) + _unit(old, norm), norm)
        freed = ops.logical_or(window, cleared)
        whole = balls.per_example(ops.square(eps) if norm == "l2" else eps, x)
        unused = ops.maximum(whole - _powers(delta, norm, (1, 2, 3)), 0.0) / channels
        available = _root(_powers(ops.where(freed, delta, 0.0), norm) + unused, norm)
        delta = ops.where(freed, 0.0, delta) + available * new
        return self._within(state, delta)

    def _sides(self, shape, least):
        height, width = shape[1:3]
        return tuple(side(p, height, width, least) for _, p in schedule(self.budget, self.p_init))

    def _window(self, state, stream, least):
        """A random square of each example.

        Returns:
            bool (N, H, W, 1), its pixels; int32 (N, H, 1, 1) and (N, 1, W, 1), rows and columns
            counted from its corner; int32 (N,), its entry in the schedule.
        """
        x, number = state["x"], state["forward"] - 1  # the start is no square
        firsts = np.array([first for first, _ in schedule(self.budget, self.p_init)], np.int32)
        stage = ops.sum(ops.cast(number[:, None] >= firsts, "int32"), axis=1) - 1
        lengths = ops.take(np.array(self._sides(x.shape, least), np.int32), stage, axis=0)
        room = np.array(x.shape[1:3], np.int32) - lengths[:, None]
        u = draws.uniform(state["seeds"], (2,), stream, state["forward"])
        corner = ops.cast(ops.floor(u * ops.cast(room + 1, "float32")), "int32")
        corner = ops.minimum(corner, room)  # the product rounds up at times
        row = ops.arange(x.shape[1], dtype="int32")[None, :, None, None] - balls.per_example(
            corner[:, 0], x
        )
        column = ops.arange(x.shape[2], dtype="int32")[:, None] - balls.per_example(corner[:, 1], x)
        length = balls.per_example(lengths, x)
        down = ops.logical_and(row >= 0, row < length)
        across = ops.logical_and(column >= 0, column < length)
        return ops.logical_and(down, across), row, column, stage


def schedule(budget: int, p_init: float) -> tuple[tuple[int, float], ...]:
    """The share p of the image that squares cover, halved nine times within the budget.

    Args:
        budget: queries.
        p_init: the first share.

    Returns:
        (first, p) for each p: squares are numbered from 0, and p holds from number `first` on
        until the next entry that has begun.

    Example:
        >>> schedule(10000, 0.8)[:4]
        ((0, 0.8), (11, 0.4), (51, 0.2), (201, 0.1))
    """
    halved = (
        (after * budget // 10000 + 1, p_init / 2 ** (i + 1)) for i, after in enumerate(HALVED)
    )
    return ((0, p_init), *halved)


def side(p: float, height: int, width: int, least: int) -> int:
    """The side of a square that covers about a share p of the image, in pixels.

    Args:
        p: the share.
        height: of the image.
        width: of the image.
        least: 1, or 3 for the squares of l2 and l1, whose sides are odd.

    Returns:
        At most the shorter side of the image, or the odd number below it in l2 and l1.
    """
    length, longest = max(round(math.sqrt(p * height * width)), least), min(height, width)
    if least == 1:
        return min(length, longest)
    return min(length | 1, (longest - 1) | 1)


def eta(length: int) -> np.ndarray:
    """The shape of an l2 change: two pyramids beside each other, of opposite signs (sec. 3.4).

    Args:
        length: of each side.

    Returns:
        float32 (length, length), of l2 length 1.
    """
    half = length // 2
    both = np.concatenate([_pyramid(half, length), -_pyramid(length - half, length)])
    return (both / np.linalg.norm(both)).astype(np.float32)


def _pyramid(height, width):
    """The sum over all k of 1 / (k + 1)^2 on the centred rectangles that reach k far."""
    reach = max(height, width) // 2
    rows = np.abs(np.arange(height) - height // 2)
    columns = np.abs(np.arange(width) - width // 2)
    terms = 1.0 / np.arange(1, reach + 2) ** 2
    sums = np.cumsum(terms[::-1])[::-1]
    found = sums[np.maximum(rows[:, None], columns)]
    return found / max(np.linalg.norm(found), 1e-30)


def _tiles(seeds, shape):
    """Float32 (N, H, W, C): a grid of shapes, each with its own signs and direction."""
    height, width, channels = shape
    length = max(min(height, width) // TILES, 1)
    down, across = height // length, width // length
    signs = draws.signs(seeds, (down, across, channels), START_SIGNS)
    turned = draws.signs(seeds, (down, across, 1), START_TURNS) > 0

    def spread(tiles):
        return ops.repeat(ops.repeat(tiles, length, axis=1), length, axis=2)

    shape = np.tile(eta(length), (down, across))[None, :, :, None]
    other = np.tile(eta(length).T, (down, across))[None, :, :, None]
    whole = spread(signs) * ops.where(spread(turned), other, shape)
    spare = (height - down * length, width - across * length)
    edges = [(n // 2, n - n // 2) for n in spare]
    return ops.pad(whole, [(0, 0), *edges, (0, 0)])


def _powers(value, norm, axes=(1, 2)):
    """The sum of squares (l2) or of absolute values (l1) over axes, which are kept at size 1."""
    return ops.sum(ops.square(value) if norm == "l2" else ops.abs(value), axis=axes, keepdims=True)


def _root(total, norm):
    """The length that such a sum stands for."""
    return ops.sqrt(total) if norm == "l2" else total


def _unit(value, norm, axes=(1, 2)):
    """Each channel (N, H, W, C), or what these axes span, at length 1, or zero as it was."""
    length = _root(_powers(value, norm, axes), norm)
    return value / ops.where(length == 0, 1.0, length)
