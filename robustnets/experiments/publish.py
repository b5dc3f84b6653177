"""Records and what was run, beside the pages made from them; reports read nothing else."""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from robustnets.core.record import Record
from robustnets.core.spec import digest
from robustnets.core.store import TEMPORARY, Damaged, alone_in, write_atomically

_ABANDONED = 24 * 3600.0  # seconds after which a temporary file is nobody's any more


def nothing(record: Record) -> Collection[str]:
    """No arrays: what most chapters keep."""
    del record
    return ()


def publish(
    records: Sequence[Record],
    run: Mapping[str, Any],
    folder: Path,
    kept: Callable[[Record], Collection[str]] = nothing,
) -> None:
    """Write slim Records and the facts of the run into a chapter's folder.

    Records of an earlier run that this one does not have are removed, after the new ones
    are written. Of two runs that publish into one folder, the later one's Records are there in
    the end.

    Args:
        records: all Records of the chapter.
        run: "command", "scale", "jobs".
        folder: the chapter's folder; gets `records/*.npz` and `run.json`.
        kept: the names of a Record's arrays that its page needs, see `Record.slim`.
    """
    names = set()
    text = json.dumps(dict(run), indent=2, sort_keys=True) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        for record in records:
            path = folder / "records" / f"{digest(dict(record.cell))}.npz"
            record.slim(kept(record)).save(path)
            names.add(path.name)
        write_atomically(folder / "run.json", lambda p: p.write_text(text))
        for path in (folder / "records").glob("*.npz"):
            # another run may be writing a file that is not finished; one that was killed is not
            left = path.name.startswith(TEMPORARY) and _age(path) > _ABANDONED
            if left or (path.name not in names and not path.name.startswith(".")):
                path.unlink(missing_ok=True)


def published(folder: Path) -> tuple[list[Record], dict[str, Any]]:
    """Read what `publish` wrote.

    Raises:
        FileNotFoundError: naming the command that makes it.
        ValueError: naming a file that is damaged, and the same command.
    """
    again = f"`robustnets run {folder.name} --out {folder.parent}`"
    run = folder / "run.json"
    if not run.is_file():
        raise FileNotFoundError(f"there are no Records in {folder}; run {again} first")
    try:
        with alone_in(folder):
            return [Record.load(path) for path in _records(folder)], _facts(run)
    except Damaged as problem:
        raise ValueError(
            f"{problem}; restore it, or write it again with {again} and the options of that run"
        ) from problem


def _age(path: Path) -> float:
    """Seconds since a file was written; 0 where it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _records(folder: Path) -> list[Path]:
    """The published files; not those that a run is writing or was killed over."""
    paths = (folder / "records").glob("*.npz")
    return sorted(path for path in paths if not path.name.startswith("."))


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text())
    except ValueError as problem:
        raise Damaged(path, f"it is no JSON ({problem})") from problem
    if not isinstance(facts, dict):
        raise Damaged(path, "it holds no facts of a run")
    return facts
