"""When a difference is more than chance."""

import numpy as np
import pytest

from robustnets.evaluation.sanity import Check
from robustnets.evaluation.sanity.check import level_of_count, level_of_pair


@pytest.mark.parametrize(
    ("count", "n", "level"),
    [(0, 64, "PASS"), (1, 64, "WARN"), (2, 64, "WARN"), (3, 64, "FAIL"), (10, 500, "WARN"),
     (11, 500, "FAIL")],
)  # fmt: skip
def test_counts(count, n, level):
    assert level_of_count(count, n) == level


@pytest.mark.parametrize(
    ("only_weak", "only_strong", "level"),
    [(0, 0, "PASS"), (2, 0, "PASS"), (3, 0, "WARN"), (5, 0, "FAIL"), (12, 10, "PASS"),
     (14, 10, "WARN"), (30, 10, "FAIL"), (0, 30, "PASS")],
)  # fmt: skip
def test_pairs(only_weak, only_strong, level):
    weak, strong = np.zeros(100, bool), np.zeros(100, bool)
    weak[:only_weak] = True
    strong[only_weak : only_weak + only_strong] = True
    both = np.arange(100) >= 90
    assert level_of_pair(strong, weak) == level
    if only_weak + only_strong <= 90:
        assert level_of_pair(strong | both, weak | both) == level


def test_levels_are_three():
    with pytest.raises(ValueError, match="level must be one of PASS, WARN, FAIL, got 'bad'"):
        Check("a", "bad", "1")
