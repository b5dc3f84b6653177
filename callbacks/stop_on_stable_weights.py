"""Stop training when the weights have settled.

Source: the heuristic of the "Training" chapter of the thesis this project mirrors, section
3.3: over a number of epochs (the patience) take the standard deviation of every weight; when
the largest of these is under a threshold, the weights are stable and the model has learned.
There the patience is 60 epochs and the threshold 0.5.
"""

import math
import os
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from .sliding_deviation import SlidingDeviation

_SCALARS = ("epoch", "weights", "seed")
_ARRAYS = ("window", "reference", "sum", "squares", "peaks", "progress")


class StopOnStableWeights(keras.callbacks.Callback):
    """Stops training once no weight varies much any more.

    At the end of each epoch it takes the population standard deviation of every single weight
    over the last `patience` epoch ends, and stops when the largest is under `max_std`. So it
    runs for at least `patience` epochs. It counts on nothing but the weights: no validation
    data, no metric, any Keras backend.

    Each epoch it sets `logs["weights_max_std"]`: NaN in the first `patience - 1` epochs, so
    that CSVLogger, TensorBoard and History show the column from the first epoch on; infinity
    while the window holds a weight that is NaN or infinite, which is never stable; otherwise
    the largest standard deviation, right to 1e-8. Put it before CSVLogger, TensorBoard and
    BackupAndRestore in the list of callbacks: they see only what earlier callbacks have set.

    Args:
        patience: int >= 2, epochs in the window.
        max_std: float > 0, in units of the weights; training stops strictly below it.
        trainable_only: bool, whether to leave out weights that are not trained, such as the
            moving averages of batch normalization.
        max_weights: int >= 1, watch at most this many weights, drawn evenly without
            replacement, to bound the memory for large networks; the logged value is then a
            lower bound of the largest standard deviation. None watches all.
        seed: int >= 0, for that draw.
        backup_path: file that keeps the window across a killed run, beside
            `keras.callbacks.BackupAndRestore`. It is written atomically at epoch ends, read
            when training begins, and deleted when training ends normally. What it holds is
            dropped, with a warning, unless the epoch and the weights that training goes on
            from continue it. 4 * patience * P bytes are written each time.
        backup_every: int >= 1, epochs between two writes; more than 1 saves time, but a run
            that goes on from an epoch after the last write starts with an empty window.
        verbose: int, 1 prints a line when it stops.

    Attributes:
        stopped_epoch: int, the epoch that stopped training, counted from 0; 0 if none did.
        weights_max_std: float, the value last logged.

    For P watched weights it holds 4 * patience * P + 20 * P bytes, and an epoch costs O(P).
    Weights are compared as float32. One instance serves several fits, each with a new window.

    Raises:
        ValueError: for an argument out of range; when the model has no weights to watch; when
            their number changes during training.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> stop = StopOnStableWeights(patience=3, max_std=0.5)
        >>> x, y = np.zeros((4, 2)), np.zeros((4, 1))
        >>> history = model.fit(x, y, epochs=9, verbose=0, callbacks=[stop])
        >>> history.history["weights_max_std"], stop.stopped_epoch
        ([nan, nan, 0.0], 2)
    """

    def __init__(
        self,
        patience: int = 60,
        max_std: float = 0.5,
        trainable_only: bool = True,
        max_weights: int | None = None,
        seed: int = 0,
        backup_path: str | os.PathLike | None = None,
        backup_every: int = 1,
        verbose: int = 0,
    ):
        super().__init__()
        self.patience = _whole("patience", patience, 2)
        if isinstance(max_std, bool) or not max_std > 0:
            raise ValueError(f"max_std must be > 0, got {max_std}")
        self.max_std = float(max_std)
        self.trainable_only = trainable_only
        self.max_weights = None if max_weights is None else _whole("max_weights", max_weights, 1)
        self.seed = _whole("seed", seed, 0)
        self.backup_path = None if backup_path is None else Path(backup_path)
        self.backup_every = _whole("backup_every", backup_every, 1)
        self.verbose = verbose
        self.stopped_epoch = 0
        self.weights_max_std = math.nan
        self._window = SlidingDeviation(self.patience, 0)
        self._total = 0
        self._drawn: np.ndarray | None = None
        self._given: dict[str, np.ndarray] | None = None
        self._backup: dict[str, np.ndarray] | None = None

    def get_state(self) -> dict[str, np.ndarray]:
        """What `set_state` needs to go on as if training had not been interrupted.

        Returns:
            Arrays by name, copies: "window" float32 (epochs so far, P), oldest epoch first;
            "reference" float32 (P,), "sum" and "squares" float64 (P,), "peaks" float64
            (patience,), "progress" int64 (2,); int64 scalars "epoch" (the last one seen),
            "weights" (all that could be watched) and "seed" (-1 if none were left out).

        Raises:
            ValueError: before the end of the first epoch, when there is no state yet.
        """
        if self._window.latest() is None:
            raise ValueError("there is no state before the end of the first epoch")
        state = self._window.get_state()
        scalars = (self._epoch, self._total, self._drawn_with)
        state.update({k: np.array(v, np.int64) for k, v in zip(_SCALARS, scalars)})
        return state

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Let the next training go on from a state; it has to be given before each such one.

        Epoch numbers are not compared: whoever gives a state knows that it fits.

        Args:
            state: what `get_state` gave, also after a round trip through `numpy.savez`.

        Raises:
            ValueError: for missing arrays or another patience; when training begins, for
                another number of weights or another draw of them.
        """
        _check(state, self.patience)
        self._given = {name: np.array(value) for name, value in state.items()}

    def on_train_begin(self, logs=None):
        """Start with an empty window, or from the state given or backed up."""
        self.stopped_epoch = 0
        self.weights_max_std = math.nan
        self._open()
        given, self._given, self._backup = self._given, None, None
        if given is not None:
            self._restore(given)
        elif self.backup_path is not None and self.backup_path.exists():
            self._backup = self._read(self.backup_path)

    def on_epoch_begin(self, epoch, logs=None):
        """Take up a backup that this epoch continues."""
        self._take_up_backup(epoch)

    def on_epoch_end(self, epoch, logs=None):
        """Add the weights to the window, log, and stop when they are stable."""
        self._take_up_backup(epoch)  # for loops that announce no beginning
        self._epoch = epoch
        self.weights_max_std = self._window.push(self._snapshot())
        if logs is not None:
            logs["weights_max_std"] = self.weights_max_std
        if self.weights_max_std < self.max_std:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.verbose:
                print(f"Epoch {epoch + 1}: the weights are stable, stopping")
        if self.backup_path is not None and (epoch + 1) % self.backup_every == 0:
            _write(self.backup_path, self.get_state())

    def on_train_end(self, logs=None):
        """Delete the backup: nothing is left to be continued."""
        if self.backup_path is not None:
            self.backup_path.unlink(missing_ok=True)

    def _variables(self):
        return self.model.trainable_weights if self.trainable_only else self.model.weights

    def _open(self) -> None:
        """Make an empty window for the model's weights."""
        self._total = sum(math.prod(v.shape) for v in self._variables())
        if self._total == 0:
            kind = "trainable weights" if self.trainable_only else "weights"
            raise ValueError(f"the model has no {kind} to watch; build it before training")
        self._drawn = None
        if self.max_weights is not None and self.max_weights < self._total:
            random = np.random.default_rng(self.seed)
            self._drawn = np.sort(random.choice(self._total, self.max_weights, replace=False))
        self._drawn_with = -1 if self._drawn is None else self.seed
        columns = self._total if self._drawn is None else len(self._drawn)
        self._window = SlidingDeviation(self.patience, columns)

    def _snapshot(self) -> np.ndarray:
        """The watched weights now, float32 (P,)."""
        variables = self._variables()
        total = sum(math.prod(v.shape) for v in variables)
        if total != self._total:
            raise ValueError(
                f"the number of weights changed during training from {self._total} to {total}; "
                "freeze and unfreeze layers between two calls of fit"
            )
        row = np.empty(self._window.columns, np.float32)
        first = done = 0
        for variable in variables:
            values = np.ravel(keras.ops.convert_to_numpy(variable))
            if self._drawn is not None:
                stop = np.searchsorted(self._drawn, first + len(values))
                first, values = first + len(values), values[self._drawn[done:stop] - first]
            row[done : done + len(values)] = values
            done += len(values)
        return row

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        """Fill the new window from a state that passed `_check`."""
        made_for = tuple(int(state[name]) for name in ("weights", "seed"))
        columns = state["window"].shape[1]
        if (*made_for, columns) != (self._total, self._drawn_with, self._window.columns):
            raise ValueError(
                f"the state is for {columns} of {made_for[0]} weights (seed {made_for[1]}), this "
                f"training watches {self._window.columns} of {self._total} "
                f"(seed {self._drawn_with}); use the same model, max_weights and seed"
            )
        self._window.set_state(state)
        self._epoch = int(state["epoch"])

    def _read(self, path: Path) -> dict[str, np.ndarray] | None:
        try:
            with np.load(path, allow_pickle=False) as file:
                state = {name: file[name] for name in file.files}
            _check(state, self.patience)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
            self._drop(str(problem))
            return None
        return state

    def _take_up_backup(self, epoch: int) -> None:
        """Go on from the backup if `epoch` and the weights now continue it."""
        if self._backup is None:
            return
        state, self._backup = self._backup, None
        # A checkpoint written later in the same epoch end may be one epoch behind: the epochs
        # that are run again leave the window first.
        again = int(state["epoch"]) + 1 - epoch
        if not 0 <= again < len(state["window"]):
            self._drop(f"it ends with epoch {int(state['epoch'])}, training is at {epoch}")
            return
        try:
            self._restore(state)
        except ValueError as problem:
            self._drop(str(problem))
            return
        if again:
            self._window.forget(again)
        before, now = self._window.latest(), self._snapshot()
        if before is None or not np.array_equal(before, now, equal_nan=True):
            self._open()
            self._drop("the model has other weights than at its last epoch")

    def _drop(self, why: str) -> None:
        warnings.warn(
            f"{self.backup_path} is not continued, the window starts empty: {why}", stacklevel=2
        )


def _whole(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    return int(value)


def _check(state: dict[str, np.ndarray], patience: int) -> None:
    """Refuse a state that no callback with this patience gave."""
    missing = [name for name in (*_ARRAYS, *_SCALARS) if name not in state]
    if missing:
        raise ValueError(f"the state lacks {', '.join(missing)}; give what get_state gave")
    if len(state["peaks"]) != patience:
        raise ValueError(
            f"the state is for patience {len(state['peaks'])}, this callback has {patience}"
        )
    columns = state["window"].shape[-1:]
    shapes = [state[name].shape for name in ("reference", "sum", "squares")]
    if state["window"].ndim != 2 or shapes != [columns] * 3 or len(state["window"]) > patience:
        raise ValueError(
            f"the state does not fit together: window {state['window'].shape}, sums {shapes}"
        )


def _write(path: Path, state: dict[str, np.ndarray]) -> None:
    """Write an `.npz` that is there whole or not at all, even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **state)  # type: ignore[arg-type]
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
