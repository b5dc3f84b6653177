"""The store: whole files or none."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from robustnets.core.store import Store, check_folder, default_root, write_atomically


def test_write(tmp_path):
    seen = []

    def write(path):
        seen.append(path)
        path.write_bytes(b"whole")

    target = tmp_path / "deep" / "er" / "thing.npz"
    assert write_atomically(target, write) == target
    assert target.read_bytes() == b"whole"
    (temporary,) = seen
    assert temporary != target
    assert (temporary.parent, temporary.suffix) == (target.parent, ".npz")
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_nothing_behind(tmp_path, error):
    def fail(path):
        path.write_bytes(b"half")
        raise error("in the middle")

    target = tmp_path / "thing.npz"
    with pytest.raises(error, match="in the middle"):
        write_atomically(target, fail)
    assert list(tmp_path.iterdir()) == []

    target.write_bytes(b"old")
    with pytest.raises(error, match="in the middle"):
        write_atomically(target, fail)
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_mode_honours_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        path = write_atomically(tmp_path / "a.txt", lambda p: p.write_text("x"))
        assert os.umask(umask) == umask  # asking for it has not changed it
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_store(tmp_path):
    store = Store(tmp_path / "store")
    path = store.path("records", "abcdef", ".npz")
    assert path == tmp_path / "store" / "records" / "ab" / "abcdef.npz"
    assert not store.has("records", "abcdef", ".npz")
    assert not (tmp_path / "store").exists()  # asking makes nothing
    assert store.write("records", "abcdef", ".npz", lambda p: p.write_bytes(b"x")) == path
    assert store.has("records", "abcdef", ".npz")
    assert not store.has("records", "abcdef", ".keras")
    assert not store.has("networks", "abcdef", ".npz")


def test_root(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTNETS_HOME", str(tmp_path / "named"))
    assert default_root() == Store().root == tmp_path / "named"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROBUSTNETS_HOME", "~/there")
    assert default_root() == tmp_path / "there"
    assert Store("~/here").root == tmp_path / "here"
    monkeypatch.delenv("ROBUSTNETS_HOME")
    assert default_root().is_absolute()
    assert "robustnets" in default_root().name
    assert isinstance(default_root(), Path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_disk_that_takes_nothing_more_names_the_path(tmp_path, number):
    """A writer says nothing of a path, or the temporary one."""
    target = tmp_path / "deep" / "thing.npz"
    for named in ((), (str(tmp_path / ".writing-1.npz"),)):

        def fail(path, named=named):
            path.write_bytes(b"half")
            raise OSError(number, os.strerror(number), *named)

        with pytest.raises(OSError, match=os.strerror(number)) as said:
            write_atomically(target, fail)
        assert (said.value.errno, said.value.filename) == (number, str(target))
        assert list(target.parent.iterdir()) == []


def test_words_without_a_number_are_kept(tmp_path):
    def fail(path):
        raise OSError("Can't write data (No space left on device)")

    with pytest.raises(OSError, match=r"cannot write .*thing\.h5: Can't write data \(No space"):
        write_atomically(tmp_path / "thing.h5", fail)


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from robustnets.core.store import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path(sys.argv[1]), lambda p: np.savez(p, x=np.zeros(10**6)))
except OSError as problem:
    print(problem.filename, problem.strerror, sep="|")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a Unix")
def test_a_real_limit(tmp_path):
    target = tmp_path / "large.npz"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(target)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{target}|File too large"
    assert list(tmp_path.iterdir()) == []


def test_the_umask_is_not_touched(tmp_path, monkeypatch):
    """It belongs to the whole process: another thread's files would get the wrong mode."""

    def touched(mask):
        raise AssertionError("the umask was set")

    monkeypatch.setattr(os, "umask", touched)
    write_atomically(tmp_path / "a.txt", lambda p: p.write_text("x"))


def test_check_folder(tmp_path):
    check_folder(tmp_path)
    check_folder(tmp_path / "not" / "yet" / "there")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    for below in ("file", "file/deeper"):
        with pytest.raises(ValueError, match=r"file is no folder; name another one, or move"):
            check_folder(tmp_path / below)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="dangling is no folder"):
        check_folder(tmp_path / "dangling")


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder that takes no files")
def test_a_folder_that_takes_no_files():
    with pytest.raises(OSError, match="/proc/some/where"):
        check_folder(Path("/proc/some/where"))
