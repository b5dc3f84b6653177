"""CIFAR-10: 50000 and 10000 photographs of ten classes, 32 x 32 in colour.

Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
"""

import os

from robustnets.core.dataset import Dataset
from robustnets.data import npz, sources

FILE = "cifar10.npz"
CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
# Releases of Keras differ in the name they keep the archive under
_CACHED = ("cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz")


def load(data_dir: str | os.PathLike | None = None) -> Dataset:
    """Load CIFAR-10, (50000, 32, 32, 3) and (10000, 32, 32, 3); 740 MB as float32.

    Args:
        data_dir: folder holding `cifar10.npz`; None is `ROBUSTNETS_DATA`. If the file is not
            there, Keras' own copy is taken, downloaded if need be.

    Raises:
        FileNotFoundError: if what was named is not a folder.
        ValueError: if the file is not CIFAR-10.
        DataUnavailable: if the data are nowhere and there is no network.
    """
    where, arrays = sources.arrays_of(FILE, data_dir, "cifar10")
    npz.check_layout(where, arrays, (32, 32, 3), (50000, 10000))
    return npz.to_dataset("cifar10", where, arrays, CLASS_NAMES)


def locate(data_dir: str | os.PathLike | None = None) -> str:
    """Where `load` would take it from: "folder PATH", "Keras cache PATH" or "download"."""
    return sources.locate_file(FILE, _CACHED, data_dir)
