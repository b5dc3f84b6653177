"""One Pixel, and k pixels: differential evolution over position and colour.

Source: Su et al. 2019, arXiv:1710.08864, sec. III: a population of 400, differential weight
0.5, no crossover, at most 100 generations, each child against the parent of its number;
uniform first positions and Gaussian first colours (mean and deviation half of the box).
Deviations: an example stops at its first success, where the paper goes on to a confidence;
positions that leave the image are drawn anew and colours that leave the box are clipped (the
text does not say); positions and colours are continuous and positions rounded down.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, queries
from robustnets.attacks.base import Logits, State, carry_out, check, keep, loop
from robustnets.core.threat import ThreatModel

PLACES, COLOURS, PARENTS, REDRAWN = range(4)  # streams of random numbers


@dataclass(frozen=True, slots=True)
class OnePixel:
    """Replaces the colours of a few pixels, from the probabilities alone.

    It costs up to 1 + population * (generations + 1) queries. `EveryPixel` tries a grid of
    colours at every pixel and is cheaper for small images.

    Args:
        threat: norm "l0", and eps the number of pixels (not values: a pixel has one value per
            channel) that may change, rounded down.
        pixels: most pixels that it changes, however large eps is: the size of a genome.
        population: members, >= 4.
        generations: how many after the first.
        weight: of the difference of two members that is added to a third.
        budget: most queries per example, kept to exactly; None: no other limit.
        loss: "margin" (of log-probabilities), "cross_entropy" (the log-probability of y) or "dlr".
        block: most members of one example asked at once.
        targeted: reach the class y instead of leaving it.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> OnePixel(ThreatModel("l0", 1), population=100, generations=20).early
        True
    """

    norms: ClassVar[tuple[str, ...]] = ("l0",)
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    pixels: int = 5
    population: int = 400
    generations: int = 100
    weight: float = 0.5
    budget: int | None = None
    loss: str = "margin"
    block: int = 50
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)
        queries.check_counts(self, "pixels", "generations", "block")
        queries.check_counts(self, "population", least=4)
        queries.check_budget(self)
        queries.check_loss(self)
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError(f"weight must be finite and > 0, got {self.weight}")

    @property
    def early(self) -> bool:
        """An example is done at its first success."""
        return True

    @property
    def chunk(self) -> int:
        """Generations between two looks at who is done."""
        return 4

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch; see `Attack.perturb` for shapes and guarantees."""
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """x, and the first population."""
        none = ops.zeros_like(y)
        state = {
            "x": x,
            "y": y,
            "eps": eps,
            "seeds": seeds,
            "best": x,
            "value": ops.zeros_like(eps),
            "hit": ops.zeros_like(y, dtype="bool"),
            "broken": ops.zeros_like(y, dtype="bool"),
            "generation": none,
            "forward": none,
            "backward": none,
        }
        z, state = queries.ask(logits, state, x[:, None], none + 1)
        state["value"] = queries.fitness(z, y, self.targeted, self.loss)[:, 0]
        state["hit"] = queries.hits(z, y, self.targeted)[:, 0]
        places = draws.uniform(seeds, (self.population, self.pixels, 2), PLACES)
        colours = draws.normal(seeds, (self.population, self.pixels, x.shape[-1]), COLOURS)
        members = ops.concatenate([places, ops.clip(0.5 + 0.5 * colours, 0.0, 1.0)], axis=3)
        fitness, state = self._ask(logits, state, members, ops.logical_not(self.done(state)))
        return self._judge({**state, "members": members, "fitness": fitness}, members, fitness)

    def advance(self, logits: Logits, state: State, steps: int) -> State:
        """`steps` generations for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that are a success, at the end of their generations or budget, or may not move."""
        over = ops.logical_or(state["hit"], state["generation"] >= self.generations)
        over = ops.logical_or(over, queries.left(state, self.budget) <= 0)
        return ops.logical_or(over, ops.logical_or(state["broken"], state["eps"] < 1))

    def result(self, state: State) -> State:
        """The success, or the fittest member."""
        return {
            "x": ops.where(
                balls.per_example(state["broken"], state["x"]), float("nan"), state["best"]
            ),
            "forward": state["forward"],
            "backward": state["backward"],
        }

    def _points(self, state, members):
        """The images of some members, float32 (N, P, H, W, C)."""
        return backend.fused(self._painted)(state["x"], state["eps"], members)

    def _painted(self, x, eps, members):
        height, width, channels = x.shape[1:]
        low, high = self.threat.low, self.threat.high
        flat = ops.reshape(x, (-1, 1, height * width, channels))
        for j in range(self.pixels):
            row = ops.minimum(ops.cast(members[:, :, j, 0] * height, "int32"), height - 1)
            column = ops.minimum(ops.cast(members[:, :, j, 1] * width, "int32"), width - 1)
            colour = low + members[:, :, j, 2:] * (high - low)
            colour = ops.where(colour > high, high, colour)
            chosen = ops.arange(height * width) == (row * width + column)[:, :, None]
            chosen = ops.logical_and(chosen, (eps >= j + 1)[:, None, None])
            flat = ops.where(chosen[..., None], colour[:, :, None], flat)
        return ops.reshape(flat, (-1, members.shape[1], height, width, channels))

    def _ask(self, logits, state, members, asking):
        """Fitness of all members, float32 (N, P), as far as the budget goes."""
        y = state["y"]
        counts = ops.minimum(queries.left(state, self.budget), self.population)
        return queries.ask_members(
            logits,
            state,
            lambda numbers: self._points(state, ops.take(members, numbers, axis=1)),
            self.population,
            self.block,
            ops.where(asking, counts, 0),
            lambda z: queries.fitness(z, y, self.targeted, self.loss),
        )

    def _judge(self, state, members, fitness):
        """Keep the best member ever."""
        first = ops.argmax(fitness, axis=1)
        value = ops.max(fitness, axis=1)
        better = value > state["value"]
        member = ops.take_along_axis(members, first[:, None, None, None], axis=1)
        point = self._points(state, member)[:, 0]
        return {
            **state,
            "best": backend.choose_rows(better, point, state["best"]),
            "value": ops.where(better, value, state["value"]),
            "hit": ops.logical_or(state["hit"], value >= queries.HIT),
        }

    def _step(self, logits, state):
        going = ops.logical_not(self.done(state))
        children = self._children(state)
        fitness, new = self._ask(logits, state, children, going)
        new = self._judge(new, children, fitness)
        wins = ops.logical_and(fitness >= state["fitness"], fitness > -float("inf"))
        new["members"] = ops.where(wins[:, :, None, None], children, state["members"])
        new["fitness"] = ops.where(wins, fitness, state["fitness"])
        new["generation"] = state["generation"] + 1
        return keep(ops.logical_not(going), state, new)

    def _children(self, state):
        """One child per member: a third member plus a difference of two more, all distinct."""
        members, many = state["members"], self.population
        seeds, number = state["seeds"], state["generation"]
        u = draws.uniform(seeds, (3, many), PARENTS, number)
        one = _whole(u[:, 0], many)
        two = 1 + _whole(u[:, 1], many - 1)
        three = 1 + _whole(u[:, 2], many - 2)
        three = three + ops.cast(three >= two, "int32")
        a, b, c = (
            ops.take_along_axis(members, ((one + ahead) % many)[:, :, None, None], axis=1)
            for ahead in (0, two, three)
        )
        child = a + self.weight * (b - c)
        places, colours = child[..., :2], ops.clip(child[..., 2:], 0.0, 1.0)
        inside = ops.logical_and(places >= 0, places < 1)
        redrawn = draws.uniform(seeds, (many, self.pixels, 2), REDRAWN, number)
        return ops.concatenate([ops.where(inside, places, redrawn), colours], axis=3)


def _whole(u, many):
    """Uniform in (0, 1) to uniform in 0..many - 1."""
    return ops.minimum(ops.cast(u * many, "int32"), many - 1)
