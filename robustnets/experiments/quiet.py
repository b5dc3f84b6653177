"""Keras' backend: its name before it is imported, and its import without a banner."""

import json
import os
import sys
from pathlib import Path


def backend_name() -> str:
    """The backend that Keras uses or will use, told without importing it."""
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    if "KERAS_BACKEND" in os.environ:
        return os.environ["KERAS_BACKEND"]
    config = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "keras.json"
    if config.is_file():
        return json.loads(config.read_text()).get("backend", "tensorflow")
    return "tensorflow"


def quiet_backend(threads: int = 0) -> None:
    """Import Keras with the backend's start-up messages dropped; errors still come through.

    TensorFlow's C++ start-up lines go to file descriptor 2 before its log level is read,
    so the descriptor itself is pointed elsewhere while the module loads.

    Args:
        threads: TensorFlow threads; 0 leaves the default. Has an effect only before
            the first tensor is made.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        from robustnets import backend

        if threads:
            backend.use_threads(threads)
        backend.describe()
        backend.silence()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
