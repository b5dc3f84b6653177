"""Keras' backend: its name before it is imported, and its import without a banner."""

import importlib.util
import json
import os
import sys
from pathlib import Path

# TensorFlow threads in each process of a run, so that neither how many processes there are nor how
# many cores changes a byte: the number decides in which order sums are made. Two processes on two
# cores pay 5 % of processor time for the second thread; a process alone has both cores.
THREADS = 2

# of `robustnets.backend.SUPPORTED`, which is there only once Keras is
BACKENDS = ("tensorflow", "jax")


def backend_name() -> str:
    """The backend that Keras uses or will use, told without importing it.

    Raises:
        ValueError: naming Keras' configuration file, if it cannot be read.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    path = _configuration()
    if not path.is_file():
        return "tensorflow"
    try:
        config = json.loads(path.read_text())
    except (ValueError, OSError) as problem:
        raise ValueError(f"{path} is no JSON ({problem}); {_MEND}") from problem
    if not isinstance(config, dict) or not isinstance(config.get("backend", ""), str):
        raise ValueError(f"{path} does not configure Keras: {str(config)[:80]}; {_MEND}")
    return config.get("backend", "tensorflow")


_MEND = "mend or delete it, or name another folder with KERAS_HOME"


def _configuration() -> Path:
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"


def check_backend() -> str:
    """The backend, if it is one that this package runs on and whose library is there.

    Raises:
        ValueError: for another backend, or a configuration file that cannot be read.
        ModuleNotFoundError: if its library is missing, naming the extra that has it.
    """
    name = backend_name()
    if name not in BACKENDS:
        by = "KERAS_BACKEND" if os.environ.get("KERAS_BACKEND") else _configuration()
        raise ValueError(
            f"robustnets runs on the {' and '.join(BACKENDS)} backends of Keras, got {name!r} from "
            f"{by}; set KERAS_BACKEND=tensorflow"
        )
    if name not in sys.modules and importlib.util.find_spec(name) is None:
        remedy = " 'robustnets[jax]'" if name == "jax" else " tensorflow"
        raise ModuleNotFoundError(
            f"Keras is to run on {name}, which is not installed: pip install{remedy}"
        )
    return name


def quiet_backend(threads: int = 0) -> None:
    """Import Keras with the backend's start-up messages dropped; errors still come through.

    TensorFlow's C++ start-up lines go to file descriptor 2 before its log level is read,
    so the descriptor itself is pointed elsewhere while the module loads.

    Args:
        threads: TensorFlow threads; 0 leaves the default. Has an effect only before
            the first tensor is made.

    Raises:
        ValueError, ModuleNotFoundError: as for `check_backend`; if Keras cannot be imported.
    """
    name = check_backend()
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
    except Exception as problem:  # a configuration file can break Keras in many ways
        said = " ".join(str(problem).split())[:300]
        raise ValueError(
            f"Keras cannot be imported with backend {name} ({type(problem).__name__}: {said}); if "
            f"there is a {_configuration()}, look there"
        ) from problem
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
