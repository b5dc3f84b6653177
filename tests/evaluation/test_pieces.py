"""How an attack falls into pieces: in order, complete, and not by the number of processes."""

import time

import numpy as np
import pytest

from robustnets.attacks import FGSM, PGD
from robustnets.core.threat import ThreatModel
from robustnets.engines import run
from robustnets.evaluation import pieces
from robustnets.evaluation.pieces import Piece, carry_out, cut, one_by_one

T = ThreatModel("linf", 0.1)


@pytest.mark.parametrize(
    ("rows", "batch", "sizes"),
    [
        (0, 64, []),
        (5, 64, [5]),
        (63, 64, [63]),
        (97, 256, [32, 32, 33]),
        (97, 8, [32, 32, 33]),  # four batches
        (20, 4, [20]),
        (33, 4, [16, 17]),
        (1100, 256, [64] * 16 + [76]),
    ],
)
def test_cut(monkeypatch, rows, batch, sizes):
    monkeypatch.setattr(pieces.backend, "on_accelerator", lambda: False)
    found = cut(3 * np.arange(rows), batch)
    assert [len(part) for part in found] == sizes
    assert np.array_equal(np.concatenate([[], *found]), 3 * np.arange(rows))


def test_an_accelerator_has_large_pieces(monkeypatch):
    monkeypatch.setattr(pieces.backend, "on_accelerator", lambda: True)
    assert [len(part) for part in cut(np.arange(1100), 128)] == [512, 588]


def test_pieces_are_what_the_whole_is(trained_classifier, digits):
    x, y = digits[0][1500:1580], digits[1][1500:1580]
    attack = PGD(T, steps=3, restarts=2)
    whole = run(attack, trained_classifier, x, y, batch_size=32, attack_wrong=True)
    rows = cut(np.arange(80), 32)
    todo = [Piece(attack, x[r], y[r], r, 0, 32) for r in rows]
    seen = []
    found = dict(one_by_one(trained_classifier)(todo, lambda *at: seen.append(at)))
    assert list(found) == [0, 1]
    assert seen[-1] == (1, 48)
    for place, r in enumerate(rows):
        assert not found[place]["late"]
        assert (found[place]["success"] == whole.success[r]).all()
        np.testing.assert_allclose(found[place]["x"], whole.x[r], rtol=0, atol=1e-6)


def test_no_piece_begins_when_the_time_is_up(trained_classifier, digits):
    x, y = digits[0][1500:1504], digits[1][1500:1504]
    late = Piece(FGSM(T), x, y, np.arange(4), 0, 4, until=time.time() - 1)
    assert carry_out(late, trained_classifier) is None
