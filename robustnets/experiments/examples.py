"""Examples to attack a model with, and whether the two belong together."""

import os

import numpy as np

from robustnets import data
from robustnets.core.arrays import shape_remedy
from robustnets.core.dataset import Examples
from robustnets.engines.checks import check_examples
from robustnets.models import Classifier

# Fewer examples than these may lack classes by chance
_ENOUGH_FOR_CLASSES = 10
_ENOUGH_FOR_MODEL = 20


def examples_for(
    classifier: Classifier,
    name_or_path: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    n: int | None = None,
    box: tuple[float, float] = (0.0, 1.0),
) -> Examples:
    """Load examples and check them against the model that they are for.

    Args:
        classifier: the victim.
        name_or_path: a data set's name, whose test split is taken, or an `.npz` file with x
            and y or with a whole data set.
        data_dir: as for `data.load`.
        n: the first so many; None takes all.
        box: the smallest and the largest value that the model takes, to which images in [0, 1]
            are scaled.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: in one sentence, for examples that cannot be read; of another shape or
            with labels beyond the model's; of other classes than the model's; of one class
            only; for an n beyond their number.
        DataUnavailable: as for `data.load`.
    """
    where = os.fspath(name_or_path)
    found = data.load_examples(name_or_path, data_dir)
    if n is not None:
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= len(found):
            raise ValueError(f"{where} holds {len(found)} examples, got n = {n!r}")
        found = Examples(found.x[:n], found.y[:n], found.class_names)
    shape, images = classifier.image_shape, found.x.shape[1:]
    if images != shape:
        remedy = shape_remedy(found.x.shape, shape).partition(": use ")
        change = f"{remedy[0]}: store {remedy[2]}" if remedy[2] else (
            "; change the images, or put layers that do in front of the model"
        )  # fmt: skip
        raise ValueError(
            f"{where} holds images {_size(images)}, but the model takes {_size(shape)}{change}"
        )
    found = Examples(scaled_to(found.x, box), found.y, found.class_names)
    try:
        check_examples(classifier, found.x, found.y, *box, box="--input-range")
    except ValueError as problem:
        raise ValueError(f"{where}: {problem}") from None
    _check_classes(where, found, classifier.classes)
    return found


def scaled_to(x: np.ndarray, box: tuple[float, float]) -> np.ndarray:
    """Images in [0, 1], float32, scaled to [low, high]; those of [0, 1] bit for bit as they are."""
    low, high = map(np.float32, box)
    if (low, high) == (0, 1):
        return x
    return np.clip(low + (high - low) * x, low, high)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _check_classes(where: str, found: Examples, outputs: int) -> None:
    names, n, highest = found.class_names, len(found), int(found.y.max())
    if names is not None and len(names) != outputs:
        raise ValueError(
            f"{where} has {len(names)} classes, but the model has {outputs} outputs; take the "
            "data that the model was trained for"
        )
    if names is None and n >= _ENOUGH_FOR_MODEL and 2 * (highest + 1) <= outputs:
        raise ValueError(
            f"{where} has labels 0..{highest} only, in {n} examples, but the model has {outputs} "
            f"outputs; if that is meant, store class_names for all {outputs}"
        )
    if n >= _ENOUGH_FOR_CLASSES and len(np.unique(found.y)) == 1:
        raise ValueError(
            f"{where}: all {n} examples are of class {highest}, of which nothing follows for the "
            "others; take examples of several classes, shuffled if they are sorted by class"
        )
