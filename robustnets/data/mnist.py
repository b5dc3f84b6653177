"""MNIST: 60000 and 10000 handwritten digits, 28 x 28.

Source: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document
recognition.
"""

import os

from robustnets.core.dataset import Dataset
from robustnets.data import npz, sources

FILE = "mnist.npz"
CLASS_NAMES = tuple("0123456789")


def load(data_dir: str | os.PathLike | None = None) -> Dataset:
    """Load MNIST, (60000, 28, 28, 1) and (10000, 28, 28, 1).

    Args:
        data_dir: folder holding `mnist.npz`; None is `ROBUSTNETS_DATA`. If the file is not
            there, Keras' own copy is taken, downloaded if need be.

    Raises:
        FileNotFoundError: if what was named is not a folder.
        ValueError: if the file is not MNIST.
        DataUnavailable: if the data are nowhere and there is no network.
    """
    where, arrays = sources.arrays_of(FILE, data_dir, "mnist")
    npz.check_layout(where, arrays, (28, 28), (60000, 10000))
    return npz.to_dataset("mnist", where, arrays, CLASS_NAMES)


def locate(data_dir: str | os.PathLike | None = None) -> str:
    """Where `load` would take it from: "folder PATH", "Keras cache PATH" or "download"."""
    return sources.locate_file(FILE, (FILE,), data_dir)
