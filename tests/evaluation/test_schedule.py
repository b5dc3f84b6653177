"""Attacks cut down to a time, and what is said about it."""

import pytest

from robustnets.attacks import APGD, FAB, FGSM, PGD, HopSkipJump, Square
from robustnets.core.threat import ThreatModel
from robustnets.evaluation import schedule
from robustnets.evaluation.costs import Planned, cut_down, units
from robustnets.evaluation.schedule import Schedule, affordable

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
    attack, limit = clock.fit(dear, 100, where="black-box, queries")
    assert attack.budget == pytest.approx(500, abs=10)
    said = f"black-box, queries, Square: {attack.budget} of 5000 queries"
    assert clock.omissions == (said,)
    clock.left_out.append(said)
    assert clock.omissions == (f"{said} (2 times)",)
    # fewer examples stand than was feared
    clock = Schedule(300.0, [Planned(dear, 100)], 0.005)
    assert clock.fit(dear, 10)[0] == dear


def test_the_pace_of_each_attack_is_learnt(monkeypatch):
    monkeypatch.setattr(schedule, "COMPILING", 1.0)
    square, other = Square(T, budget=100), APGD(T, steps=10, stop_early=False)
    clock = Schedule(None, [Planned(square, 50), Planned(other, 10, weight=0.1)], 0.0)
    assert clock.estimate is None
    clock.took(square, passes=999, seconds=11)
    assert clock.estimate is None, "compilation says nothing about a pace"
    clock.took(square, passes=1000, seconds=11)
    # the other one's is not known: that of the first, times what its model costs
    assert clock.estimate == pytest.approx(1 + 100 * 50 * 0.01 + 1 + 30 * 10 * 0.01 * 0.1)
    # the first batches are set apart: 4 s of the 14 are not explained by the pace of the others
    clock.took(other, passes=2000, seconds=14, warm=(1600.0, 8.0), weight=0.5)
    assert clock.estimate == pytest.approx(4 + 100 * 50 * 0.01 + 4 + 30 * 10 * 0.1 * 0.01)


def test_what_breaks_leaves_early():
    square = Planned(Square(T, budget=1000), 100)
    assert square.passes() == 100_000
    assert square.passes(standing=0.2) == pytest.approx(1000 * (20 + 5))
    assert square.passes(standing=0.2, met=10) == 10_000
    assert Planned(square.attack, 100, weight=0.5).passes(0.2) == pytest.approx(500 * 25)
    # a search that does not end at a success meets all, or what others left
    search = HopSkipJump(T, budget=1000)
    assert Planned(search, 100).passes(0.2) == 100_000
    assert Planned(search, 100, alone=False).passes(0.2) == pytest.approx(1000 * 25)
    at = [Planned(square.attack, 100, radius=r).passes(0.2) for r in (0.5, 1.5, 2.0)]
    assert at == pytest.approx([1000 * 65, 1000 * 15, 1000 * 5])


def test_the_estimate_falls_with_what_stands():
    square = Square(T, budget=1000)
    clock = Schedule(None, [Planned(square, 100)], 0.01)
    assert clock.estimate == pytest.approx(schedule.COMPILING + 1000)
    clock.stands(0.2)
    clock.stands(0.7)
    assert clock.estimate == pytest.approx(schedule.COMPILING + 250)
    clock.fit(square, 100)
    assert (clock.current, clock.estimate) == (pytest.approx(schedule.COMPILING + 250), 0)


def test_fewer_examples_before_weaker_attacks(monkeypatch):
    monkeypatch.setattr(schedule, "COMPILING", 1.0)
    plan = [Planned(Square(T, budget=1000), 5000), Planned(PGD(T, steps=10), 5000, weight=2.0)]
    # three quarters of the time without two seconds, at 1060 passes of 10 ms for each
    assert affordable(4000, plan, 0.01, 5000) == int((3000 - 2) / (1060 * 0.01))
    # of those that break early a twentieth of the passes; PGD does not stop at a success
    assert affordable(4000, plan, 0.01, 5000, standing=0.35) == int((3000 - 2) / (460 * 0.01))
    assert affordable(100, plan, 0.01, 5000) == 100
    assert affordable(100, [Planned(FGSM(T), 30)], 0.01, 30) == 30
    assert affordable(1e9, plan, 0.01, 5000) == 5000


def test_the_sanity_block_has_a_quarter_of_the_time(monkeypatch):
    monkeypatch.setattr(schedule, "COMPILING", 1.0)
    tested = PGD(T, steps=10)  # 30 passes
    # 900 passes for each example, 9 s
    assert Schedule(None, [], 0.01).reserve(tested, 64) == 64
    rich, tight, poor = (Schedule(s, [], 0.01) for s in (10_000.0, 1200.0, 60.0))
    assert rich.reserve(tested, 64) == 64
    assert rich.block == pytest.approx(8 + 64 * 9)
    assert rich.seconds == pytest.approx(10_000 - 8 - 64 * 9)
    assert tight.reserve(tested, 64) == 32
    assert tight.left_out == ["checks that run attacks: on 32 of 64 examples"]
    assert poor.reserve(tested, 64) == 0
    assert poor.left_out == ["checks that run attacks: left out"]
    assert poor.seconds == 60
