"""Holm's adjustment."""

import numpy as np
import pytest

from robustnets.stats.multiplicity import adjust, holm


def test_textbook_example():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, each at least its predecessor
    np.testing.assert_allclose(
        holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [([], []), ([0.3], [0.3]), ([0.6, 0.9], [1.0, 1.0]), ([0.02, 0.02, 0.02], [0.06] * 3)],
)
def test_edges(raw, adjusted):
    np.testing.assert_allclose(holm(raw), adjusted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_refuses(p):
    with pytest.raises(ValueError, match=r"a p-value lies in \[0, 1\]"):
        holm([0.5, p])


def test_a_declared_family():
    found = adjust(["A", "B", "C"], {"C": 0.02, "A": 0.01, "B": 0.5})
    assert [(a.comparison, a.p, a.family) for a in found] == [
        ("A", 0.01, 3), ("B", 0.5, 3), ("C", 0.02, 3),
    ]  # fmt: skip
    np.testing.assert_allclose([a.adjusted for a in found], [0.03, 0.5, 0.04], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("declared", "p_values", "message"),
    [
        (["A", "B"], {"A": 0.01}, r"missing for \['B'\]"),
        (["A"], {"A": 0.01, "B": 0.6}, r"not declared for \['B'\]"),
        (["A", "A"], {"A": 0.01}, "declared once"),
    ],
)
def test_a_family_is_what_was_declared(declared, p_values, message):
    with pytest.raises(ValueError, match=message):
        adjust(declared, p_values)
