"""The folder of everything computed, addressed by the digest of what made it."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file so that a reader sees all of it or none, even after a crash.

    Args:
        path: where the file shall be; its folder is made.
        write: called with a temporary path of the same suffix, in the same folder.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that nobody else can read
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def default_root() -> Path:
    """`ROBUSTNETS_HOME`, or the platform's folder for user data."""
    named = os.environ.get("ROBUSTNETS_HOME")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("robustnets", appauthor=False))


class Store:
    """Files under `root/kind/ab/abcdef….suffix`.

    Args:
        root: the folder, made when first written to; None is `default_root()`.
    """

    def __init__(self, root: str | os.PathLike | None = None):
        self.root = Path(root).expanduser() if root is not None else default_root()

    def path(self, kind: str, digest: str, suffix: str) -> Path:
        """Where the thing is or would be."""
        return self.root / kind / digest[:2] / f"{digest}{suffix}"

    def has(self, kind: str, digest: str, suffix: str) -> bool:
        """Whether the thing was finished."""
        return self.path(kind, digest, suffix).is_file()

    def write(self, kind: str, digest: str, suffix: str, write: Callable[[Path], object]) -> Path:
        """Write the thing atomically with `write(path)`."""
        return write_atomically(self.path(kind, digest, suffix), write)


def store_of(store: Store | str | os.PathLike | None) -> Store | None:
    """A store, or the one in a folder; None stays None.

    Raises:
        ValueError: for anything else.
    """
    if store is None or isinstance(store, Store):
        return store
    if isinstance(store, (str, os.PathLike)):
        return Store(store)
    raise ValueError(f"store must be a Store, a folder or None, got {store!r}")
