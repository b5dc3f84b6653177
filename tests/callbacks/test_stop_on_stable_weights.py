"""StopOnStableWeights: the window is exact, the stop is punctual, an interruption is unseen.

The backend is Keras' own choice; KERAS_BACKEND=jax runs the same tests there.
"""

import csv
import doctest
import math
import re
import warnings

import keras
import numpy as np
import pytest

from robustnets.callbacks import StopOnStableWeights, stop_on_stable_weights


def network(units=3):
    """2 * units + units weights."""
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])


def run(stop, rows, model=None, first=0):
    """Let `stop` see rows of 9 weights as if they were trained; give the logged values."""
    model = model or network()
    stop.set_model(model)
    model.stop_training = False
    stop.on_train_begin()
    logged = []
    for epoch, row in enumerate(rows, first):
        stop.on_epoch_begin(epoch)
        model.set_weights([np.reshape(row[:6], (2, 3)), row[6:]])
        logs = {"loss": 1.0}
        stop.on_epoch_end(epoch, logs)
        logged.append(logs["weights_max_std"])
        if model.stop_training:
            break
    return logged


def walk(epochs, step, start=0.0, seed=0):
    steps = np.random.default_rng(seed).normal(0, step, (epochs, 9))
    return (start + np.cumsum(steps, axis=0)).astype(np.float32)


@pytest.mark.parametrize("patience", [2, 7])
def test_it_logs_the_largest_deviation(patience):
    rows = walk(20, 0.1)
    logged = run(StopOnStableWeights(patience, max_std=1e-9), rows)
    assert np.isnan(logged[: patience - 1]).all()
    for end in range(patience, 21):
        wanted = rows[end - patience : end].astype(np.float64).std(axis=0).max()
        np.testing.assert_allclose(logged[end - 1], wanted, rtol=0, atol=1e-7)


# Deviations over 4 epochs: 2 at epoch 3, 1.66, 1.48, 1.09, then 0.5 at 7 and 8, 0.41, 0.35
SCRIPT = [2, -2, 2, -2, 0, 1, 0, 1, 0, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("threshold", "epoch"),
    [(2.000001, 3), (2.0, 4), (0.500001, 7), (0.5, 9), (0.4, 10)],
)
def test_it_stops_at_the_right_epoch(threshold, epoch):
    rows = np.zeros((len(SCRIPT), 9))
    rows[:, 5] = SCRIPT
    stop = StopOnStableWeights(4, threshold)
    assert len(run(stop, rows)) == epoch + 1
    assert stop.stopped_epoch == epoch


def test_it_stops_within_fit_and_tells_the_other_callbacks(tmp_path, capsys):
    model = network()
    model.compile("sgd", "mse")
    x, y = np.zeros((4, 2)), np.zeros((4, 3))  # no gradient: the weights never move
    stop = StopOnStableWeights(3, verbose=1)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(x, y, epochs=9, verbose=0, callbacks=[stop, log]).history
    assert stop.stopped_epoch == 2
    np.testing.assert_array_equal(history["weights_max_std"], [np.nan, np.nan, 0])
    with open(tmp_path / "log.csv", newline="") as file:
        assert [r["weights_max_std"] for r in csv.DictReader(file)] == ["nan", "nan", "0.0"]
    assert "Epoch 3: the weights are stable" in capsys.readouterr().out


def test_one_instance_serves_two_fits():
    stop = StopOnStableWeights(4, 0.5)
    rows = np.zeros((len(SCRIPT), 9))
    rows[:, 5] = SCRIPT
    first = run(stop, rows)
    np.testing.assert_array_equal(run(stop, rows), first)
    run(stop, rows[:5])
    assert stop.stopped_epoch == 0
    np.testing.assert_array_equal(run(stop, rows), first)


def test_weights_that_are_not_finite_are_never_stable():
    rows = np.zeros((14, 9))
    rows[4, 2], rows[5, 7] = np.nan, np.inf
    logged = run(StopOnStableWeights(3, 1e-9), rows[3:])
    assert logged == pytest.approx([np.nan, np.nan, np.inf, np.inf, np.inf, 0], nan_ok=True)


def test_frozen_weights_are_watched_on_request():
    model = keras.Sequential([keras.Input((2,)), keras.layers.BatchNormalization()])
    for trainable_only, wanted in ((True, 0.0), (False, 1.5)):
        stop = StopOnStableWeights(2, 1e-9, trainable_only=trainable_only)
        stop.set_model(model)
        stop.on_train_begin()
        for epoch in range(2):
            *rest, _ = model.get_weights()
            model.set_weights([*rest, np.full(2, 3.0 * epoch)])
            stop.on_epoch_end(epoch)
        assert stop.weights_max_std == wanted


def test_a_sample_gives_a_lower_bound():
    rows = walk(20, 0.1)
    every = np.array(run(StopOnStableWeights(5, 1e-9), rows))[4:]
    drawn = set()
    for seed in range(8):
        stop = StopOnStableWeights(5, 1e-9, max_weights=3, seed=seed)
        some = np.array(run(stop, rows))[4:]
        assert (some <= every).all()
        window = stop.get_state()["window"]
        assert window.shape == (5, 3)
        columns = [int(np.flatnonzero((w == rows[15:].T).all(axis=1))[0]) for w in window.T]
        assert sorted(set(columns)) == columns
        drawn.update(columns)
        last = rows[15:, columns].astype(np.float64).std(axis=0).max()
        np.testing.assert_allclose(some[-1], last, rtol=0, atol=1e-7)
        np.testing.assert_array_equal(some, np.array(run(stop, rows))[4:])
    assert len(drawn) > 6  # different seeds draw different weights
    np.testing.assert_array_equal(
        np.array(run(StopOnStableWeights(5, 1e-9, max_weights=9), rows))[4:], every
    )


@pytest.mark.parametrize("cut", [2, 5, 6, 17])
def test_a_state_goes_on_bit_for_bit(cut, tmp_path):
    rows = walk(24, 0.1)
    whole = run(StopOnStableWeights(6, 1e-9), rows)
    before = StopOnStableWeights(6, 1e-9)
    run(before, rows[:cut])
    np.savez(tmp_path / "state.npz", **before.get_state())
    with np.load(tmp_path / "state.npz") as file:
        state = dict(file)
    after = StopOnStableWeights(6, 1e-9)
    after.set_state(state)
    np.testing.assert_array_equal(run(after, rows[cut:], first=cut), whole[cut:])
    # the state serves one training only
    assert math.isnan(run(after, rows[:2])[-1])


def test_a_backup_that_does_not_fit_is_dropped(tmp_path):
    path = tmp_path / "window.npz"
    rows = walk(9, 0.1)

    def drops(match, epoch, model, patience=5):
        stop = StopOnStableWeights(patience, 1e-9, backup_path=path)
        stop.set_model(model)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            stop.on_train_begin()
            stop.on_epoch_begin(epoch)
        assert re.search(match, str([w.message for w in caught if w.category is UserWarning]))
        with pytest.raises(ValueError, match="there is no state"):  # nothing was taken over
            stop.get_state()

    model = network()
    run(StopOnStableWeights(5, 1e-9, backup_path=path), rows, model)
    drops("ends with epoch 8, training is at 10", 10, model)
    drops("ends with epoch 8, training is at 0", 0, model)
    drops("other weights than at its last epoch", 9, network())
    drops(r"is for 9 of 9 weights .*watches 12 of 12", 9, network(4))
    drops("is for patience 5, this callback has 6", 9, model, 6)
    path.write_bytes(path.read_bytes()[:300])
    drops("starts empty", 9, model)


def test_backups_are_written_as_often_as_asked(tmp_path):
    path = tmp_path / "folder" / "window.npz"
    stop = StopOnStableWeights(3, 1e-9, backup_path=path, backup_every=4)
    run(stop, walk(3, 0.1))
    assert not path.exists()
    run(stop, walk(7, 0.1))
    with np.load(path) as file:
        assert int(file["epoch"]) == 3
    stop.on_train_end()
    assert list(path.parent.iterdir()) == []


BAD = {
    "patience": [1, 2.5, True],
    "max_std": [0, -1.0, math.nan],
    "max_weights": [0, 1.5],
    "seed": [-1],
    "backup_every": [0],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD.items() for v in vs])
def test_bad_arguments_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name} must be .*, got {value}"):
        StopOnStableWeights(**{name: value})


def test_states_that_do_not_fit_are_refused():
    stop = StopOnStableWeights(5, 1e-9)
    with pytest.raises(ValueError, match="no state before the end of the first epoch"):
        stop.get_state()
    run(stop, walk(6, 0.1))
    state = stop.get_state()
    with pytest.raises(ValueError, match="is for patience 5, this callback has 4"):
        StopOnStableWeights(4).set_state(state)
    with pytest.raises(ValueError, match="lacks window, epoch"):
        stop.set_state({k: v for k, v in state.items() if k not in ("window", "epoch")})
    with pytest.raises(ValueError, match="does not fit together"):
        stop.set_state({**state, "sum": np.zeros(8)})
    sampling = StopOnStableWeights(5, max_weights=4)
    sampling.set_state(state)
    with pytest.raises(ValueError, match=r"9 of 9 weights \(seed -1\).*4 of 9 \(seed 0\)"):
        run(sampling, walk(2, 0.1))


def test_a_changing_number_of_weights_is_an_error():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(4)])
    stop = StopOnStableWeights(3)
    stop.set_model(model)
    stop.on_train_begin()
    stop.on_epoch_end(0)
    model.layers[0].trainable = False
    with pytest.raises(ValueError, match="changed during training from 25 to 16"):
        stop.on_epoch_end(1)
    model.trainable = False
    with pytest.raises(ValueError, match="no trainable weights to watch"):
        stop.on_train_begin()


def test_the_example_in_the_docstring():
    result = doctest.testmod(stop_on_stable_weights)
    assert result.attempted > 5
    assert result.failed == 0
