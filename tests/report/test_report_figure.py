"""Figures: told apart without colour, and the same bytes each time."""

import numpy as np
import pytest

from robustnets.report import figure as f
from robustnets.report import style
from robustnets.stats.intervals import Interval

X = np.linspace(0, 0.3, 7)
# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB
DEUTERANOPIA = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
PROTANOPIA = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]


def curves(n=3):
    return [f.Series(f"s{i}", X, 1 - i * X, 0.9 - i * X, 1.1 - i * X) for i in range(n)]


def interval(x, half=0.01):
    return Interval(x, x - half, x + half, 100, "Wilson 95 %")


def drawings():
    panels = [f.Panel(t, curves(), "epoch", "loss", y_log=True) for t in ("a", "b")]
    points = [f.Point(f"p{i}", interval(0.9 + i / 99), 0.1 * i, "ab"[i % 2]) for i in range(5)]
    dots = [f.Dots("a", interval(0.97), (0.96, 0.98), 0.975), f.Dots("b", reported=0.5)]
    images = np.random.default_rng(0).random((2, 3, 5, 4, 1))
    thresholds = [f.Threshold(0.1, "guessing"), f.Threshold(0.2, "ε", axis="x")]
    return {
        "lines": f.line_figure(curves(), "ε", "accuracy", "Title", thresholds, percent=True),
        "panels": f.panels_figure(panels, columns=1, share_y=True),
        "scatter": f.scatter_figure(points, "clean", "robust", percent=True),
        "dots": f.bar_or_dot_figure(dots, "accuracy", percent=True),
        "images": f.image_grid(images, ["a", "b"], ["x", "y", "z"], [["1 → 2"] * 3] * 2),
    }


def luminance(hexadecimal):
    return float(linear(hexadecimal) @ [0.2126, 0.7152, 0.0722])


def linear(hexadecimal):
    rgb = np.array([int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def test_the_first_colours_stand_out_from_paper():
    contrast = [1.05 / (luminance(c) + 0.05) for c in f.PALETTE]
    assert min(contrast[:3]) >= 3  # WCAG 2.2, 1.4.11, for graphics
    assert min(contrast) >= 2


@pytest.mark.parametrize("eyes", [np.eye(3), DEUTERANOPIA, PROTANOPIA])
def test_colours_stay_apart_for_colour_blind_readers(eyes):
    seen = [np.clip(np.array(eyes) @ linear(c), 0, 1) ** (1 / 2.2) for c in f.PALETTE]
    apart = [np.abs(a - b).max() for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 0.1


def test_series_differ_without_colour():
    looks = {(style.color(i), style.marker(i)) for i in range(56)}
    assert len(looks) == 56
    axes = f.line_figure(curves(8), "x", "y").axes[0]
    assert len({line.get_marker() for line in axes.lines}) == 8


def test_one_label_looks_the_same_in_every_panel():
    a, b = f.Series("a", X, X), f.Series("b", X, X)
    drawn = f.panels_figure([f.Panel("1", [a, b]), f.Panel("2", [b])])
    assert drawn.axes[0].lines[1].get_color() == drawn.axes[1].lines[0].get_color()
    assert len(drawn.legends[0].get_texts()) == 2


def test_same_numbers_same_bytes(tmp_path):
    for (stem, first), second in zip(drawings().items(), drawings().values(), strict=True):
        pairs = [
            f.save(f.Figure(stem, "caption", "alt", build), tmp_path / str(i))
            # a second save of one drawing must not move anything either
            for i, build in enumerate((first, second, first)[: 3 if stem == "lines" else 2])
        ]
        for kind in (0, 1):
            assert len({pair[kind].read_bytes() for pair in pairs}) == 1, (stem, kind)
        png, svg = pairs[0]
        assert png.read_bytes().startswith(b"\x89PNG")
        assert b"dc:date" not in svg.read_bytes()
        assert b"atplotlib v" not in svg.read_bytes() + png.read_bytes()


def test_drawing_leaves_the_users_settings_alone():
    import matplotlib

    matplotlib.rcParams["font.size"] = 31
    try:
        f.line_figure(curves(), "x", "y")
        assert matplotlib.rcParams["font.size"] == 31
    finally:
        matplotlib.rcParams["font.size"] = matplotlib.rcParamsDefault["font.size"]


def test_rates_are_labelled_in_percent_with_equal_decimals():
    axes = f.line_figure([f.Series("a", X, 0.97 + X / 50)], "x", "y", percent=True).axes[0]
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert all(label.endswith("%") for label in labels)
    assert len({len(label.split(".")[-1]) for label in labels if label != "100.0%"}) == 1


def test_legend_and_title_do_not_cover_the_plot():
    for name, drawn in drawings().items():
        drawn.draw_without_rendering()
        top = max(ax.get_tightbbox().y1 for ax in drawn.axes)
        for legend in drawn.legends:
            assert legend.get_window_extent().y0 > top - 1, name
            assert legend.get_window_extent().x1 <= drawn.bbox.x1, name
        for text in drawn.texts:
            assert text.get_window_extent().y0 > top - 1, name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: f.Series("s", X, X[:3]), r"y is \(3,\), x is \(7,\)"),
        (lambda: f.Series("s", X, X, low=X), "both low and high"),
        (lambda: f.Series("s", [], []), "P >= 1"),
        (lambda: f.Threshold(1, axis="z"), "axis must be"),
        (lambda: f.line_figure([], "x", "y"), "no series"),
        (lambda: f.panels_figure([]), "need panels"),
        (lambda: f.scatter_figure([], "x", "y"), "empty"),
        (lambda: f.Dots("d"), "is empty"),
        (lambda: f.bar_or_dot_figure([f.Dots("d", reported=1.0)] * 2, "x"), "differ"),
        (lambda: f.image_grid(np.zeros((2, 3, 4, 4)), [], []), "images must be"),
        (lambda: f.image_grid(np.zeros((1, 1, 4, 4, 1)), ["a"], []), "as many labels"),
        (lambda: f.image_grid(np.full((1, 1, 4, 4, 1), 2.0), ["a"], ["b"]), r"in \[0, 1\]"),
        (lambda: f.Figure("../x", "c", "a", None), "stem"),
        (lambda: f.Figure("x", "c", " ", None), "alt text"),
    ],
)
def test_bad_figures_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
