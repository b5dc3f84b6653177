"""What a ThreatModel refuses."""

import math

import pytest

from robustnets.core.threat import NORMS, ThreatModel


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("max", 0.1), "norm must be one of linf, l2, l1, l0, got 'max'"),
        (("linf", -1), "eps must be finite and >= 0, got -1"),
        (("l2", math.nan), "eps must be finite and >= 0, got nan"),
        (("l2", math.inf), "eps must be finite and >= 0, got inf"),
        (("l2", 1, 1.0, 1.0), r"the box must have low < high, got \[1.0, 1.0\]"),
        (("l2", 1, 0.0, math.nan), r"the box must have low < high, got \[0.0, nan\]"),
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
