"""How much is timed, and on which images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustnets import data
from robustnets.core.dataset import Split

SHAPE, CLASSES = (28, 28, 1), 10


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of all benchmarks.

    Args:
        rounds: timed repetitions of each side.
        train: training images.
        test: attacked images.
        patience: epochs in the window of the stable-weights rule.
        epochs: epochs timed after the window is full.
        block: epochs that one side trains before the other's turn.
        data_dir: folder with `mnist.npz`, or None for the default search.
    """

    rounds: int
    train: int
    test: int
    patience: int
    epochs: int
    block: int
    data_dir: Path | None = None


FULL = Scale(rounds=15, train=54_000, test=10_000, patience=60, epochs=40, block=4)
QUICK = Scale(rounds=3, train=6_000, test=2_000, patience=10, epochs=8, block=2)


def images(scale: Scale) -> tuple[Split, Split, str]:
    """Training and attacked images of MNIST's shape.

    Returns:
        The first images of both splits, and "MNIST", or "synthetic" where no copy is at hand:
        nothing is downloaded. Time does not depend on what the pictures show.
    """
    if data.locate("mnist", scale.data_dir) != "download":
        mnist = data.load("mnist", scale.data_dir).take(scale.train, scale.test)
        return mnist.train, mnist.test, "MNIST"
    rng = np.random.default_rng(0)
    splits = []
    for n in (scale.train, scale.test):
        x = rng.random((n, *SHAPE), np.float32)
        splits.append(Split(x, rng.integers(0, CLASSES, n)))
    return splits[0], splits[1], "synthetic"
