"""The one training loop: compiled epochs, stopping rules, checkpoints.

A small network on data that fits in memory spends most of `model.fit` on dispatch;
here each epoch is a single compiled call, and Keras' own callbacks run between epochs.
"""

import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from robustnets import backend
from robustnets.core.dataset import Split
from robustnets.core.seeds import derive
from robustnets.core.spec import digest
from robustnets.layers.temperature_softmax import check_temperature
from robustnets.models.classifier import draws_in_training, has_convolutions
from robustnets.training import checkpoint
from robustnets.training.adversarial import AdversarialTraining
from robustnets.training.spec import (
    SGD,
    Optimizer,
    RMSProp,
    Rule,
    Training,
)
from robustnets.training.watch import Watch

Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True, eq=False, slots=True)
class Stop:
    """Where a rule stopped the trajectory.

    Args:
        rule: the rule.
        epoch: epochs trained, >= 1.
        fired: False if the trajectory ended at `max_epochs` before the rule fired.
        weights: the model's weights at that epoch, in `model.get_weights()` order.
    """

    rule: Rule
    epoch: int
    fired: bool
    weights: list[np.ndarray]


@dataclass(frozen=True, eq=False, slots=True)
class Fitted:
    """A finished trajectory.

    Args:
        stops: one per rule, in the order of `Training.rules`.
        curves: float64 (epochs,) each: "loss", "val_loss", "val_accuracy",
            "learning_rate", "seconds" (of that epoch alone) and, with a StableWeights
            rule, "weights_max_std".
    """

    stops: tuple[Stop, ...]
    curves: dict[str, np.ndarray]


def cross_entropy(y, logits, temperature: float = 1.0):
    """Mean cross-entropy of a batch, between the labels and softmax(logits / temperature).

    Args:
        y: int (B,), classes; or float (B, K), probabilities.
        logits: float32 (B, K).
        temperature: > 0.

    Returns:
        A scalar.
    """
    scaled = logits if temperature == 1 else logits / temperature
    soft = len(y.shape) == 2
    of = keras.ops.categorical_crossentropy if soft else keras.ops.sparse_categorical_crossentropy
    return keras.ops.mean(of(y, scaled, from_logits=True))


def fit(
    model: keras.Model,
    train: Split,
    validation: Split,
    training: Training,
    seed: int,
    *,
    adversary: AdversarialTraining | None = None,
    temperature: float = 1.0,
    soft_labels: np.ndarray | None = None,
    checkpoint_path: Path | None = None,
    checkpoint_seconds: float = 30.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Progress | None = None,
    devices: int = 1,
) -> Fitted:
    """Train until every rule has fired; the model ends at the last epoch's weights.

    Args:
        model: built, logits out; changed in place.
        train: training examples; epoch e visits them in an order drawn from (seed, e).
        validation: examples for the accuracy that rules and plateaus watch.
        training: the trajectory.
        seed: of the order of the examples, and of the adversary's draws.
        adversary: what turns the examples of each step into others, or None. Losses are then
            those of the perturbed examples; validation stays clean.
        temperature: the loss is that of softmax(logits / temperature); validation stays at 1.
        soft_labels: float (N, K), rows sum to 1, what each training example is to be given
            instead of its class; None: its class.
        checkpoint_path: where the state is kept; if the file exists, training goes on
            from it and ends with the same weights as if it had never been interrupted.
        checkpoint_seconds: least time between two checkpoints; 0 writes every epoch.
        callbacks: further Keras callbacks, such as TensorBoard or CSVLogger; they see
            the same logs as under `model.fit` and may set `model.stop_training`.
        progress: called after each epoch with (epoch, max_epochs, logs).
        devices: that each batch is shared out over, by `keras.distribution` on JAX; what is
            learnt differs by rounding alone.

    Raises:
        ValueError: for devices that are not there or do not divide a batch; for a bad
            temperature, soft labels that are no probabilities of these examples or come with an
            adversary; if the checkpoint belongs to another training.
        FloatingPointError: if the loss is no longer finite.
    """
    goal = _goal(train, soft_labels, adversary)
    size = min(training.batch_size, len(train))
    if size % devices:
        raise ValueError(f"devices must divide the batch of {size}, got {devices}")
    loss_of = functools.partial(cross_entropy, temperature=check_temperature(temperature))
    optimizer = _optimizer(training.optimizer)
    # Keras callbacks look for model.optimizer; compiling for it would put our loss into the
    # saved file, where nobody without this package could load it
    model.optimizer = optimizer
    optimizer.build(model.trainable_variables)
    perturb = None if adversary is None else adversary.perturb(model)
    _penalise(model, training)
    xla = not (has_convolutions(model) or draws_in_training(model))
    run_epoch = backend.epoch_function(model, optimizer, loss_of, xla, perturb, devices)
    evaluate = _evaluation(model, validation)
    x, y = (
        backend.on_all(keras.ops.convert_to_tensor(array), devices) for array in (train.x, goal)
    )

    watch = Watch(model, training)
    key = digest(training, seed, *_unusual(adversary, temperature, soft_labels))
    state = checkpoint.load(checkpoint_path, model, optimizer, training.rules, key)
    history = state.history
    stops = {rule: Stop(rule, epoch, True, w) for rule, epoch, w in state.stops}
    watch.resume(history, state.windows)
    if state.learning_rate is not None:
        optimizer.learning_rate.assign(state.learning_rate)
    extra = keras.callbacks.CallbackList(list(callbacks), model=model)
    model.stop_training = False
    extra.on_train_begin()

    saved = time.monotonic()
    for epoch in range(len(history), training.max_epochs):
        if len(stops) == len(training.rules):
            break
        started = time.perf_counter()
        extra.on_epoch_begin(epoch)
        order = batch_order(len(train), training.batch_size, seed, epoch)
        columns = () if adversary is None else adversary.columns(order, seed, epoch)
        loss = run_epoch(x, y, order, *columns)
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"the loss became {loss} in epoch {epoch + 1}; lower the learning rate "
                f"({training.optimizer.learning_rate})"
            )
        logs = {"loss": loss, **evaluate(), "learning_rate": float(optimizer.learning_rate)}
        for rule in watch.fired(epoch, logs, already=stops):
            stops[rule] = Stop(rule, epoch + 1, True, model.get_weights())
        logs["seconds"] = time.perf_counter() - started
        history.append(logs)
        extra.on_epoch_end(epoch, dict(logs))
        if progress is not None:
            progress(epoch + 1, training.max_epochs, logs)
        if model.stop_training:
            break
        if checkpoint_path is not None and time.monotonic() - saved >= checkpoint_seconds:
            checkpoint.save(checkpoint_path, model, optimizer, key, history, stops, watch.windows())
            saved = time.monotonic()
    extra.on_train_end()
    model.optimizer = None
    _penalise(model, None)  # the penalty belongs to the training, not to the saved model

    last = model.get_weights()
    if devices > 1:
        model.set_weights(last)  # whoever uses the model next has it on one device
    curves = {name: np.array([logs[name] for logs in history]) for name in history[0]}
    return Fitted(
        tuple(stops.get(r, Stop(r, len(history), False, last)) for r in training.rules), curves
    )


def _goal(
    train: Split, soft_labels: np.ndarray | None, adversary: AdversarialTraining | None
) -> np.ndarray:
    """What the training examples are to be given: int32 (N,) or float32 (N, K)."""
    if soft_labels is None:
        return train.y.astype("int32")
    if adversary is not None:
        raise ValueError("soft_labels and an adversary cannot be combined: attacks need classes")
    soft = np.asarray(soft_labels)
    if soft.ndim != 2 or len(soft) != len(train):
        raise ValueError(f"soft_labels must be ({len(train)}, K), got {soft.shape}")
    if not ((soft >= 0).all() and np.allclose(soft.sum(axis=1), 1, rtol=0, atol=1e-4)):
        raise ValueError("soft_labels must be probabilities: >= 0, with rows that sum to 1")
    return soft.astype("float32")


def _unusual(
    adversary: AdversarialTraining | None, temperature: float, soft_labels: np.ndarray | None
) -> list[Any]:
    """What else than a training and its seed a checkpoint belongs to."""
    parts: list[Any] = [] if adversary is None else [adversary]
    if temperature != 1:
        parts.append({"temperature": float(temperature)})
    if soft_labels is not None:
        data = np.ascontiguousarray(soft_labels, "float32").tobytes()
        parts.append({"soft_labels": hashlib.sha256(data).hexdigest()})
    return parts


def _optimizer(spec: Optimizer) -> keras.optimizers.Optimizer:
    if isinstance(spec, SGD):
        return keras.optimizers.SGD(
            spec.learning_rate, momentum=spec.momentum, nesterov=spec.nesterov
        )
    if isinstance(spec, RMSProp):
        return keras.optimizers.RMSprop(spec.learning_rate, rho=spec.rho, epsilon=spec.epsilon)
    return keras.optimizers.Adam(spec.learning_rate)


def _penalise(model: keras.Model, training: Training | None) -> None:
    """Put the penalties of a training on the kernels of a model, or take them off again."""
    if training is None or not (training.l1 or training.l2):
        penalty = None
    else:
        penalty = keras.regularizers.L1L2(training.l1, training.l2)
    for variable in model.trainable_variables:
        if variable.name == "kernel":
            variable.regularizer = penalty


def batch_order(n: int, batch_size: int, seed: int, epoch: int) -> np.ndarray:
    """Row numbers of each step: int32 (n // batch_size, batch_size), shuffled by (seed, epoch).

    With fewer than `batch_size` examples, one step takes them all.
    """
    size = min(batch_size, n)
    order = np.random.default_rng(derive(seed, "order", epoch)).permutation(n)
    return order[: n - n % size].reshape(-1, size).astype(np.int32)


def _evaluation(model: keras.Model, validation: Split) -> Callable[[], dict[str, float]]:
    def totals(x, y):
        logits = model(x, training=False)
        losses = keras.ops.sparse_categorical_crossentropy(y, logits, from_logits=True)
        hits = keras.ops.cast(keras.ops.argmax(logits, axis=-1), "int32") == y
        return keras.ops.sum(losses), keras.ops.sum(keras.ops.cast(hits, "float32"))

    # a compiled function of the weights, too: under JAX they would be frozen in otherwise
    compiled = backend.compiled_with_weights(model, totals, xla=not has_convolutions(model))
    size = min(1000, len(validation))
    parts = [
        (
            keras.ops.convert_to_tensor(validation.x[i : i + size]),
            keras.ops.convert_to_tensor(validation.y[i : i + size].astype("int32")),
        )
        for i in range(0, len(validation), size)
    ]

    def evaluate() -> dict[str, float]:
        sums = np.array([[float(v) for v in compiled(*part)] for part in parts]).sum(axis=0)
        loss, accuracy = sums / len(validation)
        return {"val_loss": float(loss), "val_accuracy": float(accuracy)}

    return evaluate
