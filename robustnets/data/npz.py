"""Data sets of one's own: an `.npz` file with four arrays, checked and refused by name."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robustnets.core import npz
from robustnets.core.dataset import Dataset, Examples, Split
from robustnets.core.store import Damaged

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
EXAMPLES = ("x", "y")
OPTIONAL = ("class_names",)
_REWRITE = "write it again with numpy.savez_compressed"


def load(path: str | os.PathLike) -> Dataset:
    """Read a data set from an `.npz` file.

    Args:
        path: the file. It holds x_train and x_test, images (N, H, W) or (N, H, W, C), uint8 in
            0..255 or floating point in [0, 1]; y_train and y_test, integer labels (N,) or
            (N, 1) counted from 0; and, if wanted, class_names (K,) text. Nothing else.

    Returns:
        The Dataset, named after the file: float32 (N, H, W, C) in [0, 1], int64 labels. uint8
        is divided by 255; without class_names, classes are named by their number.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, the array and the remedy, for anything else.
    """
    path = Path(path)
    return to_dataset(path.stem, str(path), read_arrays(path))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an `.npz` file, whole, without unpickling anything.

    Returns:
        The four required arrays and class_names if it is there, as stored.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, is no `.npz`, lacks arrays, or holds unknown or pickled
            ones.
    """
    return _read_all(path, (REQUIRED,))


def _read_all(path: Path, layouts: tuple[tuple[str, ...], ...]) -> dict[str, np.ndarray]:
    """Read a file whose arrays are those of one layout, and class_names if they are there."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        return npz.read_arrays(path, lambda names: _check_names(path, names, layouts))
    except npz.Pickled as problem:
        raise ValueError(
            f"{path}: {problem.why}; store plain numbers (text for class_names)"
        ) from None
    except Damaged as problem:
        raise ValueError(
            f"{path} is damaged or not an .npz file ({problem.why}); {_REWRITE}"
        ) from problem


def load_examples(path: str | os.PathLike) -> Examples:
    """Read examples to be attacked: x and y, or the test split of a whole data set.

    Args:
        path: an `.npz` file that holds x, images, and y, labels, and, if wanted, class_names;
            or what `load` wants.

    Raises:
        FileNotFoundError, ValueError: as for `load`.
    """
    path = Path(path)
    arrays = _read_all(path, (EXAMPLES, REQUIRED))
    if "x" in arrays:
        split = _split(str(path), arrays, "x", "y")
        names = _stored_names(str(path), arrays.get("class_names"), int(split.y.max()))
        return Examples(split.x, split.y, names)
    dataset = to_dataset(path.stem, str(path), arrays)
    names = dataset.class_names if "class_names" in arrays else None
    return Examples(dataset.test.x, dataset.test.y, names)


def to_dataset(
    name: str,
    where: str,
    arrays: dict[str, np.ndarray],
    class_names: tuple[str, ...] | None = None,
) -> Dataset:
    """Check raw arrays and turn them into a Dataset.

    Args:
        name: of the Dataset.
        where: the arrays came from, for messages.
        arrays: as `read_arrays` gives them.
        class_names: taken instead of the array class_names.

    Raises:
        ValueError: naming `where`, the array and the remedy.
    """
    splits = []
    for split in ("train", "test"):
        splits.append(_split(where, arrays, f"x_{split}", f"y_{split}"))
    if class_names is None:
        class_names = _class_names(where, arrays.get("class_names"), splits)
    try:
        return Dataset(name, splits[0], splits[1], class_names)
    except ValueError as problem:
        raise ValueError(f"{where}: {problem}") from None


def _split(where: str, arrays: dict[str, np.ndarray], x_name: str, y_name: str) -> Split:
    x = _images(f"{where}: {x_name}", arrays[x_name])
    y = _labels(f"{where}: {y_name}", arrays[y_name])
    if len(x) != len(y):
        raise ValueError(
            f"{where}: {x_name} holds {len(x)} images and {y_name} {len(y)} labels; "
            "there must be one label for each image"
        )
    return Split(x, y)


def check_layout(
    where: str, arrays: dict[str, np.ndarray], image_shape: tuple[int, ...], n: tuple[int, int]
) -> None:
    """Refuse arrays that are not those of a known data set.

    Args:
        where: the arrays came from, for messages.
        arrays: as `read_arrays` gives them.
        image_shape: of one image, as stored.
        n: images in the training and the test split.

    Raises:
        ValueError: naming the array, its shape and the expected one; for dtypes other than
            uint8 images; for class_names.
    """
    for split, count in zip(("train", "test"), n):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if x.shape != (count, *image_shape) or x.dtype != np.uint8:
            raise ValueError(
                f"{where}: x_{split} must be uint8 {(count, *image_shape)}, got {x.dtype} "
                f"{x.shape}; name a data set of your own by the path of its .npz file"
            )
        if y.shape not in ((count,), (count, 1)):
            raise ValueError(f"{where}: y_{split} must be ({count},), got {y.shape}")
    if "class_names" in arrays:
        raise ValueError(f"{where}: class_names are known for this data set; leave them out")


def _check_names(path: Path, names: Sequence[str], layouts: tuple[tuple[str, ...], ...]) -> None:
    # the layout that most of the arrays belong to is the one that is meant
    layout = max(layouts, key=lambda layout: len(set(layout) & set(names)))
    missing = [name for name in layout if name not in names]
    if missing:
        other = "".join(f", or {', '.join(each)} instead" for each in layouts if each != layout)
        raise ValueError(
            f"{path} lacks {', '.join(missing)}{other}; it has {', '.join(names) or 'nothing'}"
        )
    unknown = [name for name in names if name not in layout + OPTIONAL]
    if unknown:
        raise ValueError(
            f"{path} holds unknown arrays {', '.join(unknown)}; it may hold "
            f"{', '.join(layout + OPTIONAL)} only"
        )


def _images(where: str, x: np.ndarray) -> np.ndarray:
    """float32 (N, H, W, C) in [0, 1]."""
    if x.ndim not in (3, 4):
        raise ValueError(f"{where} must be (N, H, W) or (N, H, W, C), got shape {x.shape}")
    if x.size == 0:
        raise ValueError(f"{where} is empty, its shape is {x.shape}")
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] > 4:
        raise ValueError(
            f"{where} has shape {x.shape}, which looks like (N, C, H, W); move the channels last"
        )
    if x.ndim == 3:
        x = x[..., np.newaxis]
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x).astype(np.float32) / np.float32(255)
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(
            f"{where} must be uint8 in 0..255 or floating point in [0, 1], got {x.dtype}; "
            "store it as uint8, or divide it by its highest value"
        )
    low, high = x.min(), x.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{where} holds NaN or infinite values; remove those images")
    if low < 0 or high > 1:
        remedy = "scale it to [0, 1], or store uint8 in 0..255"
        if low >= 0 and high <= 255:
            remedy = "divide it by 255, or store it as uint8"
        raise ValueError(f"{where} lies in [{low:g}, {high:g}]; {remedy}")
    return np.ascontiguousarray(x, np.float32)


def _labels(where: str, y: np.ndarray) -> np.ndarray:
    """int64 (N,), not negative."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        one_hot = y.ndim == 2 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()
        remedy = "; these are one-hot: store y.argmax(axis=1)" if one_hot else ""
        raise ValueError(
            f"{where} must be class numbers (N,) or (N, 1), got shape {y.shape}{remedy}"
        )
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(
            f"{where} must have an integer dtype, got {y.dtype}; store class numbers as integers"
        )
    if y.size and y.min() < 0:
        raise ValueError(f"{where} holds {y.min()}; labels are counted from 0")
    return np.ascontiguousarray(y).astype(np.int64)


def _class_names(where: str, names: np.ndarray | None, splits: list[Split]) -> tuple[str, ...]:
    highest = max(int(split.y.max()) for split in splits)
    if names is None:
        if highest >= sum(len(split) for split in splits):
            raise ValueError(
                f"{where}: there is a label {highest} with fewer examples than that; number "
                "the classes from 0 without gaps, or store class_names"
            )
        return tuple(str(k) for k in range(highest + 1))
    return _stored_names(where, names, highest) or ()


def _stored_names(where: str, names: np.ndarray | None, highest: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if names.ndim != 1 or names.dtype.kind != "U":
        raise ValueError(
            f"{where}: class_names must be text (K,), got {names.dtype} {names.shape}; store "
            "numpy.array of str"
        )
    if len(names) <= highest:
        raise ValueError(
            f"{where}: class_names holds {len(names)} names, but there is a label {highest}"
        )
    return tuple(str(name) for name in names)
