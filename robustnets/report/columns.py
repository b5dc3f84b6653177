"""Tables written column by column: a head and what stands under it, side by side."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from robustnets.report.cells import Cell
from robustnets.report.table import Table


def table_of(
    rows: Mapping[Any, Any] | Iterable[Any],
    columns: Mapping[str, Callable[..., Cell] | None],
    caption: str = "",
) -> Table:
    """Make a table of what each column says about each row.

    Args:
        rows: a mapping, whose columns are called with a key and its value; or an iterable, whose
            columns are called with an item, or with the parts of an item that is a tuple.
        columns: by its head, what stands in a column; None leaves the column out.
        caption: of the table.

    Raises:
        ValueError: as for `Table`.

    Example:
        >>> columns = {"name": lambda name, group: name, "n": lambda name, group: len(group)}
        >>> found = table_of({"A": [1, 2], "B": [3]}, columns)
        >>> found.columns, found.rows
        (('name', 'n'), (('A', 2), ('B', 1)))
    """
    items = rows.items() if isinstance(rows, Mapping) else rows
    told = {head: tell for head, tell in columns.items() if tell is not None}
    return Table(
        tuple(told),
        tuple(
            tuple(tell(*item) if isinstance(item, tuple) else tell(item) for tell in told.values())
            for item in items
        ),
        caption,
    )
