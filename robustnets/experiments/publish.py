"""Records and what was run, beside the pages made from them; reports read nothing else."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from robustnets.core.record import Record
from robustnets.core.spec import digest
from robustnets.core.store import write_atomically


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
    are written.

    Args:
        records: all Records of the chapter.
        run: "command", "scale", "jobs".
        folder: the chapter's folder; gets `records/*.npz` and `run.json`.
        kept: the names of a Record's arrays that its page needs, see `Record.slim`.
    """
    names = set()
    for record in records:
        path = folder / "records" / f"{digest(dict(record.cell))}.npz"
        record.slim(kept(record)).save(path)
        names.add(path.name)
    text = json.dumps(dict(run), indent=2, sort_keys=True) + "\n"
    write_atomically(folder / "run.json", lambda p: p.write_text(text))
    for path in (folder / "records").glob("*.npz"):
        if path.name not in names:
            path.unlink()


def published(folder: Path) -> tuple[list[Record], dict[str, Any]]:
    """Read what `publish` wrote.

    Raises:
        FileNotFoundError: naming the command that makes it.
    """
    run = folder / "run.json"
    if not run.is_file():
        raise FileNotFoundError(
            f"there are no Records in {folder}; run `robustnets run {folder.name} "
            f"--out {folder.parent}` first"
        )
    # a name that begins with a dot is a file that a killed run did not finish
    paths = sorted((folder / "records").glob("[!.]*.npz"))
    return [Record.load(path) for path in paths], json.loads(run.read_text())
