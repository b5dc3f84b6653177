"""Seconds until the command line answers, each time in a new process."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import machine, timing
from benchmarks.measured import Goal, Measured
from benchmarks.scale import Scale

EMPTY, HELP, REPORT = "python, nothing imported", "robustnets --help", "robustnets report"
# what the entry point does, then whether TensorFlow came along
COMMAND = """
import sys
sys.argv = ["robustnets", *sys.argv[1:]]
from robustnets.cli import main
try:
    main()
except SystemExit as ended:
    if ended.code:
        raise
print("loaded" if "tensorflow" in sys.modules else "free", file=sys.stderr)
"""


def run(
    scale: Scale, progress: Callable[[int, int], None], reports: Path = Path("reports")
) -> Measured:
    """Time it.

    Args:
        scale: gives the rounds, five at most.
        progress: called with (rounds done, rounds).
        reports: folder of published Records; a copy of it is what `robustnets report` writes.

    Raises:
        RuntimeError: if a command fails or loads TensorFlow.
    """
    sides = {EMPTY: lambda: _call("-c", "pass"), HELP: lambda: _robustnets("--help")}
    notes = []
    with tempfile.TemporaryDirectory() as copy:
        chapters = [path.parent for path in sorted(reports.glob("*/run.json"))]
        for chapter in chapters:
            shutil.copytree(chapter, Path(copy) / chapter.name)
        if chapters:
            sides[REPORT] = lambda: _robustnets("report", "--out", copy)
            count = len(list(Path(copy).glob("*/records/*.npz")))
            notes.append(
                f"`robustnets report` wrote {len(chapters)} chapters from {count} Records, with "
                "all their tables and figures."
            )
        else:
            notes.append(f"`robustnets report` was left out: no chapter has Records in {reports}.")
        seconds = timing.interleaved(sides, min(5, scale.rounds), progress=progress)
    return Measured(
        "startup",
        "The command line",
        "Wall-clock seconds of whole processes, after one that warms the file cache. Neither "
        "command loads TensorFlow: a process that did would have failed this benchmark.",
        seconds,
        (EMPTY,),
        (Goal(HELP, 0.5),),
        machine.versions("typer", "matplotlib"),
        tuple(notes),
    )


def _robustnets(*arguments: str) -> None:
    said = _call("-c", COMMAND, *arguments)
    if said.split()[-1:] != ["free"]:
        raise RuntimeError(f"robustnets {' '.join(arguments)} loaded TensorFlow")


def _call(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"python {arguments[-1]} failed: {done.stderr.strip()}")
    return done.stderr
