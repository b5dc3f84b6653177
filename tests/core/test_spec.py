"""Specs as dictionaries, and digests that must not change: stores are keyed by them."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from robustnets.core.spec import digest, from_dict, quiet, to_dict
from robustnets.core.threat import ThreatModel


@dataclass(frozen=True)
class Outer:
    threat: ThreatModel
    many: tuple[int, ...] = (3, 1)
    nothing: None = None
    flag: bool = True


OUTER = Outer(ThreatModel("l2", 0.5))


def test_round_trip():
    flat = to_dict(OUTER)
    assert flat == {
        "type": "Outer",
        "threat": {"type": "ThreatModel", "norm": "l2", "eps": 0.5, "low": 0.0, "high": 1.0},
        "many": [3, 1],
        "nothing": None,
        "flag": True,
    }
    assert from_dict(flat, (Outer, ThreatModel)) == OUTER


def test_golden_digests():
    assert digest(ThreatModel("linf", 0.1)) == "7c916bc6974ee782"
    assert digest({"b": 1, "a": [1.5, None]}, "x", 3) == "4808df976b92c137"


def test_digest_depends_on_everything_but_key_order():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    distinct = [
        digest(),
        digest(1),
        digest("1"),
        digest(True),
        digest(1, 1),
        digest((1, 1)),
        digest(None),
        digest(ThreatModel("linf", 0.1)),
        digest(ThreatModel("l2", 0.1)),
        digest(ThreatModel("linf", 0.1 + 1e-15)),
    ]
    assert len(set(distinct)) == len(distinct)
    assert all(len(d) == 16 and int(d, 16) >= 0 for d in distinct)


@pytest.mark.parametrize(
    "value",
    [math.nan, -math.inf, np.int64(3), np.zeros(2), {1, 2}, b"x", ThreatModel, 1j, object()],
    ids=lambda v: type(v).__name__,
)
def test_values_without_a_faithful_form(value):
    with pytest.raises(TypeError, match="a spec holds only finite scalars, tuples and specs"):
        to_dict({"nested": (1, [value])})


def test_unknown_type():
    with pytest.raises(ValueError, match="unknown spec type 'Outer'; known: ThreatModel"):
        from_dict([to_dict(OUTER)], (ThreatModel,))


@dataclass(frozen=True)
class Grown:
    a: int
    rate: float = quiet(0.5)
    inner: ThreatModel | None = quiet(None)


def test_quiet_fields_are_left_out_at_their_default_and_come_back():
    assert to_dict(Grown(1)) == {"type": "Grown", "a": 1}
    assert from_dict(to_dict(Grown(1)), (Grown,)) == Grown(1)
    whole = Grown(1, 0.25, ThreatModel("l2", 1.0))
    assert from_dict(to_dict(whole), (Grown, ThreatModel)) == whole
    assert len({digest(Grown(1)), digest(Grown(1, 0.25)), digest(whole)}) == 3
