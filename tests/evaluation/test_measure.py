"""What measuring keeps of each example, against NumPy."""

import keras
import numpy as np
import pytest

from robustnets.engines import Adversarial
from robustnets.evaluation import measure
from robustnets.evaluation.measure import by_channel, outcomes
from robustnets.models.classifier import Classifier

SHAPE, N = (5, 4, 3), 8


@pytest.fixture
def classifier():
    """Four classes, logits linear in the image."""
    model = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(4, use_bias=False)]
    )
    kernel = np.random.default_rng(1).normal(size=(60, 4))
    model.set_weights([kernel])
    return Classifier(model)


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    return rng.uniform(0.2, 0.8, (N, *SHAPE)).astype(np.float32), rng.integers(0, 4, N)


def by_hand(classifier, x):
    logits = x.reshape(len(x), -1) @ classifier.model.get_weights()[0]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p.argmax(axis=1), p.max(axis=1)


def moved(x, eps, seed):
    noise = np.random.default_rng(seed).uniform(-eps, eps, x.shape).astype(np.float32)
    return Adversarial(
        x + noise,
        np.ones(N, bool),
        np.arange(1, N + 1, dtype=np.int32),
        np.arange(2, N + 2, dtype=np.int32) * seed,
        seconds=1.5,
        clean=x,
    )


def test_outcomes(classifier, examples):
    predicted, confidence = outcomes(classifier, examples[0])
    expected, sure = by_hand(classifier, examples[0])
    np.testing.assert_array_equal(predicted, expected)
    np.testing.assert_allclose(confidence, sure, rtol=0, atol=1e-5)
    assert confidence.dtype == np.float32
    assert len(set(predicted.tolist())) > 1


def test_record(classifier, examples):
    x, y = examples
    made = [(0.1, moved(x, 0.1, 1)), (0.2, moved(x, 0.2, 2))]
    record = measure(
        {"seed": 3},
        classifier,
        x,
        y,
        iter(made),
        curves={"loss": np.arange(3.0)},
        pictured=2,
        about={"device": "cpu"},
    )
    np.testing.assert_array_equal(record.label, y)
    np.testing.assert_array_equal(record.epsilons, [0.1, 0.2])
    np.testing.assert_array_equal(record.clean, by_hand(classifier, x)[0])
    for e, (_, made_of) in enumerate(made):
        predicted, sure = by_hand(classifier, made_of.x)
        np.testing.assert_array_equal(record.adversarial[e], predicted)
        difference = (made_of.x - x).reshape(N, -1)
        for name, expected in (
            ("adversarial_confidence", sure),
            ("linf", np.abs(difference).max(axis=1)),
            ("l2", np.sqrt((difference**2).sum(axis=1))),
        ):
            np.testing.assert_allclose(record.arrays[name][e], expected, rtol=0, atol=1e-5)
            assert record.arrays[name].dtype == np.float32
        np.testing.assert_array_equal(record.arrays["forward"][e], made_of.forward)
        np.testing.assert_array_equal(record.arrays["backward"][e], made_of.backward)
        np.testing.assert_array_equal(record.pictures["adversarial"][e + 1], made_of.x[:2])
    np.testing.assert_array_equal(record.pictures["adversarial"][0], x[:2])
    np.testing.assert_array_equal(record.curves["loss"], [0, 1, 2])
    assert {k: record.about[k] for k in ("device", "attack_seconds")} == {
        "device": "cpu",
        "attack_seconds": 3.0,
    }
    means = record.about["means"]
    assert set(means) == {n for n, a in record.arrays.items() if a.ndim == 2}
    np.testing.assert_allclose(means["l2"], record.arrays["l2"].mean(axis=1), rtol=0, atol=1e-6)
    assert means["forward"] == [4.5, 4.5]
    assert record.cell == {"seed": 3}


def test_nothing_attacked(classifier, examples):
    record = measure({}, classifier, *examples)
    assert record.adversarial.shape == (0, N)
    assert set(record.arrays) == {"clean_confidence"}
    assert dict(record.pictures) == {}
    assert record.about == {"attack_seconds": 0.0, "means": {}, "untouched": []}


def test_one_radius_in_memory_at_a_time(classifier, examples):
    """The second set of examples is asked for only when the first is measured."""
    x, y = examples
    log = []
    predict = classifier.predict
    classifier.predict = lambda x: log.append("predict") or predict(x)

    def made():
        for eps in (0.1, 0.2):
            log.append(eps)
            yield eps, moved(x, eps, 1)

    measure({}, classifier, x, y, made())
    assert log == ["predict", 0.1, "predict", 0.2, "predict"]


def test_logits_that_are_not_finite(classifier, examples):
    x, y = examples
    broken = x.copy()
    broken[[2, 5], 0, 0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="2 of 8 examples have logits that are not finite"):
        outcomes(classifier, broken)
    with pytest.raises(FloatingPointError, match="2 of 8 examples"):
        measure({}, classifier, x, y, [(0.1, Adversarial(broken, y > 0, y, y, 0.0, x))])
    classifier.model.set_weights([np.full((60, 4), np.inf)])
    with pytest.raises(FloatingPointError, match="8 of 8 examples"):
        measure({}, classifier, x, y)


def test_distances_channel_by_channel(classifier, examples):
    """Section 3.1.3 of CSDS440: each channel by itself, then added up."""
    x, y = examples
    moved_x = x.copy()
    moved_x[:, 1, 2] += np.array([0.03, -0.04, 0.0], np.float32)
    moved_x[:, 4, 0, 1] += 0.03
    record = measure({}, classifier, x, y, [(0.1, Adversarial(moved_x, y > 0, y, y, 0.0, x))])
    for name, expected in (
        ("linf", 0.04),
        ("l2", np.sqrt(0.03**2 + 0.04**2 + 0.03**2)),
        ("linf_channels", 0.03 + 0.04),
        ("l2_channels", 0.03 + 0.05),
    ):
        np.testing.assert_allclose(record.arrays[name][0], expected, rtol=0, atol=1e-6)
    one = by_channel(x[..., :1], moved_x[..., :1])
    np.testing.assert_allclose(one["l2_channels"], 0.03, rtol=0, atol=1e-6)


def test_probabilities_and_targets(classifier, examples):
    x, y = examples
    made = [(0.1, moved(x, 0.1, 1)), (0.2, moved(x, 0.2, 2))]
    target = (y + 1) % 4
    record = measure({}, classifier, x, y, made, target=target, probabilities=True)
    np.testing.assert_array_equal(record.arrays["target"], target)
    for radius, images in ((None, x), (0, made[0][1].x), (1, made[1][1].x)):
        p = record.probabilities(radius)
        assert p.shape == (N, 4)
        np.testing.assert_array_equal(p.argmax(axis=1), by_hand(classifier, images)[0])
        np.testing.assert_allclose(p.max(axis=1), by_hand(classifier, images)[1], rtol=0, atol=2e-3)
    assert record.arrays["adversarial_log_probabilities"].dtype == np.float16
    assert "adversarial_log_probabilities" not in record.about["means"]
