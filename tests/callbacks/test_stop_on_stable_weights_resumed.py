"""A training that stops on stable weights is killed, resumed, and ends as if undisturbed.

The backend is Keras' own choice; KERAS_BACKEND=jax runs the same tests there.
"""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from robustnets.callbacks import StopOnStableWeights


def train(stop, folder, extra=(), before=(), epochs=14):
    """A small, fully determined training that can go on from its checkpoint."""
    random = np.random.default_rng(5)
    x, y = random.normal(size=(16, 2)).astype("float32"), random.normal(size=(16, 3))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.set_weights([np.linspace(-1, 1, 6).reshape(2, 3), np.zeros(3)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    callbacks = [*before, stop, *extra]
    if folder is not None:
        callbacks.append(keras.callbacks.BackupAndRestore(folder / "checkpoint"))
    history = model.fit(
        x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks
    )
    return history.history["weights_max_std"]


class Break(keras.callbacks.Callback):
    """Ends training without its end being announced."""

    def __init__(self, epoch, how):
        super().__init__()
        self.epoch, self.how = epoch, how

    def on_epoch_begin(self, epoch, logs=None):
        if self.how == "between epochs" and epoch == self.epoch:
            raise InterruptedError

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            if self.how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            elif self.how == "before the checkpoint":
                raise InterruptedError


THRESHOLD = 0.036  # reached at epoch 10, after every break
PATIENCE = 4


def stopper(folder=None):
    path = None if folder is None else folder / "window.npz"
    return StopOnStableWeights(PATIENCE, THRESHOLD, backup_path=path)


@pytest.mark.parametrize(
    ("how", "epoch"),
    [
        ("between epochs", 2),
        ("between epochs", 6),
        ("before the checkpoint", 2),
        ("before the checkpoint", 6),
        ("killed", 6),
    ],
)
def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path, how, epoch):
    undisturbed = stopper()
    whole = train(undisturbed, None)
    assert 6 < undisturbed.stopped_epoch < 13
    if how == "killed":
        killed = subprocess.run([sys.executable, __file__, str(tmp_path), str(epoch)])
        assert killed.returncode == -signal.SIGKILL
    else:
        with pytest.raises(InterruptedError):
            train(stopper(tmp_path), tmp_path, [Break(epoch, how)])
    assert (tmp_path / "window.npz").exists()
    resumed = stopper(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        rest = train(resumed, tmp_path)
    assert 0 < len(rest) < len(whole)
    np.testing.assert_allclose(rest, whole[-len(rest) :], rtol=0, atol=1e-7)
    assert resumed.stopped_epoch == undisturbed.stopped_epoch
    assert list(tmp_path.iterdir()) == []  # both backups are gone


if __name__ == "__main__":
    train(stopper(Path(sys.argv[1])), Path(sys.argv[1]), [Break(int(sys.argv[2]), "killed")])
