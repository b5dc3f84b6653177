"""Records against Records: units, families, verdicts, and what may not be compared."""

from dataclasses import replace

import numpy as np
import pytest

from robustnets.core.record import Record
from robustnets.report.difference_table import difference_table, sentence
from robustnets.report.differences import differences
from robustnets.report.measures import Measure, attack_success, clean_accuracy, robust_accuracy
from robustnets.stats import holm, paired_means, paired_rates

N = 400
LABEL = np.arange(N) % 7
CLEAN, ROBUST = clean_accuracy(), robust_accuracy(0.1)


def record(right, robust=None, seed=0, data="d1"):
    """A Record from outcomes bool (N,); class 9 stands for every mistake."""
    robust = right if robust is None else robust
    return Record(
        cell={"network": {"seed": seed}},
        label=LABEL,
        clean=np.where(right, LABEL, 9),
        epsilons=np.array([0.1, 0.2]),
        adversarial=np.stack([np.where(robust, LABEL, 9), np.full(N, 9)]),
        about={"data": data},
    )


def first(n, out_of=N):
    return np.arange(out_of) < n


def runs(rates, start=0):
    return [record(first(round(N * r)), seed=start + i) for i, r in enumerate(rates)]


def test_one_run_each_the_example_is_the_unit():
    a, b = first(380), np.roll(first(350), 10)
    (d,) = differences({"A": [record(a)], "B": [record(b, seed=3)]}, [("A", "B")], [CLEAN])
    pair = paired_rates(a, b)
    assert (d.difference, d.p, d.adjusted) == (pair.difference, pair.p, pair.p)
    assert (d.claim, d.n, d.seeds, d.family) == ("this checkpoint", N, 1, 1)
    assert d.verdict == "higher"
    assert d.equivalence is None


def test_several_runs_the_seed_is_the_unit_in_any_order():
    a, b = [0.90, 0.92, 0.91, 0.93, 0.90], [0.80, 0.83, 0.81, 0.82, 0.80]
    groups = {"A": runs(a), "B": runs(b)[::-1]}
    (d,) = differences(groups, [("B", "A")], [CLEAN])
    pair = paired_means(b, a)
    assert d.difference.estimate == pytest.approx(pair.difference.estimate, abs=1e-12)
    assert d.difference.low == pytest.approx(pair.difference.low, abs=1e-12)
    assert d.p == pytest.approx(pair.p, abs=1e-12)
    assert (d.claim, d.n, d.seeds, d.difference.n) == ("the method", N, 5, 5)
    assert d.verdict == "lower"
    few = {name: sorted(group, key=lambda r: r.cell["network"]["seed"])[:4]
           for name, group in groups.items()}  # fmt: skip
    assert differences(few, [("B", "A")], [CLEAN])[0].claim == "the method, few seeds"


def test_the_family_is_all_pairs_and_measures():
    groups = {
        "A": [record(first(380), first(300))],
        "B": [record(first(370), first(290))],
        "C": [record(first(372), first(200))],
    }
    pairs = [("A", "B"), ("A", "C")]
    found = differences(groups, pairs, [CLEAN, ROBUST])
    assert [(d.measure, d.first, d.second) for d in found] == [
        (m, a, b) for m in ("clean accuracy", "robust accuracy at eps 0.1") for a, b in pairs
    ]
    assert [d.adjusted for d in found] == holm([d.p for d in found])
    assert {d.family for d in found} == {4}
    # 10 discordant examples of one kind: p = 2 / 2^10, of which Holm makes three times as much
    assert found[2].p == pytest.approx(2 / 1024, abs=1e-12)
    assert found[2].adjusted == pytest.approx(3 * 2 / 1024, abs=1e-12)


def test_verdicts():
    base = first(300)
    flipped = base.copy()
    flipped[[0, 1, 2, 390, 391, 392]] ^= True  # the same rate, other examples
    groups = {
        "base": [record(base)],
        "same": [record(flipped)],
        "more": [record(first(306))],
        "fewer": [record(first(200))],
        "noisy": [record(np.roll(base, 60))],
    }
    found = differences(groups, [(name, "base") for name in groups if name != "base"], [CLEAN],
                        margin=0.02)  # fmt: skip
    assert {d.first: d.verdict for d in found} == {
        "same": "equivalent",
        "more": "no difference shown",  # p = 2 / 2^6, three times as much by Holm; not inside
        "fewer": "lower",
        "noisy": "no difference shown",
    }
    wide = differences(groups, [("more", "base")], [CLEAN], margin=0.1)
    assert wide[0].verdict == "higher, within the margin"
    assert differences(groups, [("same", "base")], [CLEAN])[0].verdict == "no difference shown"


def test_equivalence_is_adjusted_too():
    groups = {name: [record(first(n))] for name, n in (("A", 300), ("B", 303), ("C", 200))}
    alone = differences(groups, [("A", "B")], [CLEAN], margin=0.0175)[0]
    among = differences(groups, [("A", "B"), ("A", "C")], [CLEAN], margin=0.0175)[0]
    assert alone.equivalence.p < 0.05 < 2 * alone.equivalence.p
    assert among.adjusted_equivalence == pytest.approx(2 * alone.equivalence.p, abs=1e-12)
    assert (alone.verdict, among.verdict) == ("equivalent", "no difference shown")


def test_attack_success_is_over_what_was_right_before():
    """Two attacks on one network can be compared by example, two networks cannot."""
    right = first(300)
    weak, strong = record(right, first(250)), record(right, first(100))
    (d,) = differences({"weak": [weak], "strong": [strong]}, [("strong", "weak")],
                       [attack_success(0.1)])  # fmt: skip
    assert d.difference.estimate == pytest.approx(150 / 300, abs=1e-12)
    assert (d.n, d.verdict, d.better) == (300, "higher", "lower")
    other = record(np.roll(right, 1), first(100))
    with pytest.raises(ValueError, match=r"is over different examples.*compare robust accuracy"):
        differences({"a": [weak], "b": [other]}, [("a", "b")], [attack_success(0.1)])
    # over seeds the rates are compared, each over its own examples; the smaller n is shown
    groups = {
        "a": [record(first(300 + s), first(200 + 3 * s), seed=s) for s in range(3)],
        "b": [record(first(320 + s), first(150 - s), seed=s) for s in range(3)],
    }
    (d,) = differences(groups, [("a", "b")], [attack_success(0.1)])
    rates = [[1 - (200 + 3 * s) / (300 + s) for s in range(3)],
             [1 - (150 - s) / (320 + s) for s in range(3)]]  # fmt: skip
    assert d.difference.estimate == pytest.approx(np.mean(rates[0]) - np.mean(rates[1]), abs=1e-12)
    assert d.n == 300


def test_records_without_a_seed_are_single_checkpoints():
    """Somebody's model, of which nothing is known."""
    bare = replace(record(first(300)), cell={}, about={})
    (d,) = differences({"A": [bare], "B": [record(first(100))]}, [("A", "B")], [CLEAN])
    assert d.claim == "this checkpoint"
    with pytest.raises(ValueError, match=r"different training seeds, got \[None, None\]"):
        differences({"A": [bare, bare], "B": runs([0.5, 0.6])}, [("A", "B")], [CLEAN])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"A": runs([0.9]), "B": runs([0.9, 0.8])}, r"same training seeds, got \[0\] and \[0, 1\]"),
        ({"A": runs([0.9, 0.8]), "B": runs([0.9, 0.8], start=1)}, r"got \[0, 1\] and \[1, 2\]"),
        ({"A": runs([0.9]) * 2, "B": runs([0.9, 0.8])}, r"'A' must be of different training seeds"),
        ({"A": runs([0.9]), "B": []}, "no Record of 'B'; there are: A"),
        ({"A": runs([0.9]), "B": [record(first(9), data="d2")]}, "different examples: .* d1 and"),
        ({"A": runs([0.9]), "B": [replace(record(first(9)), label=LABEL[::-1])]},
         "different examples"),
    ],
)  # fmt: skip
def test_refuses_groups(groups, message):
    with pytest.raises(ValueError, match=message):
        differences(groups, [("A", "B")], [CLEAN])


@pytest.mark.parametrize(
    ("pairs", "measures", "message"),
    [
        ([], [CLEAN], "nothing to compare"),
        ([("A", "B")], [], "nothing to compare"),
        ([("A", "A")], [CLEAN], "'A' is compared with itself"),
        ([("A", "B"), ("B", "A")], [CLEAN], "declared twice"),
        ([("A", "B")], [CLEAN, CLEAN], "different names"),
        ([("A", "Z")], [CLEAN], "no Record of 'Z'"),
        ([("A", "B")], [robust_accuracy(0.3)], "no eps 0.3"),
    ],
)
def test_refuses_declarations(pairs, measures, message):
    with pytest.raises(ValueError, match=message):
        differences({"A": runs([0.9]), "B": runs([0.8])}, pairs, measures)


def test_refuses_a_rate_over_nothing_and_a_direction():
    nothing = {"A": [record(first(0))], "B": [record(first(0))]}
    with pytest.raises(ValueError, match=r"attack success at eps 0\.1 of 'A' is over no example"):
        differences(nothing, [("A", "B")], [attack_success(0.1)])
    with pytest.raises(ValueError, match="better must be one of higher, lower, got 'more'"):
        Measure("m", CLEAN.outcomes, CLEAN.counted, better="more")


def test_table(tmp_path):
    groups = {"A": [record(first(380), first(300))], "B": [record(first(350), first(300))]}
    pairs = [("A", "B")]
    found = differences(groups, pairs, [CLEAN], margin=0.02)
    table = difference_table(found, "Two networks.")
    assert table.columns == (
        "first", "second", "first minus second", "p", "p, Holm", "p equivalence, Holm", "verdict",
        "about", "n", "seeds",
    )  # fmt: skip
    row = table.to_markdown().splitlines()[2]
    assert row.startswith("| A | B | +7.50 [+4.8")
    assert row.endswith("| 1.000 | higher | this checkpoint | 400 | 1 |")
    assert table.caption.startswith(
        "Two networks. Clean accuracy. Differences in percentage points"
    )
    assert "Bonett-Price 95%; not adjusted" in table.caption
    assert "p by exact McNemar" in table.caption
    assert "t test" not in table.caption
    assert "smaller than ±2 points" in table.caption
    line = table.to_csv(tmp_path / "t.csv").read_text().splitlines()
    assert line[0].startswith("first,second,first minus second,first minus second low")
    assert line[1].startswith("A,B,0.075,0.04")

    both = differences({"A": runs([0.9, 0.8]), "B": runs([0.7, 0.7])}, pairs, [CLEAN, ROBUST])
    table = difference_table(both, "Two methods.")
    assert table.columns[0] == "measure"
    assert "p equivalence, Holm" not in table.columns
    assert "p by a paired t test" in table.caption
    assert "McNemar" not in table.caption
    with pytest.raises(ValueError, match="a family is shown whole: got 1 of 2 comparisons"):
        difference_table(both[:1], "Half.")
    with pytest.raises(ValueError, match="a family is shown whole"):
        difference_table([], "None.")


def test_the_colour_of_a_verdict_is_the_defenders():
    groups = {"A": [record(first(300), first(200))], "B": [record(first(300), first(100))]}
    found = differences(groups, [("A", "B")], [ROBUST, attack_success(0.1)])
    words = [row[-4] for row in difference_table(found, "x").rows]
    assert [(w.text, w.kind) for w in words] == [("higher", "good"), ("lower", "good")]


def test_sentences():
    groups = {
        "A": [record(first(380))],
        "B": [record(first(350))],
        "C": [record(first(379))],
    }
    found = differences(groups, [("B", "A"), ("C", "A")], [CLEAN], margin=0.03)
    text = [sentence(d) for d in found]
    assert text[0].startswith("Clean accuracy of B is 7.50 points below that of A (95 % −10.")
    assert "p < 0.001, < 0.001 after Holm over 2 comparisons): lower (a claim about" in text[0]
    assert text[0].endswith("(a claim about this checkpoint, n = 400, 1 seed).")
    assert "p = 1.000, 1.000 after Holm" in text[1]
    assert ": equivalent within ±3 points (a claim" in text[1]
