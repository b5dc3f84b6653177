"""Derived seeds: the same everywhere and for ever, and unrelated to one another."""

import numpy as np

from robustnets.core.seeds import derive


def test_golden_values():
    assert [derive(0), derive(0, "shuffle", 1), derive(12, "weights", "hidden_1")] == [
        804681139,
        2104610569,
        841835708,
    ]


def test_range_and_type():
    seeds = [derive(s, "x", i) for s in range(40) for i in range(50)]
    assert all(type(s) is int and 0 <= s < 2**31 for s in seeds)
    # 2000 draws out of 2**31: a collision has a probability of 0.1 %
    assert len(set(seeds)) == 2000
    # mean of 2000 uniforms: standard deviation 0.0065
    assert abs(np.mean(seeds) / 2**31 - 0.5) < 0.03


def test_names_and_order_count():
    distinct = {
        derive(0),
        derive(1),
        derive(0, 1),
        derive(0, "a"),
        derive(0, "a", "b"),
        derive(0, "b", "a"),
        derive(0, "ab"),
    }
    assert len(distinct) == 7


def test_streams_are_independent():
    a, b = (np.random.default_rng(derive(3, name)).normal(size=4000) for name in ("a", "b"))
    # correlation of independent rows: standard deviation 1 / sqrt(4000) = 0.016
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.07
