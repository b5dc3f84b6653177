"""Results on the same examples, put together example by example."""

import numpy as np
import pytest

from robustnets.evaluation.outcome import ROBUST, WRONG, Part, WorstCase, combined


def case(broken_by, parts, x=None):
    n = len(broken_by)
    clean = np.zeros((n, 2, 3, 1), np.float32)
    x = clean + np.float32(x or 0)
    counts = np.arange(n, dtype=np.int64)
    by = np.array(broken_by, np.int32)
    return WorstCase(x, np.zeros(n, np.int64), by, counts, 2 * counts, parts, clean)


def test_the_first_that_breaks_an_example_counts():
    first = case([ROBUST, 0, WRONG, ROBUST], (Part("a"), Part("b")), 0.1)
    second = case([0, 0, WRONG, ROBUST], (Part("c"),), 0.2)
    both = combined([first, second])
    assert both.broken_by.tolist() == [2, 0, WRONG, ROBUST]
    assert [part.attack for part in both.parts] == ["a", "b", "c"]
    assert both.x[:, 0, 0, 0] == pytest.approx([0.2, 0.1, 0.1, 0.1])
    assert both.forward.tolist() == [0, 2, 4, 6]
    assert both.backward.tolist() == [0, 4, 8, 12]
    assert both.robust.tolist() == [False, False, False, True]
    assert both.right.tolist() == [True, True, False, True]


def test_what_one_of_them_saw_wrong_is_wrong():
    both = combined([case([ROBUST, 0], ()), case([WRONG, WRONG], (), 0.3)])
    assert both.broken_by.tolist() == [WRONG, WRONG]
    assert (both.x == 0).all()


def test_other_examples_are_refused():
    with pytest.raises(ValueError, match="need the same examples"):
        combined([case([0], ()), case([0, 0], ())])
    with pytest.raises(ValueError, match="no result to combine"):
        combined([])
