"""Evolutionary search: a population of perturbations, selection, crossover, mutation.

Source: PSL-IASD sec. 3.1, the six steps under "NES". Where the text is loose, chosen here:
- a perturbation is a sign for each value, times eps: a corner of the linf ball;
- fitness is the loss of the model's probabilities (text: "minimize P(y | x)");
- the fittest survive, and the parents of each child are two of them, drawn evenly;
- crossover takes each value from either parent with chance 1/2; mutation then draws each
  value anew with the chance `mutation`;
- an example stops at its first success or when its budget is spent. The unchanged image
  competes with the first population, so that the result is never worse than it.
For what Ilyas et al. call NES, see `nes`.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from keras import ops

from robustnets import backend
from robustnets.attacks import balls, draws, queries
from robustnets.attacks.base import Logits, State, carry_out, check, keep, loop
from robustnets.core.threat import ThreatModel

FIRST, PARENTS, CROSSOVER, MUTATION, REDRAWN = range(5)  # streams of random numbers


@dataclass(frozen=True, slots=True)
class Evolutionary:
    """Breeds perturbations in the linf ball, from the probabilities alone.

    Args:
        threat: norm "linf".
        budget: most queries per example, kept to exactly.
        population: members.
        survivors: the fittest that live on and breed, 2 <= survivors < population.
        mutation: the chance that a value of a child is drawn anew, in [0, 1].
        loss: "margin" (of log-probabilities), "cross_entropy" (the log-probability of y) or "dlr".
        block: most members of one example asked at once.
        targeted: reach the class y instead of leaving it.

    Raises:
        ValueError: naming the setting.

    Example:
        >>> Evolutionary(ThreatModel("linf", 0.05), population=20, survivors=5).early
        True
    """

    norms: ClassVar[tuple[str, ...]] = ("linf",)
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    budget: int = 5000
    population: int = 50
    survivors: int = 10
    mutation: float = 0.01
    loss: str = "margin"
    block: int = 50
    targeted: bool = False

    def __post_init__(self) -> None:
        check(self)
        queries.check_counts(self, "budget", "block")
        queries.check_counts(self, "survivors", least=2)
        queries.check_counts(self, "population", least=self.survivors + 1)
        queries.check_loss(self)
        if not 0 <= self.mutation <= 1:
            raise ValueError(f"mutation must lie in [0, 1], got {self.mutation}")

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
        """The first population: random perturbations, after a look at x."""
        members = draws.signs(seeds, (self.population, math.prod(x.shape[1:])), FIRST)
        none = ops.zeros_like(y)
        state = {
            "x": x,
            "y": y,
            "eps": eps,
            "seeds": seeds,
            "best": x,
            "hit": ops.zeros_like(y, dtype="bool"),
            "broken": ops.zeros_like(y, dtype="bool"),
            "generation": none,
            "forward": none,
            "backward": none,
        }
        z, state = queries.ask(logits, state, x[:, None], none + 1)
        own = queries.fitness(z, y, self.targeted, self.loss)
        counts = ops.where(own[:, 0] >= queries.HIT, 0, self.population)
        fitness, state = self._ask(logits, state, members, counts)
        return self._judge(
            state,
            ops.concatenate([members[:, :1] * 0.0, members], axis=1),
            ops.concatenate([own, fitness], axis=1),
        )

    def advance(self, logits: Logits, state: State, steps: int) -> State:
        """`steps` generations for those that are not done."""
        return loop(lambda s: self._step(logits, s), self.done, state, steps)

    def done(self, state: State) -> Any:
        """Those that are a success, or have no budget left."""
        over = ops.logical_or(state["hit"], state["broken"])
        return ops.logical_or(over, queries.left(state, self.budget) <= 0)

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
        """The images of some members, float32 (N, P, ...)."""
        x = state["x"][:, None]
        delta = ops.reshape(members, (-1, members.shape[1], *x.shape[2:]))
        delta = balls.project(delta * balls.per_example(state["eps"], delta), "linf", state["eps"])
        return balls.move(x + ops.zeros_like(delta), delta, self.threat.low, self.threat.high)

    def _ask(self, logits, state, members, counts):
        """Fitness of members, float32 (N, P), as far as the budget goes."""
        y, many = state["y"], members.shape[1]
        counts = ops.minimum(counts, queries.left(state, self.budget))
        return queries.ask_members(
            logits,
            state,
            lambda numbers: self._points(state, ops.take(members, numbers, axis=1)),
            many,
            self.block,
            counts,
            lambda z: queries.fitness(z, y, self.targeted, self.loss),
        )

    def _judge(self, state, members, fitness):
        """The fittest, in descending order, live on; the first of them is the best so far."""
        fittest, order = ops.top_k(fitness, self.survivors)
        members = ops.take_along_axis(members, order[:, :, None], axis=1)
        best = self._points(state, members[:, :1])[:, 0]
        hit = fittest[:, 0] >= queries.HIT
        known = fittest[:, 0] > -float("inf")
        return {
            **state,
            "members": members,
            "fitness": fittest,
            "best": backend.choose_rows(known, best, state["best"]),
            "hit": hit,
        }

    def _step(self, logits, state):
        going = ops.logical_not(self.done(state))
        seeds, generation = state["seeds"], state["generation"]
        children, size = self.population - self.survivors, state["members"].shape[-1]
        shape = (children, size)
        pick = draws.uniform(seeds, (2, children), PARENTS, generation) * self.survivors
        pick = ops.minimum(ops.cast(pick, "int32"), self.survivors - 1)
        one, other = (
            ops.take_along_axis(state["members"], pick[:, i, :, None], axis=1) for i in (0, 1)
        )
        child = ops.where(draws.signs(seeds, shape, CROSSOVER, generation) > 0, one, other)
        mutates = draws.uniform(seeds, shape, MUTATION, generation) < self.mutation
        child = ops.where(mutates, draws.signs(seeds, shape, REDRAWN, generation), child)
        counts = ops.where(going, children, 0)
        fitness, new = self._ask(logits, state, child, counts)
        new = self._judge(
            new,
            ops.concatenate([state["members"], child], axis=1),
            ops.concatenate([state["fitness"], fitness], axis=1),
        )
        new["generation"] = generation + 1
        return keep(ops.logical_not(going), state, new)
