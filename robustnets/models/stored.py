"""Models that this package wrote itself, read back from a store."""

from pathlib import Path

import keras

from robustnets import backend
from robustnets.core.npz import check_archive
from robustnets.core.store import Damaged


def read_stored(path: Path) -> keras.Model:
    """Read a `.keras` file in safe mode, every byte checked: Keras would take damaged weights.

    Raises:
        OSError: if the file cannot be opened.
        Damaged: if it is damaged, or this Keras cannot make a model of it.
    """
    check_archive(path)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as problem:  # every layer has its own
        if backend.is_out_of_memory(problem):
            raise
        said = " ".join(str(problem).split()) or type(problem).__name__
        raise Damaged(path, f"Keras makes no model of it ({said[:200]})") from problem
