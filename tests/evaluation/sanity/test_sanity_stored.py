"""Checks of stored examples, on an evaluation whose arrays are changed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from robustnets.attacks import FGSM
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.sanity import sanity_block
from robustnets.evaluation.sanity.stored import rounded
from robustnets.evaluation.worst_case import ROBUST, WRONG, worst_case

THREAT = ThreatModel("linf", 0.1)


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1580], digits[1][1500:1580]


@pytest.fixture(scope="module")
def found(trained_classifier, held_out):
    return worst_case([FGSM(THREAT)], trained_classifier, *held_out)


def look(classifier, held_out, found, name, threat=THREAT):
    (check,) = sanity_block(classifier, *held_out, found, threat=threat, seed=0, only=[name])
    return check.level, check.number


def test_one_value_beyond_the_ball(trained_classifier, held_out, found):
    name = "inside the ball"
    assert look(trained_classifier, held_out, found, name)[0] == "PASS"
    x = found.x.copy()
    x[7, 3, 2, 0] = found.clean[7, 3, 2, 0] + 0.1002
    level, number = look(trained_classifier, held_out, replace(found, x=x), name)
    assert (level, number.split()[0]) == ("FAIL", "1")


@pytest.mark.parametrize(
    ("norm", "eps", "level"),
    [("l2", 0.5, "PASS"), ("l2", 0.49, "FAIL"), ("l1", 0.7, "PASS"), ("l1", 0.69, "FAIL"),
     ("l0", 2, "PASS"), ("l0", 1, "FAIL")],
)  # fmt: skip
def test_every_norm_has_its_length(trained_classifier, held_out, found, norm, eps, level):
    x = found.clean.copy()
    places = np.argwhere(found.clean[5] <= 0.5)[:2]
    for place, far in zip(places, (0.3, 0.4)):
        x[(5, *place)] += np.float32(far)
    threat = ThreatModel(norm, eps)
    changed = replace(found, x=x)
    assert look(trained_classifier, held_out, changed, "inside the ball", threat)[0] == level


@pytest.mark.parametrize("value", [-1e-6, 1.00001, np.nan])
def test_one_value_outside_the_box(trained_classifier, held_out, found, value):
    name = "inside the box"
    assert look(trained_classifier, held_out, found, name)[0] == "PASS"
    x = found.x.copy()
    x[4, 1, 1, 0] = value
    level, number = look(trained_classifier, held_out, replace(found, x=x), name)
    assert (level, number.split()[0]) == ("FAIL", "1")


def test_outcomes_that_do_not_come_back(trained_classifier, held_out, found):
    name = "outcomes reproduced"
    assert look(trained_classifier, held_out, found, name)[0] == "PASS"
    x = found.x.copy()
    broken = np.flatnonzero(found.broken_by >= 0)
    x[broken[:1]] = found.clean[broken[:1]]
    level, number = look(trained_classifier, held_out, replace(found, x=x), name)
    assert (level, number) == ("WARN", "0 clean and 1 broken ones are not, of 80")
    by = found.broken_by.copy()
    by[np.flatnonzero(by == ROBUST)[:4]] = WRONG
    level, number = look(trained_classifier, held_out, replace(found, broken_by=by), name)
    assert (level, number) == ("FAIL", "4 clean and 0 broken ones are not, of 80")


def test_chance_alone_contradicts_nothing(trained_classifier, held_out, found):
    """A model that is wrong in half of its draws, whatever it is asked."""

    class Coin:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def __getattr__(self, name):
            return getattr(trained_classifier, name)

        def predict(self, x, batch_size=1000):
            z = np.eye(10, dtype=np.float32)[held_out[1]]
            return np.where(self.rng.random((len(x), 1)) < 0.5, z, np.roll(z, 1, axis=1))

    drawn = replace(found, evaluations=20, needed=11)
    level, _ = look(Coin(), held_out, drawn, "outcomes reproduced")
    assert level in ("PASS", "WARN")
    # the model without draws is right, every time, where it is said to be broken
    steady = replace(drawn, x=found.clean)
    level, number = look(trained_classifier, held_out, steady, "outcomes reproduced")
    assert level == "FAIL"
    assert number.startswith("0 clean and ")


def test_rounding_to_8_bits(trained_classifier, held_out, found):
    name = "8-bit round trip"
    assert look(trained_classifier, held_out, found, name)[0] == "PASS"
    # successes by a hair: between the clean example and the adversarial one
    low, high = found.clean.copy(), found.x.copy()
    for _ in range(30):
        middle = (low + high) / 2
        wrong = trained_classifier.predict(middle).argmax(axis=1) != found.y
        high[wrong], low[~wrong] = middle[wrong], middle[~wrong]
    level, number = look(trained_classifier, held_out, replace(found, x=high), name)
    assert level == "WARN"
    kept, of = (int(word) for word in number.split() if word.isdigit())
    assert kept < 0.9 * of


def test_rounded_images_have_256_levels():
    x = np.random.default_rng(0).uniform(-1, 1, (3, 5, 4, 2)).astype(np.float32)
    threat = ThreatModel("linf", 0.1, low=-1, high=1)
    once = rounded(x, threat)
    assert np.abs(once - x).max() <= 1 / 255 + 1e-7
    np.testing.assert_array_equal(rounded(once, threat), once)
    np.testing.assert_allclose((once + 1) / 2 * 255 % 1 % 0.9999, 0, atol=1e-3)
