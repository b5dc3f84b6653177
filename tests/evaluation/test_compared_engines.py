"""One attack through several engines: what the rows say."""

import numpy as np
import pytest

from robustnets.attacks import ATTACKS, FGSM, PGD, CarliniWagner, HopSkipJump, OnePixel
from robustnets.core.threat import ThreatModel
from robustnets.engines import Adversarial
from robustnets.evaluation.engines import Carried, carry_out, compare, distance
from robustnets.experiments.compare_engines import BY_NAME, spec_of


@pytest.fixture
def examples(trained_classifier, digits):
    return trained_classifier, digits[0][1500:1560], digits[1][1500:1560]


def test_agreement_success_and_passes(examples):
    classifier, x, y = examples
    right = classifier.predict(x).argmax(axis=1) == y
    assert 0 < right.sum() < len(x)
    attack = FGSM(ThreatModel("linf", 0.1))
    (ours,) = carry_out(attack, classifier, x, y, names=("native",))
    made = ours.made
    # another engine that fails on one success, and moves one other a little
    success, moved = made.success.copy(), made.x.copy()
    first, second = np.flatnonzero(right & made.success)[:2]
    success[first] = False
    moved[first], moved[second, 2, 3] = x[first], x[second, 2, 3]
    other = Carried("art", Adversarial(moved, success, made.forward * 3, made.backward, 1.0, x))
    refused = Carried("cleverhans", None, "no")
    table = compare(attack, classifier, x, y, (ours, other, refused))
    native, art = table.rows
    n = int(right.sum())
    assert native[1].value.n == art[1].value.n == n
    assert native[1].value.estimate * n == made.success[right].sum()
    assert round((native[1].value.estimate - art[1].value.estimate) * n) == 1
    assert native[3:6] == (None, None, None)
    assert art[3].value == pytest.approx(1 - 1 / n)
    assert art[4].value == pytest.approx(1 - 2 / n)
    assert art[5] == pytest.approx(0.1, abs=1e-6)
    assert (native[6], native[7], art[6]) == (2, 1, 6)
    assert f"on {n} of 60 examples" in table.caption


def test_failures_are_infinitely_far(examples):
    classifier, x, y = examples
    attack = FGSM(ThreatModel("linf", 0.0))
    carried = carry_out(attack, classifier, x, y, names=("native",))
    assert compare(attack, classifier, x, y, carried).rows[0][2] == np.inf


def test_nothing_to_attack(examples):
    classifier, x, _ = examples
    y = (classifier.predict(x).argmax(axis=1) + 1) % 10
    attack = FGSM(ThreatModel("linf", 0.1))
    carried = carry_out(attack, classifier, x, y, names=("native",))
    with pytest.raises(ValueError, match="nothing to attack"):
        compare(attack, classifier, x, y, carried)


def test_what_is_wrong_for_all_is_raised(examples):
    classifier, x, y = examples
    with pytest.raises(ValueError, match="x must"):
        carry_out(FGSM(ThreatModel("linf", 0.1)), classifier, x + 2, y)
    with pytest.raises(ValueError, match="engine must be one of"):
        carry_out(FGSM(ThreatModel("linf", 0.1)), classifier, x, y, names=("foolbox",))


def test_pixels_are_counted_as_pixels():
    x = np.zeros((2, 5, 4, 3), np.float32)
    moved = x.copy()
    moved[0, 1, 2], moved[1, :2, 3, 1] = 1, 1
    assert distance(OnePixel(ThreatModel("l0", 1)), x, moved).tolist() == [1, 2]
    assert distance(FGSM(ThreatModel("l1", 1)), x, moved).tolist() == [3, 2]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_attack_has_a_name_and_settings_that_it_takes(name):
    attack = spec_of(name, None, None)
    assert type(attack) is BY_NAME[name]
    assert spec_of(name.replace("-", "_").upper(), attack.threat.norm, 1.0).threat.eps == 1.0
    assert len(BY_NAME) == len(ATTACKS)


def test_settings_are_read():
    attack = spec_of("pgd", "l2", 0.5, ("steps=7", "random-start=false", "step=None"))
    assert attack == PGD(ThreatModel("l2", 0.5), steps=7, random_start=False)
    attack = spec_of("carlini-wagner", None, None, ("steps=3", "targeted=true"))
    assert (attack.threat.norm, attack.steps, attack.rounds) == ("l2", 3, 3)
    assert attack.targeted
    assert isinstance(attack, CarliniWagner)
    attack = spec_of("hop-skip-jump", None, None)
    assert isinstance(attack, HopSkipJump)
    assert (attack.max_iter, attack.threat.norm) == (8, "l2")
    assert spec_of("nes", None, None, ("loss=cross_entropy",)).loss == "cross_entropy"
