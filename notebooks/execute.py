"""Execute the notebooks again at demo scale and write them back in place.

`python notebooks/execute.py [NAME...] [--check]`; what a run leaves in a notebook besides its
outputs (times, versions, paths) is taken out, so that only a result that changed is a change.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from robustnets.core.store import write_atomically

FOLDER = Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def names() -> list[str]:
    """The notebooks' names without their suffix, in reading order."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def execute(notebook: nbformat.NotebookNode, folder: Path, timeout: int = 900) -> None:
    """Run every cell in a fresh kernel, outputs in place.

    Args:
        notebook: changed in place.
        folder: the kernel's working directory; paths in cells are relative to it.
        timeout: seconds that one cell may take.

    Raises:
        CellExecutionError: of the first cell that fails.
    """
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources=resources,
        extra_arguments=["--Application.log_level=ERROR"],
    ).execute()


def clean(notebook: nbformat.NotebookNode) -> None:
    """Take out what differs from run to run and from machine to machine."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i:02d}"
        cell.metadata = nbformat.from_dict({})


def machine_paths(notebook: nbformat.NotebookNode) -> list[str]:
    """Paths of this machine in the sources and outputs: there should be none."""
    roots = {str(p) for p in (FOLDER.parent, Path.home(), tempfile.gettempdir(), sys.prefix)}
    roots = {root for root in roots if len(root) > 1}
    text = nbformat.writes(notebook)
    return [root for root in sorted(roots) if re.search(rf"{re.escape(root)}\b", text)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute the notebooks that were named; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}; default: all"
    )
    parser.add_argument("--check", action="store_true", help="execute, and write nothing")
    options = parser.parse_args(arguments)
    for name in set(options.names) - set(names()):
        parser.error(f"no notebook {name!r}; there are {', '.join(names())}")
    failed = 0
    for name in options.names or names():
        started = time.monotonic()
        print(f"{name} …", end=" ", flush=True)
        problem = run(FOLDER / f"{name}.ipynb", write=not options.check)
        print(problem or "done", f"({time.monotonic() - started:.0f} s)", flush=True)
        failed += bool(problem)
    return 1 if failed else 0


def run(path: Path, write: bool) -> str:
    """Execute one notebook, and write it if all went well; what went wrong, or ""."""
    notebook = nbformat.read(path, as_version=4)
    try:
        execute(notebook, path.parent)
    except CellExecutionError as problem:
        return f"failed\n{problem}\n"
    clean(notebook)
    paths = machine_paths(notebook)
    if paths:
        return f"not written: paths of this machine in it: {', '.join(paths)}"
    if write:
        write_atomically(path, lambda p: nbformat.write(notebook, str(p)))
    return ""


if __name__ == "__main__":
    sys.exit(main())
