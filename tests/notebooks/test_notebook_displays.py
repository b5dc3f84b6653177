"""What a table and a figure give a notebook."""

import numpy as np
import pytest

from robustnets.report.figure import Figure, Series, line_figure
from robustnets.report.table import Percent, Table


def test_a_table_brings_its_style_and_escapes_its_cells():
    table = Table(("name", "rate"), (("<b>", Percent(0.5)),), "A caption.")
    shown = table._repr_html_()
    assert table.to_html() in shown
    assert "<b>" not in shown
    assert shown.count("<style>") == 1
    assert shown.startswith('<div class="rn">')


def test_a_figure_shows_its_picture_and_then_its_caption(capsys, monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    x = np.arange(3.0)
    drawing = line_figure([Series("a", x, x)], "x", "y")
    Figure("line", "Rises by *one*.", "A rising line.", drawing)._ipython_display_()
    picture, caption = shown
    assert picture.data.startswith(b"\x89PNG")
    assert picture.alt == "A rising line."
    assert caption.data == r"Rises by \*one\*."
