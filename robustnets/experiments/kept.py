"""Adversarial examples that several Cells measure: crafted once, as far as memory allows."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from robustnets.engines import Adversarial
from robustnets.experiments.cell import Cell

Examples = Iterable[tuple[float, Adversarial]]

LIMIT = 128 * 2**20  # bytes of all that is kept


def crafted_as(cell: Cell) -> Cell | None:
    """The Cell on the undefended network whose adversarial examples this one measures.

    Returns:
        None for a Cell whose attack sees a defense, or that attacks nothing: nobody else
        measures its examples.
    """
    source = cell.crafted_on
    if cell.attack is None or source.defense is not None:
        return None
    return replace(
        cell,
        network=source,
        knowledge="white-box",
        source=None,
        pictured=0,
        probabilities=False,
    )


class Kept:
    """The adversarial examples of the last Cells.

    A gray-box attack does not depend on the defense, so that one attack serves all defenses of
    a network. What is larger than the limit is not kept.

    Args:
        limit: bytes of all images kept; what was used longest ago is dropped first.
    """

    def __init__(self, limit: int = LIMIT):
        self.limit = limit
        self._kept: dict[Cell, list[tuple[float, Adversarial]]] = {}
        self._bytes: dict[Cell, int] = {}

    def get(self, cell: Cell, size: int, craft: Callable[[], Examples]) -> Examples:
        """The examples of a Cell at each of its radii.

        Args:
            cell: what is measured.
            size: bytes of its examples at all radii.
            craft: carries the attack out.

        Returns:
            What `craft` gives; where it was kept, with 0 seconds, for nothing was carried out.
        """
        key = crafted_as(cell)
        if key is None or size > self.limit:
            return craft()
        if key in self._kept:
            found = self._kept[key] = self._kept.pop(key)  # used last, dropped last
            return [(eps, replace(examples, seconds=0.0)) for eps, examples in found]
        while self._kept and sum(self._bytes.values()) + size > self.limit:
            oldest = next(iter(self._kept))
            del self._kept[oldest], self._bytes[oldest]
        self._kept[key], self._bytes[key] = list(craft()), size
        return self._kept[key]
