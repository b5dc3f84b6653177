"""DeepFool and its dynamic sibling: closed forms, freezing, the box, peers."""

import keras
import numpy as np
import pytest
from keras import ops

from robustnets import backend, engines
from robustnets.attacks import balls
from robustnets.attacks.deepfool import DeepFool
from robustnets.attacks.dynamic_deepfool import DynamicDeepFool
from robustnets.core.threat import ThreatModel
from robustnets.models.classifier import Classifier

FAR = 1e9  # a radius that cuts nothing
each_attack = pytest.mark.parametrize("kind", [DeepFool, DynamicDeepFool])
each_norm = pytest.mark.parametrize("norm", ["linf", "l2"])


def predicted(classifier, x):
    return classifier.predict(x).argmax(axis=1)


@each_norm
@pytest.mark.parametrize("candidates", [None, 5, 9])
@pytest.mark.parametrize("kind", [DeepFool, DynamicDeepFool])
def test_reaches_the_nearest_boundary_of_an_affine_model(kind, norm, candidates, affine, nearest):
    classifier, kernel, bias = affine()
    x = np.random.default_rng(3).uniform(-1, 1, (7, 5, 4, 3)).astype(np.float32)
    y = predicted(classifier, x)
    attack = kind(ThreatModel(norm, FAR, -50.0, 50.0), candidates=candidates)
    found = engines.run(attack, classifier, x, y)
    assert found.success.all()
    longest = 1.02 if kind is DeepFool else 1.5
    distance = balls.distances(x, found.x)[norm]
    expected = nearest(x, y, kernel, bias, norm)
    assert (distance > expected - 1e-5).all()
    np.testing.assert_allclose(distance, longest * expected, rtol=0, atol=5e-4)
    assert found.forward.tolist() == [4] * 7  # already wrong?, candidates, a step, across
    assert found.backward.tolist() == [5] * 7


@each_norm
@pytest.mark.parametrize(
    ("low", "high", "scale"), [(0.0, 1.0, 1e-6), (0.0, 255.0, 1.0), (-1.0, 1.0, 1e6)]
)
def test_one_step_whatever_the_units(norm, low, high, scale, nearest):
    """Closed form times 1 + overshoot, where the box cuts nothing; 40 images near boundaries."""
    rng = np.random.default_rng(8)
    kernel = rng.normal(size=(24 * 20 * 3, 6)).astype(np.float32) * np.float32(scale)
    middle, width = (low + high) / 2, high - low
    x = rng.uniform(middle - width / 10, middle + width / 10, (40, 24, 20, 3)).astype(np.float32)
    bias = (-middle * kernel.sum(axis=0)).astype(np.float32)
    model = keras.Sequential(
        [keras.Input((24, 20, 3)), keras.layers.Flatten(), keras.layers.Dense(6)]
    )
    model.layers[-1].set_weights([kernel, bias])
    classifier = Classifier(model)
    y = predicted(classifier, x)
    found = engines.run(DeepFool(ThreatModel(norm, FAR, low, high)), classifier, x, y)
    assert found.success.all()
    assert set(found.forward) == {4}
    assert set(found.backward) == {5}
    expected = nearest(x, y, kernel.astype(float), bias.astype(float), norm)
    distance = balls.distances(x, found.x)[norm]
    np.testing.assert_allclose(distance, 1.02 * expected, rtol=0, atol=5e-4 * width)


@each_norm
@each_attack
@pytest.mark.parametrize("size", [8, 128])
def test_reaches_the_mean_of_every_channel_at_any_image_size(norm, kind, size):
    """A step of a given length moves a value the less, the more values there are."""
    rng = np.random.default_rng(0)
    means = rng.uniform(-0.1, 0.1, (40, 1, 1, 3))
    means[:10] *= 1e-5  # margins of about 1e-6
    x = (rng.uniform(0.4, 0.6, (40, size, size, 3)) + means).astype(np.float32)
    inputs = keras.Input((size, size, 3))
    classifier = Classifier(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs)))
    y = predicted(classifier, x)
    found = engines.run(kind(ThreatModel(norm, FAR)), classifier, x, y)
    assert found.success.all()
    if kind is DeepFool:
        assert set(found.forward) == {4}


@each_attack
@each_norm
def test_steps_in_the_box_reach_what_the_papers_do_not(kind, norm):
    """Nearly all of the slope belongs to values at the edge of the box, which it pushes out."""
    rng = np.random.default_rng(9)
    x = rng.uniform(0.3, 0.7, (7, 5, 4, 3)).astype(np.float32)
    x[:, :3] = 1.0
    w = rng.uniform(0.5, 1.5, (5, 4, 3))
    w[:3] *= 1000
    kernel = np.stack([np.zeros(60), w.reshape(-1)], axis=1)
    inside = (x[:, 3:] * w[3:]).reshape(7, -1).sum(axis=1)
    bias = np.array([0.0, -(w[:3].sum() + inside.max() + 1.0)])  # 1 to gain, where 10 can be
    model = keras.Sequential(
        [keras.Input((5, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.layers[-1].set_weights([kernel, bias])
    classifier = Classifier(model)
    y = np.zeros(7, np.int64)
    assert (predicted(classifier, x) == y).all()
    found = engines.run(kind(ThreatModel(norm, FAR), steps=5), classifier, x, y)
    assert found.success.all()
    assert set(found.forward) == {2 + 2 * 5 + 2}  # five of the paper's steps, one in the box
    assert np.array_equal(found.x[:, :3], x[:, :3])


@each_norm
def test_the_box_costs_no_more_than_it_must(norm, affine):
    """The nearest point of a half space in the box is x clipped along the normal."""
    classifier, kernel, bias = affine(classes=2)
    x = np.random.default_rng(4).uniform(0, 1, (7, 5, 4, 3)).astype(np.float32)
    x[x < 0.4], x[x > 0.7] = 0.0, 1.0
    y = predicted(classifier, x)
    found = engines.run(DeepFool(ThreatModel(norm, FAR)), classifier, x, y)
    assert 0 <= found.x.min() <= found.x.max() <= 1
    normal = kernel[:, 1] - kernel[:, 0]
    offset = bias[1] - bias[0]
    solvable = 0
    for i, (image, adversarial) in enumerate(zip(x, found.x)):
        flat, way = image.reshape(-1).astype(float), normal * (1 if y[i] == 0 else -1)
        way = way if norm == "l2" else np.sign(way)

        def across(t, flat=flat, way=way, y=y[i]):
            return ((np.clip(flat + t * way, 0, 1) @ normal + offset > 0) * 1) != y

        low, high = 0.0, 1e3
        assert found.success[i] == across(high)
        if not across(high):
            assert adversarial.tobytes() == image.tobytes()
            continue
        solvable += 1
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if across(middle) else (middle, high)
        order = np.inf if norm == "linf" else 2
        best = np.linalg.norm(np.clip(flat + high * way, 0, 1) - flat, order)
        moved = np.linalg.norm(adversarial.reshape(-1) - flat, order)
        assert best - 1e-5 <= moved <= 1.05 * best + 1e-4
    assert solvable >= 4


@each_attack
@each_norm
def test_scales_with_the_box(kind, norm, affine):
    """The same problem in [0, 255] has the same answer times 255."""
    small, *_ = affine()
    large, *_ = affine(scale=255.0)
    x = np.random.default_rng(5).uniform(0, 1, (5, 5, 4, 3)).astype(np.float32)
    y = predicted(small, x)
    one = engines.run(kind(ThreatModel(norm, FAR)), small, x, y)
    other = engines.run(kind(ThreatModel(norm, FAR, 0.0, 255.0)), large, x * 255, y)
    assert one.success.all()
    assert other.success.all()
    np.testing.assert_allclose(other.x / 255, one.x, rtol=0, atol=1e-4)


@each_attack
@each_norm
def test_examples_do_not_see_each_other_and_stay_once_across(
    kind, norm, trained_classifier, digits
):
    x, y = digits[0][1500:1525], digits[1][1500:1525]
    settings = {"overshoot": 0.0} if kind is DeepFool else {"first": 0.0, "last": 0.0}
    attack = kind(ThreatModel(norm, FAR), steps=20, **settings)
    whole = engines.run(attack, trained_classifier, x, y)
    assert whole.success.all()
    assert len(set(whole.forward)) > 1  # or freezing was not tested
    alone = [
        engines.run(attack, trained_classifier, x[i : i + 1], y[i : i + 1], batch_size=1)
        for i in range(7)
    ]
    for i, one in enumerate(alone):
        np.testing.assert_allclose(one.x[0], whole.x[i], rtol=0, atol=1e-5)
        assert (one.forward[0], one.backward[0]) == (whole.forward[i], whole.backward[i])
    n = len(x)
    columns = (x, y.astype(np.int32), np.zeros(n, np.int32), np.full(n, FAR, np.float32))
    perturb = backend.compiled(lambda *columns: attack.perturb(trained_classifier.logits, *columns))
    at_once = ops.convert_to_numpy(perturb(*map(ops.convert_to_tensor, columns)))
    np.testing.assert_allclose(at_once, whole.x, rtol=0, atol=1e-5)


@each_attack
def test_too_few_steps_give_back_x_and_no_success(kind, trained_classifier, digits):
    x, y = digits[0][1500:1540], digits[1][1500:1540]
    settings = {"overshoot": 0.0} if kind is DeepFool else {"first": 0.0, "last": 0.0}
    attack = kind(ThreatModel("l2", FAR), steps=1, **settings)
    found = engines.run(attack, trained_classifier, x, y)
    assert not found.success.all()
    for i in range(len(x)):
        assert found.success[i] == (predicted(trained_classifier, found.x[i : i + 1])[0] != y[i])
        if not found.success[i]:
            assert found.x[i].tobytes() == x[i].tobytes()


@each_attack
def test_a_flat_model_is_given_up_at_once(kind):
    model = keras.Sequential(
        [
            keras.Input((5, 4, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, kernel_initializer="zeros"),
        ]
    )
    x = np.full((2, 5, 4, 3), 0.5, np.float32)
    found = engines.run(kind(ThreatModel("l2", FAR)), Classifier(model), x, np.zeros(2, np.int64))
    assert not found.success.any()
    assert found.x.tobytes() == x.tobytes()
    assert found.forward.tolist() == [3, 3]


@each_attack
@each_norm
def test_finds_a_planted_region(kind, norm, planted):
    classifier, x, y, distance = planted
    found = engines.run(kind(ThreatModel(norm, FAR)), classifier, x, y)
    assert found.success.all()
    if norm == "l2":
        moved = balls.distances(x, found.x)["l2"]
        assert (moved >= distance - 1e-4).all()
        assert (moved <= 1.6 * distance).all()


def test_few_candidates_leave_towards_the_likely_classes(affine):
    classifier, _, _ = affine()
    x = np.random.default_rng(3).uniform(-1, 1, (7, 5, 4, 3)).astype(np.float32)
    z = classifier.predict(x)
    y = z.argmax(axis=1)
    attack = DeepFool(ThreatModel("l2", FAR, -50.0, 50.0), candidates=1)
    found = engines.run(attack, classifier, x, y)
    assert found.success.all()
    assert (2 * found.backward == found.forward - 2).all()


@pytest.mark.parametrize("setting", [{"steps": 0}, {"candidates": 0}, {"candidates": True}])
@each_attack
def test_refuses_bad_settings(kind, setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        kind(ThreatModel("l2", 1.0), **setting)


def test_refuses_bad_overshoots():
    with pytest.raises(ValueError, match="overshoot must be finite and >= 0, got -1"):
        DeepFool(ThreatModel("l2", 1.0), overshoot=-1)
    with pytest.raises(ValueError, match="first >= last"):
        DynamicDeepFool(ThreatModel("l2", 1.0), first=0.01)
    with pytest.raises(ValueError, match="l1"):
        DeepFool(ThreatModel("l1", 1.0))


def test_the_dynamic_rate_falls_along_a_logarithm():
    attack = DynamicDeepFool(ThreatModel("l2", 1.0), steps=9, first=0.4, last=0.1)
    rates = np.array([attack.rate(i) for i in range(9)])
    assert rates[0] == 0.4
    assert rates[2] == pytest.approx(0.25, abs=1e-12)  # ln 3 is half of ln 9
    assert rates[8] == pytest.approx(0.1, abs=1e-12)
    assert (np.diff(rates) < 0).all()
    assert DynamicDeepFool(ThreatModel("l2", 1.0), steps=1).rate(0) == 0.5


@each_norm
def test_dynamic_needs_fewer_passes(norm, trained_classifier, digits):
    x, y = digits[0][1500:1600], digits[1][1500:1600]
    plain, dynamic = (
        engines.run(kind(ThreatModel(norm, FAR)), trained_classifier, x, y)
        for kind in (DeepFool, DynamicDeepFool)
    )
    assert plain.success.all()
    assert dynamic.success.all()
    assert dynamic.backward.mean() < plain.backward.mean()
