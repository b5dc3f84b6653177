"""Square Attack: its schedule and shapes, the budget, a linear model, the peer."""

import keras
import numpy as np
import pytest
from art_peer import art_estimator, right_digits
from asked import SHAPE, carry, check_counts, check_rows_alone, images, linear, never
from keras import ops

from robustnets import backend, engines
from robustnets.attacks import balls, square
from robustnets.attacks.square import Square
from robustnets.core.threat import ThreatModel
from robustnets.engines import peers
from robustnets.models import Classifier

W = np.random.default_rng(1).normal(size=24)
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}
ROUNDING = {"linf": 1e-6, "l2": 1e-6, "l1": 1e-5}  # l1 adds up one error for each value
each_norm = pytest.mark.parametrize("norm", ["linf", "l2", "l1"])


def test_the_schedule_is_that_of_the_paper():
    """Sec. 4: p is halved at 10, 50, 200, ... of 10000 squares."""

    def expected(number):
        shares = [0.8, 0.4, 0.2, 0.1, 0.05, 0.025, 0.0125, 0.00625, 0.003125, 0.0015625]
        passed = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]
        return shares[sum(number > p for p in passed)]

    def at(number, budget):
        return [p for first, p in square.schedule(budget, 0.8) if number >= first][-1]

    for number in (0, 10, 11, 50, 51, 200, 201, 999, 1000, 1001, 5000, 6001, 8000, 8001, 9999):
        assert at(number, 10000) == pytest.approx(expected(number), abs=1e-15)
        assert at(number, 20000) == pytest.approx(expected(number / 2), abs=1e-15)
        assert at(number // 10, 1000) == pytest.approx(expected(number // 10 * 10), abs=1e-15)


def test_the_sides_of_squares():
    assert [square.side(p, 28, 28, 1) for _, p in square.schedule(5000, 0.8)] == [
        *(25, 18, 13, 9, 6, 4, 3, 2, 2, 1)
    ]
    assert [square.side(p, 32, 32, 3) for _, p in square.schedule(5000, 0.1)] == [
        *(11, 7, 5, 5, 3, 3, 3, 3, 3, 3)
    ]
    assert square.side(1.0, 10, 4, 1) == 4
    assert [square.side(1.0, 10, n, 3) for n in (6, 5, 4, 3, 2, 1)] == [5, 5, 3, 3, 1, 1]


def test_the_shape_of_l2_changes():
    """The formula of sec. 3.4, written down as it stands there."""

    def rectangle(h1, h2):
        n = max(h1, h2) // 2
        found = np.zeros((h1, h2))
        for r in range(1, h1 + 1):
            for s in range(1, h2 + 1):
                m = n - max(abs(r - h1 // 2 - 1), abs(s - h2 // 2 - 1))
                found[r - 1, s - 1] = sum(1 / (n + 1 - k) ** 2 for k in range(m + 1))
        return found / np.linalg.norm(found)

    for h in (3, 4, 7):
        k = h // 2
        expected = np.concatenate([rectangle(k, h), -rectangle(h - k, h)])
        expected /= np.linalg.norm(expected)
        np.testing.assert_allclose(square.eta(h), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.abs(square.eta(1)), 1)


def tensors(n=5, shape=(9, 7, 3), asked=1, order=2):
    """x, and the state of an attack that has asked so often."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.4, 0.6, (n, *shape)).astype(np.float32)
    delta = rng.normal(size=x.shape)
    delta *= 0.04 / np.linalg.norm(delta.reshape(n, -1), order, axis=1)[:, None, None, None]
    state = {
        "x": x,
        "best": x + delta.astype(np.float32),
        "eps": np.full(n, 0.05, np.float32),
        "seeds": np.arange(n, dtype=np.int32),
        "forward": np.full(n, asked, np.int32),
    }
    return x, {name: ops.convert_to_tensor(value) for name, value in state.items()}


@pytest.mark.parametrize("asked", [1, 20, 400])
def test_a_linf_proposal_repaints_one_square_of_each_example(asked):
    x, state = tensors(asked=asked)
    spec = Square(ThreatModel("linf", 0.05), budget=1000)
    state["best"] = ops.convert_to_tensor(x + np.float32(0.05))
    found = ops.convert_to_numpy(spec._repainted(state)) - x
    assert np.abs(np.abs(found) - 0.05).max() < 1e-6
    changed = (found < 0).any(axis=(0, 3))
    lengths = []
    for one in found:
        rows, columns = np.nonzero((one < 0).any(axis=-1))
        if len(rows):
            block = one[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert (block == block[0, 0]).all() or np.ptp(block, axis=(0, 1)).max() < 1e-6
            lengths.append((np.ptp(rows) + 1, np.ptp(columns) + 1))
    stage = [p for first, p in square.schedule(1000, 0.8) if asked - 1 >= first][-1]
    assert set(lengths) == {(square.side(stage, 9, 7, 1),) * 2}
    assert asked == 1 or changed.sum() > np.prod(lengths[0])  # not the same one for all


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("l1", 1)])
def test_a_proposal_keeps_the_length_and_what_is_outside_both_windows(norm, order):
    _, state = tensors(asked=400, order=order)
    spec = Square(ThreatModel(norm, 0.05), budget=1000)
    before = ops.convert_to_numpy(state["best"] - state["x"])
    after = ops.convert_to_numpy(spec._reshaped(state) - state["x"])
    lengths = np.linalg.norm(after.reshape(5, -1), order, axis=1)
    np.testing.assert_allclose(lengths, 0.05, rtol=0, atol=ROUNDING[norm])
    same = (np.abs(after - before) < 1e-7).all(axis=-1).sum(axis=(1, 2))
    assert (same >= 63 - 18).all()
    assert (same < 63).all()


@each_norm
def test_the_start_reaches_the_radius(norm):
    threat = ThreatModel(norm, 0.05)
    x = images(5, (11, 13, 3), low=0.4, high=0.6)
    found = carry(Square(threat, budget=1), never, x, np.zeros(5))
    assert found["forward"].tolist() == [1] * 5
    moved = balls.distances(x, found["x"])[norm]
    np.testing.assert_allclose(moved, 0.05, rtol=0, atol=ROUNDING[norm])
    delta = found["x"] - x
    if norm == "linf":  # vertical stripes
        assert np.ptp(delta, axis=1).max() < 1e-6
    assert np.abs(delta - delta[:1]).max() > (1e-4 if norm == "l1" else 0.005)


@each_norm
@pytest.mark.parametrize("targeted", [False, True])
def test_nears_the_optimum_of_a_linear_model(norm, targeted):
    """A label that cannot be left, so that the whole budget goes into the search."""
    x, eps = images(3, low=0.4, high=0.6), 0.1
    attack = Square(ThreatModel(norm, eps), budget=1500, targeted=targeted)
    found = carry(attack, linear(W, -100.0), x, np.full(3, 1 if targeted else 0))
    moved = (found["x"] - x).reshape(3, -1) @ W
    # changes have sides of 3, here of 4 x 3, where the best in l1 is a single value
    least = {"linf": 0.99, "l2": 0.5, "l1": 0.3}[norm]
    assert (moved > least * eps * np.linalg.norm(W, DUAL[norm])).all()
    assert found["forward"].tolist() == [1500] * 3


@pytest.mark.skipif(backend.name() != "tensorflow", reason="JAX traces its loops in eager mode too")
@each_norm
@pytest.mark.parametrize("budget", [1, 2, 15])
def test_the_budget_is_kept_exactly_and_no_query_is_uncounted(norm, budget):
    assert check_counts(Square(ThreatModel(norm, 0.1), budget=budget), never) == budget


@each_norm
def test_each_example_on_its_own_and_in_the_box(norm):
    found = check_rows_alone(Square(ThreatModel(norm, 0.3), budget=60), linear(W, -10.0))
    assert 0 <= found["x"].min() <= found["x"].max() <= 1
    assert balls.distances(images(7), found["x"])[norm].max() <= 0.3 + ROUNDING[norm]


def test_stops_at_the_first_success():
    x = images(5, SHAPE)
    found = carry(Square(ThreatModel("linf", 0.5)), linear(W, -0.5 * W.sum()), x, np.zeros(5))
    assert found["forward"].max() < 100


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0}, "budget must be an int >= 1, got 0"),
        ({"p_init": 0.0}, "p_init must be > 0 and <= 1, got 0"),
        ({"loss": "hinge"}, "loss must be one of"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Square(ThreatModel("linf", 0.1), **settings)


@pytest.mark.skipif(backend.name() != "tensorflow", reason="ART runs on TensorFlow here")
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.12), ("l2", 1.2)])
def test_no_weaker_than_art_at_the_same_budget(norm, eps, trained_classifier, digits):
    # ART's squares and tiles must fit into a square image of some size
    inputs = keras.Input((16, 16, 1))
    digit = keras.layers.AveragePooling2D(2)(keras.layers.Cropping2D(((0, 0), (2, 2)))(inputs))
    classifier = Classifier(keras.Model(inputs, trained_classifier.model(digit)))
    estimator = art_estimator(classifier)
    from art.attacks.evasion import SquareAttack

    x, y = right_digits(trained_classifier, digits, 100)
    x = np.pad(x.repeat(2, axis=1).repeat(2, axis=2), [(0, 0), (0, 0), (2, 2), (0, 0)])
    attack = SquareAttack(
        estimator, norm=np.inf if norm == "linf" else 2, max_iter=150, eps=eps, verbose=False
    )
    with peers.seeded(0):
        theirs = attack.generate(x, y=np.eye(10)[y]).astype(np.float32)
    fooled = classifier.predict(theirs).argmax(axis=1) != y
    fooled &= balls.distances(x, theirs)[norm] <= eps + 1e-5
    ours = engines.run(Square(ThreatModel(norm, eps), budget=151), classifier, x, y)
    print(f"Square {norm}: ours {ours.success.mean():.3f}, ART {fooled.mean():.3f}")
    assert 0.1 < ours.success.mean() < 1
    assert ours.success.mean() >= fooled.mean() - 0.02
