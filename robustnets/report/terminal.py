"""A table of a report on the terminal."""

from rich.table import Table as Drawn
from rich.text import Text

from robustnets.report.cells import parts
from robustnets.report.printable import printable
from robustnets.report.table import Table


def drawn(table: Table) -> Drawn:
    """The table as Rich draws it: one column per column, an estimate above its bounds."""
    sides = ["left" if side == "left" else "right" for side in table.alignment]
    # as text: brackets in names are no markup
    out = Drawn(box=None, caption=Text(printable(table.caption)), caption_justify="left")
    for i, (name, side) in enumerate(zip(table.columns, sides, strict=True)):
        out.add_column(Text(printable(name)), justify=side, no_wrap=i == 0)  # type: ignore[arg-type]
    for row in table.rows:
        out.add_row(*(Text("\n".join(parts(cell))) for cell in row))
    return out
