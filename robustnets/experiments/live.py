"""The live view of a run: one bar over all, one line per piece of work in progress."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from robustnets.experiments.runner import Event

_QUIET_SECONDS = 30.0


class Live:
    """Shows events of `runner.run` as bars on a terminal, or as a line now and then in a log.

    Args:
        console: where to draw.
        title: of the bar over all.
    """

    def __init__(self, console: Console, title: str):
        self.console = console
        self.title = title
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}", style="dim"),
            console=console,
            disable=not console.is_terminal,
        )
        self._bars = {"all": self.progress.add_task(title, total=None, text="")}
        self._said = time.monotonic()

    def __enter__(self) -> "Live":
        self.progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.progress.stop()

    def show(self, event: Event) -> None:
        """Draw one event."""
        label, done, total, text = event
        if not self.console.is_terminal:
            if time.monotonic() - self._said > _QUIET_SECONDS:
                self._said = time.monotonic()
                self.console.print(f"{self.title}: {label} {done}/{total} {text}", highlight=False)
            return
        if label not in self._bars:
            self._bars[label] = self.progress.add_task(label, total=total, text=text)
        self.progress.update(self._bars[label], completed=done, total=total, text=text)
        if label != "all" and done == total:
            self.progress.remove_task(self._bars.pop(label))
