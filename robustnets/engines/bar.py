"""A progress bar for attacks."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def bar(name: str, progress: Callable[[int, int], None] | bool) -> Iterator[Callable]:
    """A function of (examples done, of how many) that shows them.

    Args:
        name: what stands before the bar.
        progress: True for a bar on standard error, False for nothing, or such a function.
    """
    if callable(progress):
        yield progress
        return
    if not progress:
        yield lambda done, total: None
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        "{task.description}",
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(name, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
