"""A data set: two splits of images and labels, checked once and then trusted."""

import hashlib
from dataclasses import dataclass

import numpy as np

from robustnets.core.arrays import as_labels


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """Images and labels.

    Args:
        x: float32 (N, H, W, C), values in [0, 1].
        y: int64 (N,), labels; other whole numbers, (N,) or (N, 1), become that.

    Raises:
        ValueError: for labels that are no class numbers, such as one-hot rows.
    """

    x: np.ndarray
    y: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", as_labels(self.y))

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False, slots=True)
class Examples(Split):
    """Images and labels to be attacked.

    Args:
        x, y: as for `Split`.
        class_names: one name per label, or None where nobody said what classes there are.
    """

    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Dataset:
    """A training and a test split with the same image shape and classes.

    Args:
        name: such as "mnist".
        train: the training split.
        test: the test split.
        class_names: one name per label.

    Raises:
        ValueError: naming the split and what is wrong with its arrays.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for split_name, split in (("train", self.train), ("test", self.test)):
            _check(f"{self.name} {split_name}", split, len(self.class_names))
        if self.train.x.shape[1:] != self.test.x.shape[1:]:
            raise ValueError(
                f"{self.name}: training images are {self.train.x.shape[1:]}, "
                f"test images {self.test.x.shape[1:]}; they must have one shape"
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.train.x.shape[1:]

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over every byte of the four arrays."""
        sha = hashlib.sha256()
        for array in (self.train.x, self.train.y, self.test.x, self.test.y):
            sha.update(f"{array.dtype}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()[:16]

    def take(self, n_train: int | None = None, n_test: int | None = None) -> "Dataset":
        """Keep the first examples of each split; None keeps all.

        Raises:
            ValueError: if more are asked for than there are.
        """
        splits = []
        for split_name, split, n in (("train", self.train, n_train), ("test", self.test, n_test)):
            if n is None:
                n = len(split)
            if not 0 < n <= len(split):
                raise ValueError(
                    f"{self.name} has {len(split)} {split_name} examples, got n_{split_name}={n}"
                )
            splits.append(Split(split.x[:n], split.y[:n]))
        return Dataset(self.name, splits[0], splits[1], self.class_names)


def _check(where: str, split: Split, classes: int) -> None:
    x, y = split.x, split.y
    if x.ndim != 4 or x.dtype != np.float32:
        raise ValueError(
            f"{where}: images must be float32 (N, H, W, C), got {x.dtype} {x.shape}"
            f"{_image_remedy(x)}"
        )
    if y.shape != (len(x),):
        raise ValueError(f"{where}: labels must be int64 ({len(x)},), got {y.dtype} {y.shape}")
    if len(x) == 0:
        raise ValueError(f"{where}: there are no examples")
    if not np.isfinite(x).all():
        raise ValueError(f"{where}: images hold NaN or infinite values")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"{where}: images must lie in [0, 1], got [{x.min():g}, {x.max():g}]")
    if y.min() < 0 or y.max() >= classes:
        raise ValueError(
            f"{where}: labels must lie in 0..{classes - 1} ({classes} classes), "
            f"got {y.min()}..{y.max()}"
        )


def held_out(split: Split, share: float) -> tuple[Split, Split]:
    """Hold the last share of the examples out, at least one.

    Raises:
        ValueError: if that leaves nothing to train on.
    """
    count = max(1, round(share * len(split)))
    if count >= len(split):
        raise ValueError(f"cannot hold {count} of {len(split)} training examples out")
    return Split(split.x[:-count], split.y[:-count]), Split(split.x[-count:], split.y[-count:])


def _image_remedy(x: np.ndarray) -> str:
    if x.ndim == 3:
        return "; images of one channel: use x[..., np.newaxis]"
    if x.ndim != 4:
        return ""
    return "; use x.astype('float32')" + (" / 255" if x.dtype == np.uint8 else "")


def evenly_by_class(y: np.ndarray, n: int) -> np.ndarray:
    """Row numbers of n examples, all classes in proportion, the same on every machine.

    Args:
        y: int (N,), labels.
        n: how many; all where there are no more.

    Example:
        >>> evenly_by_class(np.array([1, 0, 1, 1, 0, 1]), 3)
        array([0, 1, 3])
    """
    if n >= len(y):
        return np.arange(len(y))
    by_class = np.argsort(y, kind="stable")
    return np.sort(by_class[(np.arange(n) * len(y)) // n])
