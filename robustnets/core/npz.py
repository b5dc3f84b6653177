"""Reads `.npz` files whole, every byte checked, without unpickling anything.

`numpy.load` gives what a damaged file happens to hold: it reads a compressed array no further than
its last value, and so may never come to the checksum.
"""

import errno
import io
import math
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robustnets.core.store import Damaged

# DEFLATE makes nothing smaller than by this factor
_MOST = 1032
_TAIL = 2**16 + 22  # bytes in which the end record of a zip file lies
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Pickled(Damaged):
    """An array of Python objects, which only pickle reads."""


def read_arrays(
    path: Path, check: Callable[[Sequence[str]], object] | None = None
) -> dict[str, np.ndarray]:
    """Read all arrays of an `.npz` file.

    Args:
        path: the file.
        check: called with the names of the arrays before any is read; what it raises goes through.

    Returns:
        The arrays by name, writable. What a header claims beyond what the file holds is refused
        before memory is asked for.

    Raises:
        OSError: if the file cannot be opened.
        Damaged: if it is empty, cut short, holds other bytes than were written, or is none.
        Pickled: if it holds Python objects.
    """

    def read(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if check is not None:
            try:
                check(list(members))
            except Exception as refused:
                raise _Refused(refused) from refused
        return {name: _array(path, archive, name, info) for name, info in members.items()}

    return _in_archive(path, read)


def check_archive(path: Path) -> None:
    """Read a zip file, such as a `.keras` file, to its end, and compare every checksum.

    Raises:
        OSError: if the file cannot be opened.
        Damaged: if it is empty, cut short, holds other bytes than were written, or is none.
    """

    def read(archive: zipfile.ZipFile) -> None:
        for info in archive.infolist():
            _check_size(path, archive, info)
        bad = archive.testzip()
        if bad is not None:
            raise Damaged(path, f"{bad} has another checksum than was written")

    _in_archive(path, read)


class _Refused(Exception):
    """Carries what a caller's own check raised past the handling of damage."""


def _in_archive(path: Path, read: Callable[[zipfile.ZipFile], Any]) -> Any:
    path = Path(path)
    with open(path, "rb") as file:
        if not file.read(1):
            raise Damaged(path, "it is empty")
        try:
            with zipfile.ZipFile(file) as archive:
                _check_count(path, archive)
                return read(archive)
        except (Damaged, MemoryError):
            raise
        except _Refused as refused:
            raise refused.args[0] from None
        except Exception as problem:  # zipfile, zlib, struct and NumPy have a dozen for bad bytes
            if isinstance(problem, OSError) and problem.errno not in (None, errno.EINVAL):
                raise  # the disk's, not the file's
            said = " ".join(str(problem).split()) or type(problem).__name__
            raise Damaged(path, said) from problem


def _check_count(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse a directory that has lost members, which a wrong length in one entry does."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")  # the end record; its count is at offset 10
    count = int.from_bytes(tail[place + 10 : place + 12], "little")
    if place < 0 or (count != len(archive.infolist()) and count != 0xFFFF):
        raise Damaged(path, f"it holds {count} members and lists {len(archive.infolist())}")


def _check_size(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Refuse a member that claims more than the file can hold."""
    whole = path.stat().st_size
    if info.compress_type not in _METHODS or info.compress_size > whole:
        raise Damaged(path, f"{info.filename} claims what the file cannot hold")
    if info.file_size > _MOST * (info.compress_size + 1):
        raise Damaged(path, f"{info.filename} claims {info.file_size} bytes")


def _array(path: Path, archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> np.ndarray:
    _check_size(path, archive, info)
    data = bytearray(info.file_size)
    with archive.open(info) as member:
        member.readinto(data)  # type: ignore[attr-defined]
        member.read()  # to its end, where the checksum is compared
    head = io.BytesIO(memoryview(data)[: 2**16])
    version = np.lib.format.read_magic(head)
    if version == (1, 0):
        shape, in_columns, dtype = np.lib.format.read_array_header_1_0(head)
    elif version == (2, 0):
        shape, in_columns, dtype = np.lib.format.read_array_header_2_0(head)
    else:
        raise Damaged(path, f"{name} is of version {version}, which holds no plain array")
    if dtype.hasobject:
        raise Pickled(path, f"{name} has dtype object, which only pickle reads")
    start, size = head.tell(), math.prod(shape)
    if min(shape, default=0) < 0 or size * dtype.itemsize != len(data) - start:
        raise Damaged(
            path, f"{name} claims to be {dtype} {shape} in {len(data) - start} bytes of data"
        )
    if size * dtype.itemsize == 0:
        return np.zeros(shape, dtype)
    return np.ndarray(shape, dtype, data, start, order="F" if in_columns else "C")
