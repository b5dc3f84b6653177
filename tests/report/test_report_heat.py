"""Heat maps: what is drawn where, and what is refused."""

import numpy as np
import pytest

from robustnets.report import figure as f

VALUES = np.array([[0.1, 0.9, np.nan], [0.2, 0.3, 0.4]])


def drawn(*grids, **how):
    return f.heat_figure(grids, ["a", "b"], ["x", "y", "z"], "columns", "rows", **how)


def written(ax):
    """The numbers in a grid by (row, column); the name of the vertical axis is a text, too."""
    numbers = [t for t in ax.texts if t.get_text() != "rows"]
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t for t in numbers}


def test_numbers_stand_in_their_places():
    (ax,) = drawn(f.Heat("one", VALUES, percent=True)).axes
    texts = {place: t.get_text() for place, t in written(ax).items()}
    assert texts == {(0, 0): "10.0", (0, 1): "90.0", (1, 0): "20.0", (1, 1): "30.0", (1, 2): "40.0"}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y", "z"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_more_is_darker_and_its_number_light():
    (ax,) = drawn(f.Heat("one", VALUES, 0.0, 1.0, digits=2)).axes
    (image,) = ax.images
    assert image.get_clim() == (0.0, 1.0)
    low, high = (sum(image.cmap(image.norm(v))[:3]) for v in (0.1, 0.9))
    assert low > high
    assert written(ax)[0, 1].get_color() == "white"
    assert written(ax)[0, 0].get_color() != "white"
    assert written(ax)[0, 1].get_text() == "0.90"


def test_one_value_throughout_is_light():
    (ax,) = drawn(f.Heat("flat", np.full((2, 3), 0.5))).axes
    assert {t.get_color() for t in ax.texts}.isdisjoint({"white"})


def test_the_marked_place_is_framed_in_every_grid():
    figure = drawn(f.Heat("one", VALUES), f.Heat("two", VALUES), marked=(1, 2))
    for ax in figure.axes:
        (frame,) = [p for p in ax.patches if p.get_width() == 1 and not p.get_fill()]
        assert (frame.get_x(), frame.get_y()) == (1.5, 0.5)


def test_grids_fill_rows():
    figure = drawn(*(f.Heat(str(i), VALUES) for i in range(3)), columns=2)
    assert len(figure.axes) == 3


@pytest.mark.parametrize("values", [np.zeros(3), np.full((2, 3), np.nan)])
def test_values_that_are_no_grid(values):
    with pytest.raises(ValueError, match="grid 'bad' needs values"):
        f.Heat("bad", values)


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="need grids and columns >= 1, got 0 and 2"):
        drawn()
    with pytest.raises(ValueError, match=r"'turned' is \(3, 2\) for 2 row labels and 3 column"):
        drawn(f.Heat("turned", VALUES.T))
