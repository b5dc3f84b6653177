"""The sliding window agrees with numpy.std, whatever the values did before."""

import math

import numpy as np
import pytest

from robustnets.callbacks.sliding_deviation import SlidingDeviation


def walk(epochs, step, start=0.0, seed=0):
    """Random walk of 9 float32 numbers."""
    steps = np.random.default_rng(seed).normal(0, step, (epochs, 9))
    return (start + np.cumsum(steps, axis=0)).astype(np.float32)


def jump_and_settle():
    """Far away, back again, then tiny steps: old squares must not hide the small deviations."""
    rows = walk(60, 1e-6, seed=1)
    rows[7] += 3000
    rows[8, 4] = -1e6
    return rows


def largest(rows, length):
    """Largest numpy.std over the last `length` rows, in float64, NaN before."""
    rows = np.asarray(rows, np.float64)
    ends = range(1, len(rows) + 1)
    return [
        rows[end - length : end].std(axis=0).max() if end >= length else math.nan for end in ends
    ]


def push(rows, length):
    window = SlidingDeviation(length, rows.shape[1])
    return [window.push(row) for row in rows]


CASES = {
    "walk": walk(90, 0.1),
    "tiny about 1000": walk(90, 1e-4, start=1000.0),
    "tiny about 1": walk(90, 1e-7, start=1.0),
    "wide": walk(90, 50.0),
    "constant": np.tile(walk(1, 1.0), (40, 1)),
    "jump and settle": jump_and_settle(),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("length", [2, 7, 13])
def test_the_window_is_exact(case, length):
    rows = CASES[case]
    np.testing.assert_allclose(push(rows, length), largest(rows, length), rtol=0, atol=1e-7)


def test_many_columns_span_several_blocks():
    steps = np.random.default_rng(3).normal(0, 0.1, (11, 40000))
    rows = np.cumsum(steps, axis=0).astype(np.float32)
    rows[:, -1] *= 30  # the widest is in the last block
    np.testing.assert_allclose(push(rows, 4), largest(rows, 4), rtol=0, atol=1e-7)


def test_values_that_are_not_finite_leave_no_trace():
    rows = walk(12, 0.1)
    rows[4, 2], rows[5, 7] = np.nan, np.inf
    deviations = push(rows, 3)
    assert deviations[4:8] == [math.inf] * 4
    np.testing.assert_allclose(deviations[8:], largest(rows[6:], 3)[2:], rtol=0, atol=1e-7)


@pytest.mark.parametrize("again", [1, 2, 4])
def test_rows_can_be_taken_back(again):
    rows = walk(20, 0.1)
    window = SlidingDeviation(4, 9)
    for row in rows[:11]:
        window.push(row)
    for row in rows[11 : 11 + again]:
        window.push(np.where(row > 0, row, np.nan))
    window.forget(again)
    deviations = [window.push(row) for row in rows[11:]]
    wanted = largest(rows, 4)[11:]
    wanted[: again - 1] = [math.nan] * (again - 1)  # what had left the window is gone
    np.testing.assert_allclose(deviations, wanted, rtol=0, atol=1e-7)
