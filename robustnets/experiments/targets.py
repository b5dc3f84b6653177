"""The classes that targeted attacks are to reach."""

import numpy as np

from robustnets.core.seeds import derive
from robustnets.experiments.cell import Cell


def targets(cell: Cell, label: np.ndarray, classes: int) -> np.ndarray | None:
    """The classes that a Cell's attack is to reach, or None where it has no target.

    Args:
        cell: with its target.
        label: int (N,), true labels. Example i gets the same target whatever follows it.
        classes: how many there are.

    Returns:
        int64 (N,); drawn ones are wrong for their example, a class for all may be its own.

    Raises:
        ValueError: for a class that is not among them.
    """
    if cell.target is None:
        return None
    if cell.target == "random":
        draw = np.random.default_rng(derive(cell.network.seed, "target"))
        return (label + draw.integers(1, classes, len(label))) % classes
    if int(cell.target) >= classes:
        raise ValueError(f"target must be one of {classes} classes, got {cell.target}")
    return np.full(len(label), int(cell.target), np.int64)
