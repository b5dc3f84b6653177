"""Training at a temperature, on soft labels, and the two-network procedure."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from robustnets.attacks import PGD
from robustnets.core.dataset import Split
from robustnets.core.threat import ThreatModel
from robustnets.models import Classifier
from robustnets.training import SGD, AdversarialTraining, FixedEpochs, Training
from robustnets.training.distillation import MISCLASSIFIED, distill, lesson
from robustnets.training.fit import cross_entropy, fit

SHAPE, CLASSES = (3, 2, 1), 3
TRAINING = Training((FixedEpochs(8),), SGD(0.5), batch_size=20)


@pytest.fixture(autouse=True, scope="module")
def plain_graphs():
    """Compiling with XLA would take longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("robustnets.training.fit.has_convolutions", lambda model: True)
        yield


def make_model(seed=0):
    def kernel(i):
        return keras.initializers.GlorotUniform(seed=10 * seed + i)

    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(12, "relu", kernel_initializer=kernel(0)),
            keras.layers.Dense(CLASSES, kernel_initializer=kernel(1)),
        ]
    )


@pytest.fixture(scope="module")
def splits():
    """Three classes by the brightness of one pixel, some labels wrong."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 180)
    x = rng.uniform(0.3, 0.7, (180, *SHAPE)).astype(np.float32)
    x[:, 0, 0, 0] = (0.1 + 0.4 * y + rng.normal(0, 0.03, 180)).clip(0, 1)
    y[:14] = (y[:14] + 1) % CLASSES
    x = x.clip(0, 1).astype(np.float32)
    return Split(x[:140], y[:140]), Split(x[140:], y[140:])


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(p, q) for p, q in zip(a, b))


def test_cross_entropy_by_hand():
    rng = np.random.default_rng(0)
    z, y = rng.normal(0, 20, (6, 4)).astype(np.float32), np.arange(6) % 4
    soft = rng.dirichlet(np.ones(4), 6).astype(np.float32)
    for t in (1.0, 20.0):
        logs = log_softmax(z.astype(np.float64) / t, axis=1)
        hard = -logs[np.arange(6), y].mean()
        assert float(cross_entropy(y.astype(np.int32), z, t)) == pytest.approx(hard, abs=1e-4)
        assert float(cross_entropy(soft, z, t)) == pytest.approx(
            -(soft * logs).sum(axis=1).mean(), abs=1e-4
        )


def test_one_hot_soft_labels_are_labels(splits):
    train, validation = splits
    one, other = make_model(), make_model()
    plain = fit(one, train, validation, TRAINING, 7)
    hot = np.eye(CLASSES, dtype=np.float32)[train.y]
    soft = fit(other, train, validation, TRAINING, 7, soft_labels=hot)
    np.testing.assert_allclose(plain.curves["loss"], soft.curves["loss"], rtol=0, atol=1e-5)
    for a, b in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4)


def test_a_temperature_makes_logits_large(splits):
    spans = {}
    for t in (1.0, 10.0):
        model = make_model()
        training = replace(TRAINING, rules=(FixedEpochs(60),))
        fitted = fit(model, *splits, training, 7, temperature=t)
        spans[t] = np.ptp(Classifier(model).predict(splits[1].x), axis=1).mean()
        assert fitted.curves["val_accuracy"][-1] > 0.8
    assert spans[10.0] > 2 * spans[1.0]


def test_soft_labels_are_reached(splits):
    """A network that is taught to be unsure becomes so."""
    train, validation = splits
    unsure = np.full((len(train), CLASSES), 0.2, np.float32)
    unsure[np.arange(len(train)), train.y] = 0.6
    model = make_model()
    training = replace(TRAINING, rules=(FixedEpochs(40),))
    fitted = fit(model, train, validation, training, 7, soft_labels=unsure)
    logits = Classifier(model).predict(validation.x)
    assert softmax(logits, axis=1).max(axis=1).mean() == pytest.approx(0.6, abs=0.08)
    assert fitted.curves["val_accuracy"][-1] > 0.8


class _Interrupted(Exception):
    pass


def test_interrupted_and_gone_on(splits, tmp_path):
    train, validation = splits
    soft = np.random.default_rng(3).dirichlet(np.ones(CLASSES), len(train))
    options = {"temperature": 5.0, "soft_labels": soft}
    whole = make_model()
    undisturbed = fit(whole, train, validation, TRAINING, 7, **options)
    path = tmp_path / "checkpoint.npz"

    def stop(epoch, of, logs):
        if epoch == 3:
            raise _Interrupted

    kept = {"checkpoint_path": path, "checkpoint_seconds": 0.0}
    with pytest.raises(_Interrupted):
        fit(make_model(), train, validation, TRAINING, 7, progress=stop, **kept, **options)
    for others in (
        {"soft_labels": soft},
        {"temperature": 5.0},
        {"temperature": 5.0, "soft_labels": soft[::-1]},
    ):
        with pytest.raises(ValueError, match="belongs to another training"):
            fit(make_model(), train, validation, TRAINING, 7, **kept, **others)
    epochs = []
    model = make_model()
    again = fit(
        model, train, validation, TRAINING, 7, progress=lambda e, *_: epochs.append(e),
        **kept, **options,
    )  # fmt: skip
    assert epochs == [3, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(again.curves["loss"], undisturbed.curves["loss"])
    assert same(model.get_weights(), whole.get_weights())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature must be finite and > 0, got 0.0"),
        ({"soft_labels": np.ones((140, 3))}, "soft_labels must be probabilities: >= 0, with rows"),
        ({"soft_labels": np.ones(140)}, r"soft_labels must be \(140, K\), got \(140,\)"),
        (
            {"soft_labels": np.full((139, 2), 0.5)},
            r"soft_labels must be \(140, K\), got \(139, 2\)",
        ),
        (
            {
                "soft_labels": np.full((140, 2), 0.5),
                "adversary": AdversarialTraining(PGD(ThreatModel("linf", 0.1))),
            },
            "soft_labels and an adversary cannot be combined",
        ),
    ],
)
def test_refusals(splits, options, message):
    with pytest.raises(ValueError, match=message):
        fit(make_model(), *splits, TRAINING, 7, **options)


# what the student learns


def test_lesson():
    rng = np.random.default_rng(0)
    x = rng.random((40, *SHAPE), np.float32)
    logits = rng.normal(0, 30, (40, CLASSES)).astype(np.float32)
    y = logits.argmax(axis=1)
    wrong = np.arange(40) % 8 == 3
    y[wrong] = (y[wrong] + 1) % CLASSES
    soft = softmax(logits.astype(np.float64) / 10, axis=1)
    found = {m: lesson(Split(x, y), logits, 10.0, m) for m in MISCLASSIFIED}
    np.testing.assert_allclose(found["soft"][1], soft, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found["soft"][0].x, x)
    np.testing.assert_array_equal(found["removed"][0].x, x[~wrong])
    np.testing.assert_array_equal(found["removed"][0].y, y[~wrong])
    np.testing.assert_allclose(found["removed"][1], soft[~wrong], rtol=0, atol=1e-6)
    hard = found["hard"][1]
    np.testing.assert_allclose(hard[~wrong], soft[~wrong], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(hard[wrong], np.eye(CLASSES)[y[wrong]])
    assert {labels.dtype for _, labels in found.values()} == {np.dtype("float32")}


def test_lesson_refuses():
    split, logits = Split(np.zeros((2, 1, 1, 1), np.float32), np.array([0, 0])), np.eye(2)
    with pytest.raises(ValueError, match=r"misclassified must be one of .*, got 'kept'"):
        lesson(split, logits, 1.0, "kept")
    with pytest.raises(ValueError, match="temperature must be finite and > 0"):
        lesson(split, logits, 0.0)
    with pytest.raises(ValueError, match="nothing is left"):
        lesson(split, logits[[1, 1]], 1.0, "removed")


def test_distill(splits):
    train = splits[0]
    training = replace(TRAINING, rules=(FixedEpochs(60),))
    students = {}
    for treatment in MISCLASSIFIED:
        teacher, student = make_model(), make_model(1)
        first, second = distill(
            teacher, student, *splits, training, 7, temperature=5.0, misclassified=treatment
        )
        assert len(first.curves["loss"]) == len(second.curves["loss"]) == 60
        students[treatment] = Classifier(student).predict(train.x), teacher
        assert second.curves["val_accuracy"][-1] > 0.8
    one, *others = [teacher.get_weights() for _, teacher in students.values()]
    assert all(same(one, other) for other in others)
    taught = Classifier(students["soft"][1]).predict(train.x)
    wrong = taught.argmax(axis=1) != train.y
    assert 0 < wrong.sum() < 40

    def agreement(treatment):
        """How much of the true class there is where the teacher is wrong."""
        p = softmax(students[treatment][0] / 5, axis=1)
        return p[np.arange(len(p)), train.y][wrong].mean()

    assert agreement("hard") > agreement("soft") + 0.02
    # it learned the teacher's probabilities, not the classes
    target = softmax(taught / 5, axis=1)
    found = softmax(students["soft"][0] / 5, axis=1)
    assert np.abs(found - target).mean() < np.abs(found - np.eye(CLASSES)[train.y]).mean()


def test_distill_needs_one_rule(splits):
    two = replace(TRAINING, rules=(FixedEpochs(1), FixedEpochs(2)))
    with pytest.raises(ValueError, match="distillation ends by one rule, got"):
        distill(make_model(), make_model(), *splits, two, 7, temperature=5.0)
