"""What a ThreatModel refuses."""

import math

import numpy as np
import pytest

from robustnets.core.spec import digest
from robustnets.core.threat import NORMS, ThreatModel, refuse_whole_box


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("max", 0.1), "norm must be one of linf, l2, l1, l0, got 'max'"),
        (("linf", -1), "eps must be finite and >= 0, got -1"),
        (("l2", math.nan), "eps must be finite and >= 0, got nan"),
        (("l2", math.inf), "eps must be finite and >= 0, got inf"),
        (("l2", 1, 1.0, 1.0), r"the box must have low < high, got \[1.0, 1.0\]"),
        (("l2", 1, 0.0, math.nan), r"the box must have low < high, got \[0.0, nan\]"),
        (("linf", np.array([0.1, 0.2])), r"eps must be one number, got \[0.1, 0.2\]; make a Thr"),
        (("linf", 0.1, [0.0, 0.1], 1.0), r"low must be one number, .* keras.layers.Normalization"),
        (("linf", 0.1, 0, np.array([1, 2, 3])), r"high must be one number, got \[1, 2, 3\]"),
        (("linf", "a lot"), "eps must be a number or a fraction such as 8/255, got 'a lot'"),
        (("linf", "1e400"), "eps must be a number or a fraction"),
        (("linf", 10**400), "eps must be a number or a fraction"),
        (("linf", None), "eps must be a number or a fraction such as 8/255, got None"),
        (("linf", True), "got True"),
        (("linf", np.zeros(0)), "eps must be a number"),
        (([], 0.1), r"norm must be one of linf, l2, l1, l0, got \[\]"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        ThreatModel(*arguments)


@pytest.mark.parametrize("norm", NORMS)
def test_accepts_zero(norm):
    threat = ThreatModel(norm, 0.0, -1.0, 2.0)
    assert (threat.eps, threat.low, threat.high) == (0.0, -1.0, 2.0)
    assert len({threat, ThreatModel(norm, 0.0, -1.0, 2.0)}) == 1


@pytest.mark.parametrize(
    ("eps", "meant"),
    [
        ("8/255", 8 / 255),
        (" 8 / 255", 8 / 255),
        ("0.5", 0.5),
        (np.float64(0.25), 0.25),
        (np.float32(0.5), 0.5),
        (np.array([0.5, 0.5]), 0.5),
        (np.int64(2), 2),
    ],
)
def test_what_can_only_mean_one_number_is_taken(eps, meant):
    threat = ThreatModel("l2", eps, np.zeros(3), np.ones(3))
    assert threat == ThreatModel("l2", meant, 0.0, 1.0)
    assert type(threat.eps) in (int, float)
    assert digest(threat) == digest(ThreatModel("l2", meant, 0.0, 1.0))


def test_integers_keep_their_digest():
    assert digest(ThreatModel("l2", 1)) != digest(ThreatModel("l2", 1.0))


@pytest.mark.parametrize(
    ("threat", "question"),
    [
        (ThreatModel("linf", 8), r"did you mean 8/255\? If 8 is meant, say so"),
        (ThreatModel("linf", 1), r"did you mean 1/255\?"),
        (ThreatModel("linf", 8, -1, 1), r"did you mean 16/255\?"),
        (ThreatModel("linf", 1e6), r"every other one\. If 1e\+06 is meant, say so"),
        (ThreatModel("linf", 255, 0, 255), r"every other one\. If 255 is meant"),
    ],
)
def test_a_radius_as_wide_as_the_box(threat, question):
    with pytest.raises(ValueError, match=question):
        refuse_whole_box(threat, False, "say so")
    refuse_whole_box(threat, True, "say so")


def test_a_radius_inside_the_box():
    inside = (("linf", 0.99, 0, 1), ("linf", 8, 0, 255), ("l2", 8, 0, 1), ("l1", 4, 0, 1))
    for arguments in inside:
        refuse_whole_box(ThreatModel(*arguments), False, "say so")


def test_units_and_rounding_follow_the_box():
    assert ThreatModel("linf", 0.5).units == ""
    assert ThreatModel("linf", 0.5, -1, 1).units == " (inputs in [-1, 1])"
    # a step of 0.5 from 254 in float32 may end half a unit in the last place, 8e-6, too far
    assert ThreatModel("linf", 0.5, 0, 255).slack > 1e-5
    assert ThreatModel("linf", 0.5).slack == pytest.approx(6e-6, abs=1e-12)
