"""Attacks cut down to a time, and what is said about it."""

import pytest

from robustnets.attacks import APGD, FAB, FGSM, PGD, HopSkipJump, Square
from robustnets.core.threat import ThreatModel
from robustnets.evaluation import schedule
from robustnets.evaluation.schedule import Planned, Schedule, affordable, cut_down, units

T = ThreatModel("linf", 0.1)


def test_costs_are_counted_in_forward_passes():
    assert units(FGSM(T)) == 3
    assert units(PGD(T, steps=10, restarts=3)) == 90
    assert units(APGD(T, steps=100, targets=9)) == 2700
    assert units(APGD(T, steps=10, expectation=20)) == 600
    assert units(Square(T, budget=500)) == 500
    assert units(FAB(T, steps=10, targets=2)) > units(PGD(T, steps=10, restarts=2))


@pytest.mark.parametrize(
    ("attack", "share", "smaller", "said"),
    [
        (Square(T, budget=5000), 0.1, Square(T, budget=500), "Square: 500 of 5000 queries"),
        (PGD(T, restarts=5), 0.5, PGD(T, restarts=2), "PGD: 2 of 5 restarts"),
        (
            APGD(T, targets=9), 0.06, APGD(T, targets=1, steps=54),
            "APGD: 1 of 9 targets, 54 of 100 steps",
        ),
        (PGD(T, steps=40), 0.01, None, "PGD: left out"),
        (HopSkipJump(T, budget=2000), 0.001, None, "HopSkipJump: left out"),
    ],
)  # fmt: skip
def test_cut_down(attack, share, smaller, said):
    assert cut_down(attack, share) == (smaller, said)


def test_without_a_limit_everything_runs_in_full():
    clock = Schedule(None, [Planned(PGD(T), 10)], 0.0)
    assert clock.fit(PGD(T), 10) == (PGD(T), None)
    assert clock.left is None
    assert clock.left_out == []


def test_the_dear_are_cut_and_the_cheap_are_not(monkeypatch):
    monkeypatch.setattr(schedule, "COMPILING", 0.0)
    dear, cheap = Square(T, budget=5000), FGSM(T)
    # 100 examples, 5 ms a pass: 1.5 s and 2500 s, in 250 s
    clock = Schedule(250.0, [Planned(cheap, 100), Planned(dear, 100)], 0.005)
    assert clock.estimate == pytest.approx(2501.5)
    attack, limit = clock.fit(cheap, 100)
    assert attack == cheap
    assert 100 < limit <= 500
    attack, limit = clock.fit(dear, 100)
    assert attack.budget == pytest.approx(500, abs=10)
    assert clock.left_out == [f"Square: {attack.budget} of 5000 queries"]
    # fewer examples stand than was feared
    clock = Schedule(300.0, [Planned(dear, 100)], 0.005)
    assert clock.fit(dear, 10)[0] == dear


def test_the_pace_of_each_attack_is_learnt(monkeypatch):
    monkeypatch.setattr(schedule, "COMPILING", 1.0)
    square, other = Square(T, budget=100), APGD(T, steps=10)
    clock = Schedule(None, [Planned(square, 50), Planned(other, 10, weight=0.1)], 0.0)
    assert clock.estimate is None
    clock.took(square, passes=1000, seconds=11)
    # the other one's is not known: that of the first, times what its model costs
    assert clock.estimate == pytest.approx(1 + 100 * 50 * 0.01 + 1 + 30 * 10 * 0.01 * 0.1)
    clock.took(other, passes=100, seconds=6)
    assert clock.estimate == pytest.approx(1 + 100 * 50 * 0.01 + 1 + 30 * 10 * 0.05)


def test_fewer_examples_before_weaker_attacks(monkeypatch):
    monkeypatch.setattr(schedule, "COMPILING", 1.0)
    plan = [Planned(Square(T, budget=1000), 5000), Planned(PGD(T, steps=10), 5000, weight=2.0)]
    # three quarters of the time without two seconds, at 0.6 of 1060 passes of 10 ms for each
    assert affordable(4000, plan, 0.01, 5000) == int((3000 - 2) / (0.6 * 1060 * 0.01))
    assert affordable(100, plan, 0.01, 5000) == 100
    assert affordable(100, plan, 0.01, 30) == 30
    assert affordable(1e9, plan, 0.01, 5000) == 5000


def test_the_sanity_block_has_a_quarter_of_the_time(monkeypatch):
    monkeypatch.setattr(schedule, "COMPILING", 1.0)
    tested = PGD(T, steps=10)  # 30 passes
    # 900 passes for each example, 9 s
    assert Schedule(None, [], 0.01).reserve(tested, 64) == 64
    rich, tight, poor = (Schedule(s, [], 0.01) for s in (10_000.0, 1200.0, 60.0))
    assert rich.reserve(tested, 64) == 64
    assert rich.seconds == pytest.approx(10_000 - 8 - 64 * 9)
    assert tight.reserve(tested, 64) == 32
    assert tight.left_out == ["checks that run attacks: on 32 of 64 examples"]
    assert poor.reserve(tested, 64) == 0
    assert poor.left_out == ["checks that run attacks: left out"]
    assert poor.seconds == 60
