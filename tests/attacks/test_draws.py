"""Random numbers: uniform, independent, and the same on every backend and in every batch."""

import numpy as np
import pytest
from keras import ops
from scipy import stats

from robustnets.attacks import balls, draws

GOLDEN = [[495776930, 2757314909, 439875586], [1525128667, 685862590, 3903150704]]
NORMAL = [1.6624103, -0.5980492, 1.2468110]
SEEDS = np.array([0, 1, 2, 12345, 2**31 - 1], np.int32)


def drawn(kind, seeds=SEEDS, shape=(50, 41, 3), stream=0, step=0):
    return ops.convert_to_numpy(getattr(draws, kind)(seeds, shape, stream, step))


def test_the_numbers_are_these_on_every_backend():
    """Golden values: a change of the generator changes every published result."""
    got = drawn("bits", SEEDS[:2], (3,), 1, 2)
    assert got.dtype == np.uint32
    assert got.tolist() == GOLDEN
    np.testing.assert_allclose(drawn("normal", SEEDS[:1], (3,), 1, 2)[0], NORMAL, atol=1e-5)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_uniform_normal_and_signs_have_their_distributions(seed):
    flat = drawn("uniform")[seed].ravel()
    assert 0 < flat.min() < 1e-3
    assert 1 - 1e-3 < flat.max() < 1
    assert stats.kstest(flat.astype(float), "uniform").pvalue > 1e-4
    assert stats.kstest(drawn("normal")[seed].ravel().astype(float), "norm").pvalue > 1e-4
    signs = drawn("signs")[seed].ravel()
    assert set(signs) == {-1.0, 1.0}
    assert stats.binomtest(int((signs > 0).sum()), len(signs)).pvalue > 1e-4


def test_every_bit_is_fair():
    words = drawn("bits", shape=(20000,))
    share = [((words >> np.uint32(bit)) & 1).mean(axis=1) for bit in range(32)]
    assert np.abs(np.array(share) - 0.5).max() < 5 * 0.5 / np.sqrt(20000)


def test_examples_streams_steps_and_neighbours_are_independent():
    base = drawn("uniform")
    others = [
        np.roll(base, 1, axis=0),
        drawn("uniform", stream=1),
        drawn("uniform", step=1),
        drawn("uniform", seeds=SEEDS - 1 + (SEEDS == 0)),
        np.roll(base, 1, axis=2),
    ]
    for other in others:
        for a, b in zip(base, other):
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)
            assert np.mean(a == b) < 1e-3


def test_the_first_numbers_of_many_seeds_and_steps_are_uniform_too():
    seeds = np.arange(5000, dtype=np.int32)
    for step in (0, seeds[::-1].copy()):
        first = drawn("uniform", seeds, (1,), step=step)[:, 0]
        assert stats.kstest(first.astype(float), "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 5 / np.sqrt(len(seeds))


def test_a_row_depends_on_its_own_seed_and_step_only():
    steps = np.array([3, 1, 4, 1, 5], np.int32)
    whole = drawn("normal", step=steps)
    for i in range(len(SEEDS)):
        alone = drawn("normal", SEEDS[i : i + 1], step=int(steps[i]))
        np.testing.assert_allclose(alone[0], whole[i], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("norm", "order"), [("linf", np.inf), ("l2", 2), ("l1", 1)])
def test_the_ball_is_filled_uniformly(norm, order):
    """The length of a uniform draw, to the power of the dimension, is uniform in (0, 1)."""
    shape = (3, 2, 1)
    points = ops.convert_to_numpy(balls.uniform(np.arange(4000, dtype=np.int32), shape, norm))
    flat = points.reshape(4000, 6).astype(float)
    lengths = np.linalg.norm(flat, ord=order, axis=1)
    assert lengths.max() <= 1 + 1e-6
    assert stats.kstest(lengths**6, "uniform").pvalue > 1e-4
    assert np.abs(flat.mean(axis=0)).max() < 5 / np.sqrt(4000)
    with pytest.raises(ValueError, match="'l0'"):
        balls.uniform(SEEDS, shape, "l0")
