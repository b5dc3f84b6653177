"""Images to start from survive hashing, comparing and JSON."""

import json

import numpy as np
import pytest

from robustnets.attacks import HopSkipJump, Starts
from robustnets.core.spec import digest, from_dict, to_dict
from robustnets.core.threat import ThreatModel

X = np.random.default_rng(0).uniform(0, 1, (3, 5, 4, 2)).astype(np.float32)


def test_images_come_back_bit_for_bit():
    starts = Starts.of(X, np.array([2, 0, 1]))
    assert starts.images.tobytes() == X.tobytes()
    assert starts.images.shape == X.shape
    assert starts.labels == (2, 0, 1)
    assert hash(starts) == hash(Starts.of(X.copy(), [2, 0, 1]))
    assert starts != Starts.of(X, [2, 0, 0])


def test_a_spec_with_images_has_a_digest_and_a_json_form():
    spec = HopSkipJump(ThreatModel("l2", 1.0), starts=Starts.of(X, [2, 0, 1]))
    other = HopSkipJump(ThreatModel("l2", 1.0), starts=Starts.of(X + 1e-7, [2, 0, 1]))
    assert digest(spec) != digest(other)
    data = json.loads(json.dumps(to_dict(spec)))
    assert from_dict(data, (HopSkipJump, ThreatModel, Starts)) == spec


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, [1, 2], "2 labels do not fit"),
        (X[:0], [], "0 labels do not fit"),
        (X * np.nan, [0, 1, 2], "NaN"),
    ],
)
def test_refuses_what_does_not_fit(x, y, message):
    with pytest.raises(ValueError, match=message):
        Starts.of(x, y)
