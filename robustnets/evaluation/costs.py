"""What an attack costs, at most and as a rule, and how it is cut down."""

import dataclasses
from typing import Any

from robustnets.attacks import FAB

# what an attack can be cut down by, the first of them that it has, and the least that makes sense
SIZES = (("budget", 100), ("restarts", 1), ("targets", 1), ("steps", 10))
EARLY = 0.05  # of an attack's cost, spent on an example that it breaks


def units(attack: Any) -> float:
    """What an attack costs for each example at most, in forward passes.

    A backward pass counts as two. An attack that nothing is known of counts as a hundred.
    """
    budget = getattr(attack, "budget", None)
    if budget is not None:
        return float(budget)
    if hasattr(attack, "passes"):
        forward, backward = attack.passes
        return forward + 2.0 * backward
    steps = getattr(attack, "steps", None)
    if steps is None:
        return 100.0
    starts = getattr(attack, "restarts", 1) * (getattr(attack, "targets", None) or 1)
    # FAB asks again for the gap that it linearises, and for its way back
    factor = 5.0 if isinstance(attack, FAB) else 3.0
    return factor * steps * starts * getattr(attack, "expectation", 1)


def cut_down(attack: Any, share: float) -> tuple[Any | None, str]:
    """An attack at about a share of its cost.

    Args:
        attack: the spec.
        share: in (0, 1).

    Returns:
        The smaller attack, or None where there is none that makes sense; and what became of
        it, in words.
    """
    name, smaller, said = type(attack).__name__, attack, []
    for field, least in SIZES:
        value = getattr(smaller, field, None)
        if not isinstance(value, int) or value <= least:
            continue
        wanted = max(least, round(value * share))
        smaller = dataclasses.replace(smaller, **{field: wanted})
        said.append(f"{wanted} of {value} {'queries' if field == 'budget' else field}")
        share = units(attack) * share / units(smaller)
        attack = smaller
        if share >= 1:
            break
    # half of what was wanted is still an attack; much less is none
    if share < 0.5:
        return None, f"{name}: left out"
    return (smaller, f"{name}: {', '.join(said)}") if said else (smaller, "")


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """An attack that is to come.

    Args:
        attack: its spec.
        examples: that it may have to run on.
        weight: what a pass through the model that it is crafted on costs, the victim's being 1.
        alone: no attack with steps was at work on these examples before it, so that it meets
            those that break easily, too.
        radius: its radius as a share of that of the evaluation.
    """

    attack: Any
    examples: int
    weight: float = 1.0
    alone: bool = True
    radius: float = 1.0

    def passes(self, standing: float = 1.0, met: int | None = None) -> float:
        """Forward passes through the victim that all of it may amount to, see `units`.

        Args:
            standing: share of the examples that withstand everything at the radius of the
                evaluation, as far as is known; 1 gives the most that it can take. Fewer
                withstand a larger radius and more a smaller one, in between on a line.
            met: how many examples are left for it, where that is known.
        """
        if self.radius <= 1:
            left = 1 - (1 - standing) * self.radius
        else:
            left = standing * max(0.0, 2 - self.radius)
        early, minimal = (getattr(self.attack, name, False) for name in ("early", "minimal"))
        ends = not self.alone or (early and not minimal)
        whole = self.examples * (min(1.0, left + EARLY) if ends else 1.0)
        return units(self.attack) * self.weight * (whole if met is None else min(whole, met))
