"""The worst of several attacks: order, attribution, budgets, and what is kept."""

import numpy as np
import pytest

from robustnets.attacks import BIM, FGSM, PGD, AutoAttack, Noise
from robustnets.core.threat import ThreatModel
from robustnets.engines import run
from robustnets.evaluation.worst_case import ROBUST, WRONG, worst_case

LINF = ThreatModel("linf", 0.12)
SUITE = (Noise(LINF, draws=2), FGSM(LINF), BIM(LINF, steps=4), PGD(LINF, steps=6, restarts=2))


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1597], digits[1][1500:1597]


@pytest.fixture(scope="module")
def whole(trained_classifier, held_out):
    return worst_case(SUITE, trained_classifier, *held_out, batch_size=8)


def same(one, two):
    assert one.x.tobytes() == two.x.tobytes()
    assert one.broken_by.tolist() == two.broken_by.tolist()
    assert one.forward.tolist() == two.forward.tolist()
    assert one.backward.tolist() == two.backward.tolist()


def test_what_is_broken_is_broken_and_by_whom(whole, trained_classifier, held_out):
    x, y = held_out
    clean = trained_classifier.predict(x).argmax(axis=1)
    assert ((whole.broken_by == WRONG) == (clean != y)).all()
    assert whole.accuracy == (clean == y).mean()
    now = trained_classifier.predict(whole.x).argmax(axis=1)
    assert ((now == y) == (whole.broken_by == ROBUST)).all()
    assert np.abs(whole.x - x).max() <= 0.12 + 1e-6
    assert (whole.x[whole.broken_by < 0] == x[whole.broken_by < 0]).all()
    assert set(whole.broken_by.tolist()) > {ROBUST, 0, 1}
    assert whole.finished


def test_each_attack_sees_only_what_still_stands(whole):
    standing = (whole.broken_by != WRONG).sum()
    for number, part in enumerate(whole.parts):
        assert part.attacked == standing
        assert part.broke == (whole.broken_by == number).sum()
        standing -= part.broke
    assert standing == (whole.broken_by == ROBUST).sum()
    assert whole.forward.sum() == len(whole.y) + sum(part.forward for part in whole.parts)


def test_never_above_any_member(whole, trained_classifier, held_out):
    """Example by example: each draws in the ensemble what it draws where its attack is alone."""
    x, y = held_out
    for number, attack in enumerate(SUITE):
        alone = run(attack, trained_classifier, x, y, batch_size=8, attack_wrong=True)
        assert not (alone.success & (whole.broken_by == ROBUST)).any()
        by_it = whole.broken_by == number
        assert by_it.any()
        np.testing.assert_allclose(alone.x[by_it], whole.x[by_it], rtol=0, atol=1e-6)


def test_an_empty_field_ends_the_run(trained_classifier, held_out):
    x, y = held_out
    far = ThreatModel("linf", 1.0)
    seen = worst_case([BIM(far, steps=6), PGD(far)], trained_classifier, x[:20], y[:20])
    assert seen.robust_accuracy == 0
    assert seen.parts[1].attacked == 0
    assert seen.finished


def test_budgets_leave_things_out_and_say_so(trained_classifier, held_out):
    x, y = held_out
    attacks = (FGSM(LINF), PGD(LINF, steps=6, restarts=2))
    tight = worst_case(attacks, trained_classifier, x, y, query_budget=6, batch_size=8)
    assert tight.forward.max() <= 6
    over = worst_case(attacks, trained_classifier, x, y, time_budget=1e-6, batch_size=8)
    assert not over.finished
    assert [part.attacked for part in over.parts] == [0, 0]
    assert over.robust_accuracy == over.accuracy


def test_a_second_run_reads_what_the_first_kept(whole, trained_classifier, held_out, tmp_path):
    settings = {"batch_size": 8, "folder": tmp_path}
    first = worst_case(SUITE, trained_classifier, *held_out, **settings)
    same(first, whole)
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npz")}
    assert len(kept) > len(SUITE)
    second = worst_case(SUITE, trained_classifier, *held_out, **settings)
    same(second, whole)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npz")} == kept
    assert [part.seconds for part in second.parts] == [part.seconds for part in first.parts]


def test_chance_counts_in_fresh_evaluations(trained_classifier, held_out):
    class Moody:
        """Wrong in every third evaluation."""

        def __init__(self):
            self.asked = 0

        def __getattr__(self, name):
            return getattr(trained_classifier, name)

        def predict(self, x, batch_size=1000):
            self.asked += 1
            z = trained_classifier.predict(x, batch_size)
            return np.roll(z, 1, axis=1) if self.asked % 3 == 0 else z

    x, y = held_out
    zero = [FGSM(ThreatModel("linf", 0.0))]
    right = trained_classifier.predict(x).argmax(axis=1) == y
    strict = worst_case(zero, Moody(), x, y, evaluations=6, needed=3)
    loose = worst_case(zero, Moody(), x, y, evaluations=6, needed=2)
    assert strict.accuracy == right.mean()
    assert loose.accuracy < 0.2


def test_bad_arguments(trained_classifier, held_out):
    with pytest.raises(ValueError, match="attacks must hold at least one"):
        worst_case([], trained_classifier, *held_out)
    with pytest.raises(ValueError, match="attacks must differ"):
        worst_case([FGSM(LINF), PGD(LINF), FGSM(LINF)], trained_classifier, *held_out)
    with pytest.raises(ValueError, match="must be untargeted, got a targeted FGSM"):
        worst_case([FGSM(LINF, targeted=True)], trained_classifier, *held_out)
    with pytest.raises(ValueError, match="needed must be at most evaluations, 2, got 3"):
        worst_case(SUITE, trained_classifier, *held_out, evaluations=2, needed=3)
    for seconds in (0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="time_budget must be seconds > 0, got"):
            worst_case(SUITE, trained_classifier, *held_out, time_budget=seconds)
    for queries in (0, -5, 1, 2.5):
        with pytest.raises(ValueError, match="query_budget must be an int >= 2, got"):
            worst_case(SUITE, trained_classifier, *held_out, query_budget=queries)


@pytest.mark.parametrize("classes", [2, 3, 4, 10])
@pytest.mark.parametrize("version", ["standard", "rand", "plus"])
def test_the_order_and_budgets_of_the_reference(version, classes):
    suite = AutoAttack(ThreatModel("linf", 0.3), version)
    attacks = suite.attacks(classes)
    names = [type(attack).__name__ for attack in attacks]
    assert (
        names
        == {
            "standard": ["APGD", "APGD", "FAB", "Square"],
            "rand": ["APGD", "APGD"],
            "plus": ["APGD", "APGD", "FAB", "Square", "APGD", "FAB"],
        }[version]
    )
    losses = [attack.loss for attack in attacks if names[attacks.index(attack)] == "APGD"]
    if classes == 10 and version == "standard":
        assert losses == ["cross_entropy", "dlr"]
        assert (attacks[1].targets, attacks[2].targets, attacks[3].budget) == (9, 9, 5000)
        assert not suite.notes(classes)
    if classes == 2:
        assert "dlr" not in losses
        assert any("DLR" in note for note in suite.notes(classes))
