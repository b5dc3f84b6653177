"""Auto-PGD: checkpoints and halvings by hand and by a second program, targets, the peer."""

import math

import numpy as np
import pytest
from art_peer import art_estimator, right_digits
from asked import carry, check_rows_alone, images, linear
from keras import ops

from robustnets import backend, engines
from robustnets.attacks import APGD, PGD, balls, losses, sparse_steps
from robustnets.attacks.schedules import checkpoints, plan, stalls
from robustnets.core.threat import ThreatModel
from robustnets.engines import peers

W = np.random.default_rng(1).normal(size=24)
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}
each_norm = pytest.mark.parametrize("norm", ["linf", "l2", "l1"])


def test_checkpoints_by_hand():
    assert checkpoints(100) == (22, 41, 57, 70, 80, 87, 93, 99)
    assert checkpoints(1000) == (220, 410, 570, 700, 800, 870, 930, 990)
    # 2.2, 4.1, 5.7, 7, 8, 8.7, 9.3, 9.9 rounded up
    assert checkpoints(10) == (3, 5, 6, 7, 8, 9, 10)
    assert checkpoints(1) == (1,)


def test_conditions_by_hand():
    risen, window = np.array([16, 17, 12, 11, 12]), np.array([22, 22, 16, 16, 16])
    higher = np.array([True, True, False, True, False])
    slowed = np.array([False, False, False, False, True])
    found = ops.convert_to_numpy(stalls(risen, window, higher, slowed))
    assert found.tolist() == [True, False, True, True, False]


def test_the_plans():
    short = plan(10, False, False)
    assert short.begins.tolist() == [True] + 10 * [False]
    assert short.windows.tolist() == [0, 0, 0, 3, 0, 2, 1, 1, 1, 1, 1]
    assert plan(50, True, False).windows.tolist() == [0, *[0, 2] * 25]
    wide = plan(100, True, True)
    assert [i for i in range(103) if wide.begins[i]] == [0, 31, 62]
    assert [wide.radii[i] for i in (0, 30, 31, 61, 62, 102)] == [3, 3, 2, 2, 1, 1]
    assert len(wide.radii) == 103


def waves(x):
    """Two classes, logits (0, f) with a bumpy f of two pixels."""
    a, b = x[:, 0, 0, 0], x[:, 0, 1, 0]
    f = ops.sin(5.0 * a + 3.0 * b) + 0.5 * ops.sin(11.0 * b - 4.0 * a)
    return ops.stack([ops.zeros_like(f), f], axis=1)


def wave(x):
    a, b = x
    return math.sin(5 * a + 3 * b) + 0.5 * math.sin(11 * b - 4 * a)


def wave_slope(x):
    a, b = x
    u, v = math.cos(5 * a + 3 * b), 0.5 * math.cos(11 * b - 4 * a)
    return np.array([5 * u - 4 * v, 3 * u + 11 * v])


def algorithm_1(x, start, eps, steps, norm):
    """The paper's pseudocode for one example in float64.

    Returns:
        [(step, best value, how little a rise or a new best was)] at each iterate.
    """

    def inside(z):
        delta = np.clip(z, 0, 1) - x
        if norm == "linf":
            delta = np.clip(delta, -eps, eps)
        else:
            delta = delta * min(1, eps / max(np.linalg.norm(delta), 1e-30))
        return x + delta

    def way(g):
        return np.sign(g) if norm == "linf" else g / np.linalg.norm(g)

    marks = [math.ceil(p * steps / 100) for p in (0, 22, 41, 57, 70, 80, 87, 93, 99)]
    step, points, values = 2 * eps, [start], [wave(start)]
    best, top = values[0], start
    at_mark, halved = best, False
    trace = [(step, best, 1.0)]
    for k in range(steps):
        z = inside(points[k] + step * way(wave_slope(points[k])))
        if k > 0:
            z = points[k] + 0.75 * (z - points[k]) + 0.25 * (points[k] - points[k - 1])
        z = inside(z)
        points.append(z)
        values.append(wave(z))
        changes = [abs(values[-1] - other) for other in (values[-2], best)]
        closest = min([1.0, *(c for c in changes if c > 0)])
        if values[-1] > best:
            best, top = values[-1], z
        if k + 1 in marks[1:]:
            before = marks[marks.index(k + 1) - 1]
            rises = sum(values[i + 1] > values[i] for i in range(before, k + 1))
            halved = rises < 0.75 * (k + 1 - before) or (not halved and best == at_mark)
            at_mark = best
            if halved:
                step, points[-1], values[-1] = step / 2, top, best
        trace.append((step, best, closest))
    return np.array(trace)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_steps_halve_where_those_of_the_paper_do(norm):
    """Some steps halve, some do not, and the highest values are those of the paper."""
    n, steps, eps = 40, 20, 0.3
    rng = np.random.default_rng(5)
    x = rng.uniform(0.2, 0.8, (n, 1, 2, 1)).astype(np.float32)
    spec = APGD(ThreatModel(norm, eps), steps=steps, loss="margin", stop_early=False)
    columns = (x, np.zeros(n, np.int32), np.arange(n, dtype=np.int32), np.full(n, eps, np.float32))
    state = spec.start(waves, *map(ops.convert_to_tensor, columns))
    starts = ops.convert_to_numpy(state["at"]).astype(float)
    advance = backend.compiled(lambda state: spec.advance(waves, state, 1))
    rates, tops = [], []
    for _ in range(steps + 1):
        state = advance(state)
        rates.append(ops.convert_to_numpy(state["rate"]))
        tops.append(ops.convert_to_numpy(state["height"]))
    assert ops.convert_to_numpy(spec.done(state)).all()
    expected = [
        algorithm_1(x[i].reshape(2).astype(float), starts[i].reshape(2), eps, steps, norm)
        for i in range(n)
    ]
    expected = np.array(expected).transpose(2, 1, 0)  # (what, looks, examples)
    # what rises by less than float32 tells apart is not compared
    clear = expected[2].min(axis=0) > 1e-5
    assert clear.sum() >= 4
    ours = 2 * eps * np.array(rates)[:, clear]
    np.testing.assert_allclose(ours, expected[0][:, clear], rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.array(tops)[:, clear], expected[1][:, clear], rtol=0, atol=1e-4)
    assert len(np.unique(expected[0, -1, clear])) > 1


def test_on_a_linear_model_every_checkpoint_halves():
    """The corner is reached in one step, and nothing rises any more."""
    spec = APGD(ThreatModel("linf", 0.1), steps=100, loss="margin", stop_early=False)
    x = images(3, low=0.4, high=0.6)
    columns = (x, np.zeros(3, np.int32), np.arange(3, dtype=np.int32), np.full(3, 0.1, np.float32))
    state = spec.start(linear(W, 0.0), *map(ops.convert_to_tensor, columns))
    advance = backend.compiled(lambda state: spec.advance(linear(W, 0.0), state, 1))
    seen = []
    for _ in range(101):
        state = advance(state)
        seen.append(float(state["rate"][1]))
    halved = [i for i in range(1, 101) if seen[i] < seen[i - 1]]
    assert halved == [22, 41, 57, 70, 80, 87, 93, 99]
    assert seen[-1] == 2.0**-8


@each_norm
@pytest.mark.parametrize("targeted", [False, True])
def test_reaches_the_optimum_of_a_linear_model(norm, targeted):
    x, eps = images(5, low=0.4, high=0.6), 0.15
    spec = APGD(ThreatModel(norm, eps), steps=30, stop_early=False, targeted=targeted)
    found = carry(spec, linear(W, 0.0), x, np.full(5, int(targeted)))
    moved = (found["x"] - x).reshape(5, -1) @ W
    atol = 1e-3 if norm == "l1" else 1e-4
    np.testing.assert_allclose(moved, eps * np.linalg.norm(W, DUAL[norm]), rtol=0, atol=atol)
    assert found["forward"].tolist() == found["backward"].tolist() == [31] * 5


def test_sparse_steps():
    g = np.array([[[3, -4], [0.5, 0]], [[1, 1], [-1, 1]], [[0, 0], [0, 0]]], np.float32)
    gradient = ops.convert_to_tensor(g)
    found = ops.convert_to_numpy(sparse_steps.sparse(gradient, np.array([2.9, 1, 0.2])))
    half, quarter = [[0.5, -0.5], [0, 0]], [[0.25, 0.25], [-0.25, 0.25]]
    np.testing.assert_array_equal(found, [half, quarter, np.zeros((2, 2))])
    same = sparse_steps.even(gradient, sparse_steps.nth_largest(gradient, 2))
    np.testing.assert_array_equal(ops.convert_to_numpy(same), found)


def test_l1_steps_get_sparser_and_shorter_by_the_rule():
    """On a linear model the best point differs in ever fewer values, until it is a corner."""
    n, eps = 3, 0.05
    spec = APGD(ThreatModel("l1", eps), steps=50, loss="margin", stop_early=False)
    x = images(n, low=0.4, high=0.6)
    columns = (x, np.zeros(n, np.int32), np.arange(n, dtype=np.int32), np.full(n, eps, np.float32))
    state = spec.start(linear(W, 0.0), *map(ops.convert_to_tensor, columns))
    advance = backend.compiled(lambda state: spec.advance(linear(W, 0.0), state, 1))
    before, rate = np.full(n, 24.0), np.ones(n)
    for look in range(51):
        state = advance(state)
        if look and look % 2 == 0:
            top = ops.convert_to_numpy(state["top"])
            now = (top != x).sum(axis=(1, 2, 3))
            rate = np.where(now / before < 0.95, 1.0, np.maximum(rate / 1.5, 0.1))
            before = now
            np.testing.assert_allclose(ops.convert_to_numpy(state["rate"]), rate, atol=1e-6)
            kept = ops.convert_to_numpy(state["kept"])
            np.testing.assert_allclose(kept, now / 1.5, rtol=0, atol=1e-5)
        elif look < 2:
            np.testing.assert_allclose(ops.convert_to_numpy(state["kept"]), 4.8, atol=1e-6)
    assert before.max() <= 2


def test_targets_are_the_likeliest_others_one_after_the_other(small_classifier):
    x, n = images(4, (5, 4, 3)), 4
    z = small_classifier.predict(x)
    y = np.array([z[0].argmax(), 1, 2, z[3].argmin()])
    spec = APGD(ThreatModel("linf", 1e-4), steps=2, loss="dlr", targets=9, restarts=2)
    columns = (x, y.astype(np.int32), np.arange(n, dtype=np.int32), np.full(n, 1e-4, np.float32))
    state = spec.start(small_classifier.logits, *map(ops.convert_to_tensor, columns))
    for row, label, ranked in zip(z, y, ops.convert_to_numpy(state["classes"])):
        assert ranked.tolist() == [k for k in np.argsort(-row) if k != label]
    spec = APGD(ThreatModel("linf", 1e-4), steps=2, loss="dlr", targets=9, stop_early=False)
    found = carry(spec, small_classifier.logits, x, y)
    # seven classes have six others
    assert found["forward"].tolist() == [1 + 6 * 3] * n
    assert found["backward"].tolist() == [6 * 3] * n


def test_a_class_that_only_its_own_target_reaches():
    """The likeliest other class cannot be reached, and its gradient leads away from the third."""

    def logits(x):
        a = 10.0 * (x[:, 0, 0, 0] - 0.5)
        return ops.stack([0.0 * a + 1.0, 0.5 + 0.1 * a, -a, 0.0 * a - 9.0, 0.0 * a - 9.0], axis=1)

    x, y = np.full((3, 1, 1, 1), 0.5, np.float32), np.zeros(3)
    threat = ThreatModel("linf", 0.15)
    aimed = carry(APGD(threat, steps=10, loss="dlr", targets=2), logits, x, y)
    z = ops.convert_to_numpy(logits(ops.convert_to_tensor(aimed["x"])))
    assert (z.argmax(axis=1) == 2).all()
    one = carry(APGD(threat, steps=10, loss="dlr", targets=1), logits, x, y)
    assert one["forward"].max() == 1 + 11
    assert (aimed["forward"] > one["forward"]).any()


@each_norm
def test_each_example_on_its_own_and_in_the_box(norm):
    settings = {"large_radii": True} if norm == "l1" else {}
    spec = APGD(ThreatModel(norm, 0.3), steps=8, restarts=2, loss="margin", **settings)
    found = check_rows_alone(spec, linear(W, -1.0))
    assert 0 <= found["x"].min() <= found["x"].max() <= 1
    assert balls.distances(images(7), found["x"])[norm].max() <= 0.3 + 1e-5


def test_large_radii_end_in_the_ball_and_count_only_there(trained_classifier, digits):
    x, y = right_digits(trained_classifier, digits, 60)
    threat = ThreatModel("l1", 1.5)
    wide = APGD(threat, steps=20, large_radii=True, stop_early=False)
    found = engines.run(wide, trained_classifier, x, y)
    assert balls.distances(x, found.x)["l1"].max() <= 1.5 + 1e-5
    assert set(found.forward) == {1 + 20 + 3}
    plain = engines.run(APGD(threat, steps=20), trained_classifier, x, y)
    assert found.success.mean() >= plain.success.mean() - 0.1


@each_norm
def test_no_weaker_than_pgd_of_as_many_passes(norm, trained_classifier, digits):
    x, y = right_digits(trained_classifier, digits, 150)
    threat = ThreatModel(norm, {"linf": 0.08, "l2": 0.35, "l1": 1.2}[norm])
    ours = engines.run(APGD(threat, steps=30), trained_classifier, x, y)
    pgd = engines.run(PGD(threat, steps=30), trained_classifier, x, y)
    print(f"APGD {norm}: {ours.success.mean():.3f}, PGD {pgd.success.mean():.3f}")
    assert 0.1 < ours.success.mean() < 1
    assert ours.success.mean() >= pgd.success.mean() - 0.01


def test_expectation_without_chance_gives_the_same_at_n_times_the_price(small_classifier):
    x, y = images(5, (5, 4, 3)), np.arange(5)
    settings = {"steps": 1, "stop_early": False, "targets": 2}
    one, three = (
        carry(
            APGD(ThreatModel("l2", 0.3), expectation=n, **settings), small_classifier.logits, x, y
        )
        for n in (1, 3)
    )
    np.testing.assert_allclose(three["x"], one["x"], rtol=0, atol=1e-5)
    assert one["forward"].tolist() == [1 + 2 * 2] * 5
    assert three["forward"].tolist() == (3 * one["forward"]).tolist()
    assert three["backward"].tolist() == (3 * one["backward"]).tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be an int >= 1, got 0"),
        ({"restarts": 0}, "restarts must be an int >= 1"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"targets": 0}, "targets must be an int >= 1, got 0"),
        ({"targets": 2, "targeted": True}, "targets must be None for targeted attacks"),
        ({"large_radii": True}, "large_radii must be False in linf"),
        ({"stop_early": 1}, "stop_early must be a bool"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        APGD(ThreatModel("linf", 0.1), **settings)


@pytest.mark.skipif(backend.name() != "tensorflow", reason="ART runs on TensorFlow here")
@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.08), ("l2", 0.35)])
def test_no_weaker_than_art_at_the_same_budget(norm, eps, loss, trained_classifier, digits):
    estimator = art_estimator(trained_classifier)
    from art.attacks.evasion import AutoProjectedGradientDescent

    class Loss:
        """What ART would build itself, did it not need Keras 2 for it."""

        reduction = "mean"

        def __call__(self, y_true, z):
            each = losses.LOSSES[loss](z, ops.argmax(y_true, axis=1))
            return each if self.reduction == "none" else ops.mean(each)

    estimator._loss_object = Loss()
    x, y = right_digits(trained_classifier, digits, 297)
    attack = AutoProjectedGradientDescent(
        estimator,
        norm=np.inf if norm == "linf" else 2,
        eps=eps,
        eps_step=2 * eps,
        max_iter=20,
        nb_random_init=1,
        batch_size=len(x),
        verbose=False,
    )
    with peers.seeded(0):
        theirs = attack.generate(x, y=np.eye(10)[y]).astype(np.float32)
    fooled = trained_classifier.predict(theirs).argmax(axis=1) != y
    fooled &= balls.distances(x, theirs)[norm] <= eps + 1e-5
    spec = APGD(ThreatModel(norm, eps), steps=20, loss=loss)
    ours = engines.run(spec, trained_classifier, x, y)
    print(f"APGD {norm} {loss}: ours {ours.success.mean():.3f}, ART {fooled.mean():.3f}")
    assert 0.1 < ours.success.mean() < 1
    assert ours.success.mean() >= fooled.mean() - 0.015
