"""Chapters: what each has, its Cells, its words, and that pages need no deep learning."""

import ast
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from robustnets.chapters import CHAPTERS, SCALES, chapter
from robustnets.chapters.filters import cells as filters_cells
from robustnets.chapters.filters import page as filters_page
from robustnets.chapters.stopping import cells as stopping_cells
from robustnets.chapters.stopping import page as stopping_page
from robustnets.core.record import Record
from robustnets.core.spec import to_dict
from robustnets.report import reported
from robustnets.report.seeds import accuracies, as_rate, banded, by_seed, successes

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("slug", CHAPTERS)
def test_what_a_chapter_has(slug):
    found = chapter(slug)
    assert found.slug == slug
    assert found.title
    assert found.question.endswith("?")
    assert set(import_module(f"robustnets.chapters.{slug}.cells").SCALES) == set(SCALES)
    assert reported.load(None, slug)


def test_unknown_chapter():
    with pytest.raises(ValueError, match="no chapter 'sleeping'; there are stopping, filters"):
        chapter("sleeping")


def test_one_list_of_chapters():
    """The catalogue, the packages, the Makefile, the notebooks and the committed pages agree."""
    packages = {p.parent.name for p in (ROOT / "robustnets/chapters").glob("*/cells.py")}
    (made,) = re.findall(r"^CHAPTERS \?= (.*)$", (ROOT / "Makefile").read_text(), re.M)
    notebooks = [p.stem[3:] for p in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")]
    pages = {p.parent.name for p in (ROOT / "reports").glob("*/run.json")}
    assert packages == set(CHAPTERS) == pages
    assert made.split() == list(CHAPTERS)
    assert sorted(n for n in notebooks if n in CHAPTERS) == sorted(CHAPTERS)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("slug", CHAPTERS)
def test_cells(slug, scale):
    cells = chapter(slug).cells(scale)
    assert len(set(cells)) == len(cells)
    two = chapter(slug).cells(scale, seeds=2)
    assert {c.network.seed for c in two} == {0, 1}
    assert set(chapter(slug).cells(scale, seeds=1)) <= set(two)
    other = chapter(slug).cells(scale, "cifar10", 1)
    assert {c.network.dataset.name for c in other} == {"cifar10"}


def test_counts_of_stopping():
    cells = stopping_cells.cells("full")
    # seven configurations, and three more thresholds on each of two trajectories
    assert len(cells) == 10 * (7 + 2 * 3)
    assert Counter(c.network.seed for c in cells) == dict.fromkeys(range(10), 13)
    assert {c.network.dataset.name for c in cells} == {"mnist"}
    assert all(c.attack is None for c in cells)
    assert len({c.network.training for c in cells}) == 2
    assert len(stopping_cells.cells("demo", seeds=1)) == 7 + 2 * 2
    assert {c.network.dataset.name for c in stopping_cells.cells("demo")} == {"digits"}


def test_counts_of_filters():
    cells = filters_cells.cells("full")
    assert {c.network.seed for c in cells} == set(range(10))
    # bare; 5 + 4 + 5 + 5 reconstructions and 5 retrainings, both settings; 3 from scratch
    # for the first three seeds
    expected = {seed: 1 + 2 * (19 + 5 + (3 if seed < 3 else 0)) for seed in range(10)}
    assert Counter(c.network.seed for c in cells) == expected
    assert Counter(c.knowledge for c in cells)["gray-box"] == (len(cells) - 10) / 2
    defenses = {c.network.defense for c in cells} - {None}
    counts = {defense.layer.n_components for defense in defenses}
    assert counts == {784, 331, 100, 20, 10}
    assert {c.epsilons for c in cells} == {tuple(round(0.025 * i, 3) for i in range(13))}
    assert all(filters_cells.ETA in s.etas for s in filters_cells.SCALES.values())


def test_engine_of_filters():
    assert {c.engine for c in filters_cells.cells("demo", seeds=1, engine="art")} == {"art"}


def test_filters_attack_the_network_of_stopping():
    """The undefended network is trained once for both chapters."""
    bare = {c.network for c in filters_cells.cells("full") if c.network.defense is None}
    assert bare <= {c.network for c in stopping_cells.cells("full")}
    assert {c.network.rule.epochs for c in filters_cells.cells("full")} == {500}


def blank(cell):
    n = 4
    return Record(
        cell=to_dict(cell),
        label=np.zeros(n, int),
        clean=np.zeros(n, int),
        epsilons=np.array(cell.epsilons),
        adversarial=np.zeros((len(cell.epsilons), n), int),
    )


def test_conditions_are_the_reported_ones():
    ours = {stopping_page.condition(blank(cell)) for cell in stopping_cells.cells("full", seeds=1)}
    thesis = {row.condition for row in reported.load("thesis", "stopping")}
    assert len(thesis) == 7
    assert thesis <= ours
    assert len(ours) == 13


@pytest.mark.parametrize("scale", SCALES)
def test_roles_follow_the_thesis(scale):
    records = [blank(cell) for cell in stopping_cells.cells(scale, seeds=1)]
    groups = by_seed(records, stopping_page.condition)
    seven = stopping_page._roles(groups)
    assert len(set(seven)) == 7
    thesis = list(dict.fromkeys(row.condition for row in reported.load("thesis", "stopping")))
    if scale == "full":
        assert seven == thesis

    def kind(name):
        return name.split("(")[0].split()[-1], "plateau" in name

    assert [kind(name) for name in seven] == [kind(name) for name in thesis]


# statistics, by hand


def attacked(seed, fooled, n=10, wrong=0):
    """A Record over radii 0.1 and 0.3: so many of n fooled at each; `wrong` never right."""
    clean = np.zeros(n, int)
    clean[n - wrong :] = 1
    adversarial = np.zeros((2, n), int)
    adversarial[:, n - wrong :] = 1
    for row, count in zip(adversarial, fooled):
        row[:count] = 2
    return Record(
        cell={"network": {"seed": seed}},
        label=np.zeros(n, int),
        clean=clean,
        epsilons=np.array([0.1, 0.3]),
        adversarial=adversarial,
    )


def test_success_counts_what_was_right_before():
    group = [attacked(0, (2, 4)), attacked(1, (2, 4), wrong=2)]
    np.testing.assert_allclose(successes(group), [[0.2, 0.4], [0.25, 0.5]], rtol=0, atol=1e-12)
    np.testing.assert_allclose(successes(group, 0.3), [0.4, 0.5], rtol=0, atol=1e-12)
    np.testing.assert_allclose(accuracies(group), [1.0, 0.8], rtol=0, atol=1e-12)
    assert successes([attacked(0, (0, 0), wrong=10)]).tolist() == [[0.0, 0.0]]


def test_mean_success_difference():
    first = [attacked(0, (3, 7)), attacked(1, (4, 4))]
    second = [attacked(0, (1, 6)), attacked(1, (2, 6))]
    # seed 0: ((3 - 1) + (7 - 6)) / 2 / 10; seed 1: ((4 - 2) + (4 - 6)) / 2 / 10
    np.testing.assert_allclose(
        filters_page.mean_success_difference(first, second), [0.15, 0.0], rtol=0, atol=1e-12
    )


def test_by_seed_sorts_and_leaves_out():
    records = [attacked(s, (0, 0)) for s in (2, 0, 1)]
    groups = by_seed(records, lambda r: None if r.cell["network"]["seed"] == 1 else "a")
    assert [r.cell["network"]["seed"] for r in groups["a"]] == [0, 2]
    assert list(groups) == ["a"]


def test_banded():
    values = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.5]])
    series = banded("x", np.arange(3), values)
    np.testing.assert_allclose(series.y, [0.2, 0.2, 0.4], rtol=0, atol=1e-12)
    # two values 0.1 from their mean: t(0.975, 1) = 12.7062, half width 12.7062 * 0.1, but a
    # rate stays in [0, 1]
    np.testing.assert_allclose(series.high, [1, 0.2, 1], rtol=0, atol=1e-4)
    np.testing.assert_allclose(series.low, [0, 0.2, 0], rtol=0, atol=1e-4)
    narrow = banded("x", np.arange(1), np.array([[0.50], [0.52]]))
    np.testing.assert_allclose(narrow.high - narrow.y, 0.127062, rtol=0, atol=1e-5)
    np.testing.assert_allclose(narrow.y - narrow.low, 0.127062, rtol=0, atol=1e-5)
    assert banded("x", np.arange(3), values[:1]).low is None


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((-0.1, 1.2), (0.0, 1.0)),
        ((0.2, 0.3), (0.2, 0.3)),
        ((-np.inf, np.inf), (-np.inf, np.inf)),
    ],
)
def test_as_rate(bounds, expected):
    assert as_rate(bounds) == expected


# what a page loads

HEAVY = ("keras", "tensorflow", "jax", "torch", "sklearn", "art", "cleverhans")


def test_importing_chapters_loads_no_deep_learning():
    script = (
        "import sys\n"
        "import robustnets.chapters.write\n"
        "from robustnets.chapters import CHAPTERS, chapter\n"
        "for slug in CHAPTERS: chapter(slug)._part('page')\n"
        f"print(sorted(set(sys.modules) & set({HEAVY})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stdout) == []
