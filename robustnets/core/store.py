"""The folder of everything computed, addressed by the digest of what made it."""

import contextlib
import os
import secrets
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

TEMPORARY = ".writing-"  # how the name of a file begins that is not finished yet
ASIDE = ".damaged"  # how the name of a file ends that was set aside


class Damaged(ValueError):
    """A file holds something else than was written into it, or was never what it should be.

    Args:
        path: the file.
        why: what is wrong with it, a clause.
    """

    def __init__(self, path: Path, why: str):
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"{self.path} is damaged: {self.why}"


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file so that a reader sees all of it or none, even after a crash.

    Args:
        path: where the file shall be; its folder is made.
        write: called with a temporary path of the same suffix, in the same folder.

    Returns:
        The path.

    Raises:
        OSError: naming the path, if the disk is full or does not take it.
    """
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # made here with the mode of an ordinary file, of which the system takes the umask off
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        write(temporary)
        os.replace(temporary, path)
    except OSError as problem:
        raise _about(path, problem) from problem
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def _about(path: Path, problem: OSError) -> OSError:
    """The same problem with the path that it is about: writers do not know, or say a temporary's.

    HDF5 gives no number, but puts the system's words into its own.
    """
    if problem.errno is None:
        return OSError(f"cannot write {path}: {' '.join(str(problem).split())}")
    return OSError(problem.errno, os.strerror(problem.errno), str(path))


def set_aside(path: Path, seen: os.stat_result | None = None) -> Path | None:
    """Rename a damaged file to NAME.damaged; one such file is kept, the last.

    Args:
        path: the file.
        seen: what it was when it was read: a file that was replaced since is left alone.

    Returns:
        Where it is now; None where it was left alone, is gone, or cannot be renamed.
    """
    aside = path.with_name(path.name + ASIDE)
    try:
        now = path.stat()
        if seen is not None and not (os.path.samestat(now, seen) and now.st_mtime == seen.st_mtime):
            return None
        os.replace(path, aside)
    except OSError:
        return None
    return aside


def read_or_set_aside(path: Path, reader: Callable[[Path], T]) -> T | None:
    """Read a file that can be computed again, if it is there and whole.

    Args:
        path: the file.
        reader: called with the path; raises `Damaged` for anything but what was written.

    Returns:
        What the reader gives. None where there is no such file, and where it is damaged: a warning
        then names it, and it is set aside.

    Raises:
        OSError: if the file is there and cannot be read.
    """
    try:
        seen = path.stat()
        return reader(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Damaged as problem:
        aside = set_aside(path, seen)
        kept = "" if aside is None else f", set aside as {aside.name}"
        warnings.warn(f"{problem}; it is computed again{kept}", stacklevel=2)
        return None


def check_folder(folder: Path) -> None:
    """Find out before any work whether files can be written below a folder; leaves no trace.

    Raises:
        ValueError: if it, or what it would be made in, is no folder.
        OSError: naming the folder, if nothing can be written there.
    """
    place = folder = Path(folder).expanduser().absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise ValueError(f"{place} is no folder; name another one, or move that file away")
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"x")
            file.flush()
    except OSError as problem:
        why = f"cannot be written to ({problem.strerror})"
        raise OSError(problem.errno, why, str(folder)) from problem


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder, so that of several processes that do so one works at a time.

    Where the system or the disk knows no such locks, nothing is held. The folder must be there.
    """
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


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

    def read(self, kind: str, digest: str, suffix: str, reader: Callable[[Path], Any]) -> Any:
        """What `reader(path)` makes of the thing; None where it is not there or damaged.

        See `read_or_set_aside`.
        """
        return read_or_set_aside(self.path(kind, digest, suffix), reader)

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
