"""Who is timed when, and what the ratios say, on a clock that the test winds."""

import pytest

from benchmarks.timing import Spread, interleaved, ratio


class Clock:
    """Stands still unless a side lets time pass."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def side(self, name, *durations):
        durations = iter(durations)

        def work():
            self.calls.append(name)
            self.now += next(durations)

        return work


def test_sides_take_turns_and_the_warm_up_is_not_counted():
    clock = Clock()
    sides = {"a": clock.side("a", 100, 1, 2, 3), "b": clock.side("b", 200, 4, 5, 6)}
    seen = []
    seconds = interleaved(
        sides, 3, clock=clock, progress=lambda done, rounds: seen.append((done, rounds))
    )
    assert clock.calls == ["a", "b"] * 4
    assert seconds == {"a": [1, 2, 3], "b": [4, 5, 6]}
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_time_between_the_calls_is_nobodys():
    clock = Clock()
    seconds = interleaved(
        {"a": clock.side("a", 1, 1), "b": clock.side("b", 2, 2)},
        2,
        warm_ups=0,
        clock=clock,
        progress=lambda *_: setattr(clock, "now", clock.now + 50),
    )
    assert seconds == {"a": [1, 1], "b": [2, 2]}


def test_the_ratio_is_taken_round_by_round():
    # the machine slows down threefold in between: the ratio of each round stays 1/2
    assert ratio([1, 1, 3], [2, 2, 6]) == Spread(0.5, 0.5, 0.5, 3)
    assert ratio([1, 6, 3], [2, 2, 2]) == Spread(1.5, 0.5, 3.0, 3)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [([], [], "equal rows"), ([1], [1, 2], "equal rows"), ([1, 2], [1, 0], "> 0")],
)
def test_rows_that_cannot_be_compared_are_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        ratio(first, second)


@pytest.mark.parametrize(("sides", "rounds"), [({}, 3), ({"a": print}, 0)])
def test_nothing_to_time_is_refused(sides, rounds):
    with pytest.raises(ValueError, match="need sides"):
        interleaved(sides, rounds)
