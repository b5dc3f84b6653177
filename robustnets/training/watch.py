"""Which rule fires at the end of an epoch: Keras' own callbacks, run between epochs."""

import keras
import numpy as np

from robustnets.callbacks import StopOnStableWeights
from robustnets.training.spec import EarlyStop, FixedEpochs, Rule, StableWeights, Training


class Watch:
    """Runs Keras' callbacks for the rules and says which rule fires at an epoch's end."""

    def __init__(self, model: keras.Model, training: Training):
        self.model = model
        self.rules = training.rules
        self.plateau: keras.callbacks.Callback | None = None
        if training.reduce_lr_patience is not None:
            self.plateau = keras.callbacks.ReduceLROnPlateau(
                "val_accuracy", mode="max", patience=training.reduce_lr_patience
            )
        self.early = {
            rule: keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=rule.patience)
            for rule in training.rules
            if isinstance(rule, EarlyStop)
        }
        # thresholds with one patience share one window; the callback itself never stops
        # before the smallest of them, and the others read the value that it logs
        self.stable = {
            patience: StopOnStableWeights(
                patience,
                min(
                    r.max_std
                    for r in training.rules
                    if isinstance(r, StableWeights) and r.patience == patience
                ),
            )
            for patience in {r.patience for r in training.rules if isinstance(r, StableWeights)}
        }
        if len(self.stable) > 1:
            raise ValueError(
                "StableWeights rules on one trajectory must share their patience, got "
                f"{sorted(self.stable)}"
            )
        for callback in self._callbacks():
            callback.set_model(model)

    def _callbacks(self):
        plateau = [self.plateau] if self.plateau else []
        return [*plateau, *self.early.values(), *self.stable.values()]

    def resume(self, history: list[dict[str, float]], windows: dict[int, dict]) -> None:
        """Begin, and replay the logs of the epochs that were trained before."""
        for patience, window in windows.items():
            self.stable[patience].set_state(window)
        for callback in self._callbacks():
            callback.on_train_begin()
        for epoch, logs in enumerate(history):
            for callback in [*([self.plateau] if self.plateau else []), *self.early.values()]:
                callback.on_epoch_end(epoch, dict(logs))

    def fired(self, epoch: int, logs: dict[str, float], already) -> list[Rule]:
        """Rules that fire now; adds "weights_max_std" to the logs."""
        for callback in self.stable.values():
            callback.on_epoch_end(epoch, logs)
        if self.plateau:
            self.plateau.on_epoch_end(epoch, dict(logs))
        pending = [rule for rule in self.rules if rule not in already]
        fired = [rule for rule in pending if self._fires(rule, epoch, logs)]
        self.model.stop_training = False
        return fired

    def _fires(self, rule: Rule, epoch: int, logs: dict[str, float]) -> bool:
        if isinstance(rule, FixedEpochs):
            return epoch + 1 == rule.epochs
        if isinstance(rule, StableWeights):
            full = epoch + 1 >= rule.patience
            return full and logs["weights_max_std"] < rule.max_std
        self.model.stop_training = False
        self.early[rule].on_epoch_end(epoch, logs)
        return bool(self.model.stop_training)

    def windows(self) -> dict[int, dict[str, np.ndarray]]:
        """State of each StopOnStableWeights, for a checkpoint."""
        return {patience: callback.get_state() for patience, callback in self.stable.items()}
