"""The training loop: repeatable, resumable bit for bit, and its rules stop where Keras' do."""

import csv
from dataclasses import replace

import keras
import numpy as np
import pytest

from robustnets.callbacks import StopOnStableWeights
from robustnets.core.dataset import Split
from robustnets.training import SGD, EarlyStop, FixedEpochs, StableWeights, Training
from robustnets.training.fit import batch_order, fit

SHAPE, CLASSES = (6, 5, 1), 4
MAX = 24
TRAINING = Training(
    rules=(
        FixedEpochs(5),
        EarlyStop(4),
        StableWeights(5, 0.02),
        StableWeights(5, 1e-9),  # never
        EarlyStop(20),
    ),
    optimizer=SGD(0.05),
    batch_size=25,
    reduce_lr_patience=3,
    max_epochs=MAX,
)


def make_model(seed=0):
    def kernel(i):
        return keras.initializers.GlorotUniform(seed=seed + i)

    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(9, "tanh", kernel_initializer=kernel(0)),
            keras.layers.Dense(CLASSES, kernel_initializer=kernel(1)),
        ]
    )


@pytest.fixture(scope="module")
def splits():
    """120 training and 40 validation examples, a few labels wrong so that no rule is idle."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (160, *SHAPE)).astype(np.float32)
    y = (x.reshape(160, -1) @ rng.normal(size=(30, CLASSES))).argmax(axis=1)
    wrong = rng.random(160) < 0.15
    y[wrong] = rng.integers(0, CLASSES, wrong.sum())
    return Split(x[:120], y[:120]), Split(x[120:], y[120:])


@pytest.fixture(scope="module")
def undisturbed(splits):
    model = make_model()
    return fit(model, *splits, TRAINING, 7), model.get_weights()


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(p, q) for p, q in zip(a, b))


def measured(fitted):
    return {name: curve for name, curve in fitted.curves.items() if name != "seconds"}


def assert_same_fit(one, other):
    assert [(s.rule, s.epoch, s.fired) for s in one.stops] == [
        (s.rule, s.epoch, s.fired) for s in other.stops
    ]
    for a, b in zip(one.stops, other.stops):
        assert same(a.weights, b.weights), a.rule
    assert measured(one).keys() == measured(other).keys()
    for name, curve in measured(one).items():
        np.testing.assert_array_equal(curve, other.curves[name], err_msg=name)


def test_one_seed_one_result(splits, undisturbed):
    model = make_model()
    again = fit(model, *splits, TRAINING, 7)
    assert_same_fit(again, undisturbed[0])
    assert same(model.get_weights(), undisturbed[1])


def test_another_seed_another_result(splits, undisturbed, tmp_path):
    path = tmp_path / "checkpoint.npz"
    few = replace(TRAINING, rules=(FixedEpochs(2),))
    other = fit(make_model(), *splits, few, 8, checkpoint_path=path, checkpoint_seconds=1e6)
    assert not np.array_equal(other.curves["loss"], undisturbed[0].curves["loss"][:2])
    assert not path.exists()  # a checkpoint has its time


class _Interrupted(Exception):
    pass


def test_interrupted_and_gone_on(splits, undisturbed, tmp_path):
    """Cut off during epochs 4, 5, 13 and 23: before a rule fires, as it does, and after."""
    path = tmp_path / "checkpoint.npz"
    epochs = []
    for last in (4, 5, 13, 23, None):

        def progress(epoch, of, logs, last=last):
            epochs.append(epoch)
            assert of == MAX
            if epoch == last:
                raise _Interrupted

        model = make_model()
        options = {"checkpoint_path": path, "checkpoint_seconds": 0.0, "progress": progress}
        if last is None:
            fitted = fit(model, *splits, TRAINING, 7, **options)
        else:
            with pytest.raises(_Interrupted):
                fit(model, *splits, TRAINING, 7, **options)
    # the interrupted epoch alone is trained again
    assert epochs == [*range(1, 5), *range(4, 6), *range(5, 14), *range(13, 24), 23, 24]
    assert_same_fit(fitted, undisturbed[0])
    assert same(model.get_weights(), undisturbed[1])


def test_checkpoint_of_the_finished_training(splits, undisturbed, tmp_path):
    """Killed between the last epoch and its result: nothing is left to train."""
    path = tmp_path / "checkpoint.npz"
    fit(make_model(), *splits, TRAINING, 7, checkpoint_path=path, checkpoint_seconds=0.0)

    def progress(epoch, of, logs):
        raise AssertionError(f"epoch {epoch} was trained again")

    model = make_model(3)
    again = fit(model, *splits, TRAINING, 7, checkpoint_path=path, progress=progress)
    assert_same_fit(again, undisturbed[0])


def test_checkpoint_of_another_training(splits, tmp_path):
    path = tmp_path / "checkpoint.npz"
    few = replace(TRAINING, rules=(FixedEpochs(1),))
    fit(make_model(), *splits, few, 7, checkpoint_path=path, checkpoint_seconds=0.0)
    for training, seed in ((replace(few, batch_size=24), 7), (few, 8)):
        with pytest.raises(ValueError, match="belongs to another training"):
            fit(make_model(), *splits, training, seed, checkpoint_path=path)


# the rules, by hand


def early_by_hand(accuracy, patience):
    """1-based epoch at which `patience` epochs have brought nothing better, or None."""
    best, at = -np.inf, 0
    for epoch, value in enumerate(accuracy, start=1):
        if value > best:
            best, at = value, epoch
        elif epoch - at >= patience:
            return epoch
    return None


def rates_by_hand(accuracy, patience, rate):
    """Learning rate of each epoch, divided by ten after `patience` epochs without gain."""
    rates, best, wait = [], -np.inf, 0
    for value in accuracy:
        rates.append(rate)
        if value > best + 1e-4:
            best, wait = value, 0
        else:
            wait += 1
            if wait >= patience:
                rate, wait = rate * 0.1, 0
    return np.array(rates)


def test_stops_are_those_of_the_curves(undisturbed):
    fitted, _ = undisturbed
    deviation = fitted.curves["weights_max_std"]
    accuracy = fitted.curves["val_accuracy"]
    assert len(deviation) == len(accuracy) == MAX
    assert np.isnan(deviation[:4]).all()
    assert np.isfinite(deviation[4:]).all()
    for stop in fitted.stops:
        rule = stop.rule
        if isinstance(rule, FixedEpochs):
            expected = rule.epochs
        elif isinstance(rule, EarlyStop):
            expected = early_by_hand(accuracy, rule.patience)
        else:
            under = np.flatnonzero(deviation < rule.max_std)
            expected = int(under[0]) + 1 if len(under) else None
        assert stop.fired == (expected is not None)
        assert stop.epoch == (expected or MAX)
    # the data are such that there is something to see
    fired = {stop.rule: stop.fired for stop in fitted.stops}
    assert fired[EarlyStop(4)]
    assert fired[StableWeights(5, 0.02)]
    assert not fired[StableWeights(5, 1e-9)]
    assert len({stop.epoch for stop in fitted.stops}) >= 4


def test_unfired_rule_ends_with_the_last_weights(undisturbed):
    fitted, last = undisturbed
    never = next(s for s in fitted.stops if s.rule == StableWeights(5, 1e-9))
    assert (never.epoch, never.fired) == (MAX, False)
    assert same(never.weights, last)


def test_learning_rate_falls_on_a_plateau(undisturbed):
    fitted, _ = undisturbed
    expected = rates_by_hand(fitted.curves["val_accuracy"], 3, 0.05)
    np.testing.assert_allclose(fitted.curves["learning_rate"], expected, rtol=0, atol=1e-8)
    assert expected[-1] < 0.006


def test_rate_stays_without_a_plateau(splits):
    steady = Training((FixedEpochs(6),), SGD(0.05), 25, max_epochs=6)
    curves = fit(make_model(), *splits, steady, 7).curves
    np.testing.assert_allclose(curves["learning_rate"], 0.05, rtol=0, atol=1e-8)
    assert set(curves) == {"loss", "val_loss", "val_accuracy", "learning_rate", "seconds"}
    assert "weights_max_std" not in curves
    assert (curves["seconds"] > 0).all()


@pytest.mark.parametrize("index", range(3))
def test_a_rule_alone_stops_at_the_same_weights(splits, undisturbed, index):
    shared = undisturbed[0].stops[index]
    alone = fit(make_model(), *splits, replace(TRAINING, rules=(shared.rule,)), 7)
    (stop,) = alone.stops
    assert (stop.epoch, stop.fired) == (shared.epoch, True)
    assert len(alone.curves["loss"]) == shared.epoch
    assert same(stop.weights, shared.weights)


def test_keras_stops_at_the_same_epoch(splits, undisturbed):
    """`model.fit` with Keras' own callbacks, fed the same batches, gives the same curves."""
    train, validation = splits

    def feed():
        epoch = 0
        while True:
            for rows in batch_order(len(train), TRAINING.batch_size, 7, epoch):
                yield train.x[rows], train.y[rows]
            epoch += 1

    def keras_fit(*callbacks):
        model = make_model()
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        plateau = keras.callbacks.ReduceLROnPlateau("val_accuracy", mode="max", patience=3)
        history = model.fit(
            feed(),
            steps_per_epoch=len(train) // TRAINING.batch_size,
            epochs=MAX,
            validation_data=(validation.x, validation.y),
            callbacks=[plateau, *callbacks],
            verbose=0,
            shuffle=False,
        )
        return history.history, model.get_weights()

    for rule, callback in (
        (EarlyStop(4), keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=4)),
        (StableWeights(5, 0.02), StopOnStableWeights(5, 0.02)),
    ):
        history, weights = keras_fit(callback)
        stop = next(s for s in undisturbed[0].stops if s.rule == rule)
        assert len(history["loss"]) == stop.epoch
        for name in ("loss", "val_loss", "val_accuracy", "learning_rate"):
            ours = undisturbed[0].curves[name][: stop.epoch]
            np.testing.assert_allclose(ours, history[name], rtol=0, atol=1e-5, err_msg=name)
        for a, b in zip(stop.weights, weights):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


# everything else


def test_other_callbacks_see_the_logs(splits, tmp_path):
    path = tmp_path / "log.csv"
    training = replace(TRAINING, rules=(FixedEpochs(3), StableWeights(2, 1e-9)), max_epochs=3)
    fitted = fit(make_model(), *splits, training, 7, callbacks=[keras.callbacks.CSVLogger(path)])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    for name in ("loss", "val_loss", "val_accuracy", "learning_rate", "weights_max_std"):
        values = [float(row[name]) for row in rows]
        np.testing.assert_array_equal(values, fitted.curves[name], err_msg=name)


def test_a_callback_may_stop_training(splits):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    training = replace(TRAINING, rules=(FixedEpochs(9),))
    fitted = fit(make_model(), *splits, training, 7, callbacks=[Stop()])
    assert len(fitted.curves["loss"]) == 3
    assert (fitted.stops[0].epoch, fitted.stops[0].fired) == (3, False)


def test_a_loss_that_explodes(splits):
    training = Training((FixedEpochs(50),), SGD(1e38), 25, max_epochs=50)
    with pytest.raises(FloatingPointError, match=r"in epoch \d+; lower the learning rate"):
        fit(make_model(), *splits, training, 7)


def test_two_patiences_on_one_trajectory(splits):
    rules = (StableWeights(3, 0.1), StableWeights(4, 0.1))
    with pytest.raises(ValueError, match=r"must share their patience, got \[3, 4\]"):
        fit(make_model(), *splits, replace(TRAINING, rules=rules), 7)


def test_batch_order():
    orders = [batch_order(23, 5, 3, epoch) for epoch in range(4)]
    for order in orders:
        assert order.shape == (4, 5)
        assert order.dtype == np.int32
        assert len(np.unique(order)) == 20
        assert order.min() >= 0
        assert order.max() <= 22
    assert len({order.tobytes() for order in orders}) == 4
    assert len({row for order in orders for row in set(range(23)) - set(order.flat)}) > 3
    np.testing.assert_array_equal(batch_order(23, 5, 3, 1), orders[1])
    assert not np.array_equal(batch_order(23, 5, 4, 1), orders[1])
    assert sorted(batch_order(4, 5, 3, 0).flat) == [0, 1, 2, 3]
