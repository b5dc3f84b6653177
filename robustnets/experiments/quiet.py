"""Import the backend without its banner."""

import os
import sys


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
