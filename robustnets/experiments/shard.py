"""A part of a chapter's Cells, for schedulers that start the same command many times."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from robustnets.experiments.cell import Cell, Network


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts of equal size, the same at every start.

    Args:
        number: which part, from 1.
        of: how many parts there are.

    Raises:
        ValueError: unless 1 <= number <= of.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(
                f"a shard is one of 1/{self.of} to {self.of}/{self.of}, got {self.number}/{self.of}"
                if self.of >= 1
                else f"there must be at least one shard, got {self.number}/{self.of}"
            )

    @classmethod
    def of_text(cls, text: str) -> "Shard":
        """Read "2/8".

        Raises:
            ValueError: for anything else.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if found is None:
            raise ValueError(f"a shard is written as 2/8, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def take(self, cells: Sequence[Cell]) -> list[Cell]:
        """The Cells of this part.

        Cells of one undefended network stay together as far as parts of equal size allow, so
        that a network is trained by the one or two parts that need it; each part has all that
        it needs, and none waits for another. Nothing but the Cells decides, not what is stored.

        Args:
            cells: all of them; the same Cell twice counts once.

        Returns:
            A run of the Cells, sorted by network; over all parts, each Cell exactly once. The
            sizes of two parts differ by at most one.
        """
        groups: dict[Network, list[Cell]] = {}
        for cell in dict.fromkeys(cells):
            rule = cell.network.training.rules[0]
            # what all stops of one training, and the defenses built on them, have in common
            groups.setdefault(replace(cell.network, defense=None, rule=rule), []).append(cell)
        ordered = [cell for group in groups.values() for cell in group]
        n = len(ordered)
        return ordered[(self.number - 1) * n // self.of : self.number * n // self.of]
