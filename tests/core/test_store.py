"""The store: whole files or none."""

import os
import stat
from pathlib import Path

import pytest

from robustnets.core.store import Store, default_root, write_atomically


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
