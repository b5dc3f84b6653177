"""All intervals that CSDS440 prints, from its rates where it prints those."""

import math

import pytest

from robustnets.report.reported import load
from robustnets.stats import paired_rates, unpaired_normal

ROWS = {(row.condition, row.metric): row for row in load("csds440")}
PRINTED = sorted(condition for condition, metric in ROWS if metric == "ci95_low")
# The one whose rates the report prints, section 3.2.1.
FROM_ITS_RATES = {"MNIST / FGSM - I-FGSM": ("MNIST / FGSM", "MNIST / I-FGSM", 10_000)}
# The report prints only bounds here; its rates are bars of figures 17 and 19. Two bounds are
# two equations for two rates, so the counts can be recovered, up to exchanging rates for
# their complements; that they come out whole says that formula, z and n are the report's. So
# these hold its formula, not its rates. For CIFAR-10 the text says 100,000 examples, from
# which no rates give these bounds; from 10,000 they do.
RECOVERED = {
    "CIFAR-10 / FGSM - I-FGSM": (1230, 829, 10_000),
    "CIFAR-10 / DeepFool - D-DeepFool": (1000, 980, 10_000),
    "CIFAR-10 / I-FGSM - HSJ": (829, 41, 10_000),
    "HSJ - FGSM adversarial flag / MNIST": (456, 452, 500),
    "FGSM - I-FGSM benign flag / MNIST": (6, 2, 500),
    "HSJ - FGSM benign flag / MNIST": (140, 6, 500),
}


def bounds(condition):
    return tuple(ROWS[condition, f"ci95_{side}"].value for side in ("low", "high"))


def recovered(low, high, n, z=1.96):
    """The rates below one half whose interval has these bounds, or None."""
    d, variance = (low + high) / 2, n * ((high - low) / 2 / z) ** 2
    # p (1 - p) + q (1 - q) = variance with p = m + d / 2 and q = m - d / 2
    root = 1 - 2 * variance - d * d
    if root < 0:
        return None
    m = (1 - math.sqrt(root)) / 2
    return m + d / 2, m - d / 2


def test_every_printed_interval_is_held():
    assert sorted([*FROM_ITS_RATES, *RECOVERED]) == PRINTED


@pytest.mark.parametrize("condition", FROM_ITS_RATES)
def test_from_its_rates(condition):
    first, second, n = FROM_ITS_RATES[condition]
    a, b = (ROWS[name, "adversarial_accuracy"].value for name in (first, second))
    i = unpaired_normal(round(a * n), n, round(b * n), n)
    assert (i.low, i.high) == pytest.approx(bounds(condition), abs=1e-11)  # as many digits
    # with the unrounded quantile of 95 % it is another interval
    other = unpaired_normal(round(a * n), n, round(b * n), n, z=1.959963984540054)
    assert abs(other.low - bounds(condition)[0]) > 1e-7


@pytest.mark.parametrize("condition", RECOVERED)
def test_from_counts_recovered_from_its_bounds(condition):
    a, b, n = RECOVERED[condition]
    i = unpaired_normal(a, n, b, n)
    assert (i.low, i.high) == pytest.approx(bounds(condition), abs=1e-15)
    p, q = recovered(*bounds(condition), n)
    counts = {(round(n * p, 5), round(n * q, 5)), (round(n * (1 - q), 5), round(n * (1 - p), 5))}
    assert (float(a), float(b)) in counts


def test_recovered_counts_agree_with_one_another():
    """I-FGSM on CIFAR-10 and FGSM's benign flags each stand in two intervals."""
    assert RECOVERED["CIFAR-10 / FGSM - I-FGSM"][1] == RECOVERED["CIFAR-10 / I-FGSM - HSJ"][0]
    flags = [RECOVERED[f"{pair} benign flag / MNIST"] for pair in ("FGSM - I-FGSM", "HSJ - FGSM")]
    assert flags[0][0] == flags[1][1]
    for condition in RECOVERED:
        if condition.startswith("CIFAR-10"):
            assert recovered(*bounds(condition), 100_000) is None


@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [(56, 70, 48, 80, 0.0575, 0.3425), (5, 56, 0, 29, 0.0146, 0.1640)],
)
def test_samples_of_different_sizes(a, m, b, n, low, high):
    """Wald's formula: p - q and 1.96 sqrt(p (1 - p) / m + q (1 - q) / n) to each side."""
    i = unpaired_normal(a, m, b, n)
    p, q = a / m, b / n
    half = 1.96 * math.sqrt(p * (1 - p) / m + q * (1 - q) / n)
    assert (i.low, i.high) == pytest.approx((p - q - half, p - q + half), abs=5.5e-5)
    assert (i.low, i.high) == pytest.approx((low, high), abs=5.5e-5)


def test_pairing_is_worth_it():
    """The example of 1000 pictures on which two networks disagree on 70 (50 against 20)."""
    first = [True] * 510 + [False] * 490
    second = [True] * 460 + [False] * 50 + [True] * 20 + [False] * 470
    i, pair = unpaired_normal(510, 1000, 480, 1000), paired_rates(first, second)
    assert i.estimate == pytest.approx(pair.difference.estimate, abs=1e-12)
    assert i.high - i.estimate == pytest.approx(0.0438, abs=5e-5)
    assert pair.difference.high - pair.difference.low == pytest.approx(2 * 0.0164, abs=5e-4)
    assert i.low < 0 < pair.difference.low


def test_its_defects():
    nothing = unpaired_normal(0, 10, 0, 20)
    assert (nothing.low, nothing.high, nothing.n) == (0.0, 0.0, 10)
    assert unpaired_normal(6, 7, 1, 7).high > 1.0  # impossible, and printed all the same


@pytest.mark.parametrize("counts", [(-1, 5, 0, 5), (0, 5, 6, 5), (0, 0, 0, 5)])
def test_refuses_counts(counts):
    with pytest.raises(ValueError, match=r"in 0\.\.n with n >= 1"):
        unpaired_normal(*counts)


@pytest.mark.parametrize("z", [0.0, math.inf, math.nan])
def test_refuses_z(z):
    with pytest.raises(ValueError, match="z must be finite and > 0"):
        unpaired_normal(1, 5, 1, 5, z=z)
