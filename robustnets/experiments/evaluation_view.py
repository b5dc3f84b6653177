"""The live view of an evaluation: who attacks, how many are done, who still stands, time left."""

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from robustnets.report.cells import seconds

if TYPE_CHECKING:
    from robustnets.evaluation.evaluate import Moment

QUIET_SECONDS = 20.0


class EvaluationView:
    """Two bars on a terminal; in a log a line for each attack, and now and then in between.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console):
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._all = self.progress.add_task("evaluation", total=None, text="loading")
        self._now = self.progress.add_task("", total=None, text="", visible=False)
        self._said, self._attack = time.monotonic(), ""

    def __enter__(self) -> "EvaluationView":
        self.progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.progress.stop()

    def show(self, moment: "Moment") -> None:
        """Draw one moment."""
        left = "" if moment.left is None else f", about {seconds(moment.left)} left"
        at = moment.standing
        if not self.console.is_terminal:
            self._log(moment, left)
            return
        self.progress.update(
            self._all, description=moment.stage, completed=moment.number, total=moment.of,
            text=f"{moment.number + 1} of {moment.of}{left}",
        )  # fmt: skip
        if at is not None:
            self.progress.update(
                self._now, description=f"  {at.attack}", completed=at.done, total=at.examples,
                text=_counts(moment), visible=True,
            )  # fmt: skip

    def _log(self, moment: "Moment", left: str) -> None:
        at = moment.standing
        attack = moment.stage
        if at is not None and moment.stage != "checks":
            attack += f": {at.attack} {at.number}"
        now = time.monotonic()
        if attack == self._attack and now - self._said < QUIET_SECONDS:
            return
        self._attack, self._said = attack, now
        done = "" if at is None else f": {at.attack}, {_counts(moment)}"
        self.console.print(
            f"{moment.number + 1} of {moment.of} {moment.stage}{done}{left}",
            highlight=False,
            soft_wrap=True,
        )


def _counts(moment: "Moment") -> str:
    at = moment.standing
    if at is None:
        return ""
    what = "" if moment.stage == "checks" else " examples"
    return f"{at.done} of {at.examples}{what}, {at.robust} still robust"
