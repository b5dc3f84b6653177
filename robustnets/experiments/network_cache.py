"""Trained networks and fitted filters: loaded from the store, made on a miss."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from robustnets import backend
from robustnets.core.dataset import Dataset, Split, held_out
from robustnets.core.schemas import FILTERS, NETWORKS, schemas
from robustnets.core.seeds import derive
from robustnets.core.spec import digest
from robustnets.core.store import Store
from robustnets.defenses import OtherTraining, Recipe
from robustnets.experiments import network_files
from robustnets.experiments.cell import Network, describe
from robustnets.experiments.given import behind_a_layer, given_model, trajectory
from robustnets.layers import FilterSpec, FittedFilter, LinearFilter, fit_filter, fold, prepend
from robustnets.models import MODELS
from robustnets.models.classifier import Classifier, run_in_batches
from robustnets.training import Pretrained, Training
from robustnets.training.distillation import lesson
from robustnets.training.fit import Fitted, Stop, fit

_KEPT = 4  # a network, the undefended one behind it, and some to spare

Report = Callable[[str, int, int, dict[str, float]], None]


@dataclass(frozen=True, eq=False, slots=True)
class Trained:
    """A trained network and how it came about.

    Args:
        model: logits out, the defense inside.
        curves: float64 (epochs,) each, up to its stop.
        about: JSON types: "epoch", "fired", "train_seconds"; with a filter, "filter"; with a
            teacher, "teacher": of how many training "examples" it "misclassified" how many.
        classifier: the same model with what was compiled for it.
    """

    model: keras.Model
    curves: dict[str, np.ndarray]
    about: dict[str, Any]
    classifier: Classifier


class Lesson(NamedTuple):
    """Training examples, their soft labels float32 (N, K) or None, and facts as JSON types."""

    examples: Split
    soft_labels: np.ndarray | None
    about: dict[str, Any]


class NetworkCache:
    """Trained networks over one data set, kept in a store.

    Args:
        dataset: the data that networks are trained on.
        store: where they are kept.
        report: called as (what, epoch, epochs, logs) while something trains.
        tensorboard: folder for TensorBoard logs, or None.
        devices: that each training is spread over, as for `fit`.
    """

    def __init__(
        self,
        dataset: Dataset,
        store: Store,
        report: Report | None = None,
        tensorboard: Path | None = None,
        devices: int = 1,
    ):
        self.dataset = dataset
        self.store = store
        self.report = report
        self.tensorboard = tensorboard
        self.devices = devices
        self.fingerprint = dataset.fingerprint
        self._recent: dict[str, Trained] = {}

    def key(self, *parts: Any) -> str:
        """Digest of a spec together with the data, the backend and who makes it."""
        makers = (FILTERS,) if isinstance(parts[0], FilterSpec) else (FILTERS, NETWORKS)
        return digest(*parts, self.fingerprint, backend.name(), *schemas(*makers))

    def network(self, network: Network) -> Trained:
        """The trained network: loaded from the store, trained on a miss; the last few in memory."""
        key = self.key(network)
        if key in self._recent:
            self._recent[key] = self._recent.pop(key)  # used last, dropped last
            return self._recent[key]
        trained = self._made(network, key)
        self._recent[key] = trained
        while len(self._recent) > _KEPT:
            self._recent.pop(next(iter(self._recent)))
        return trained

    def _made(self, network: Network, key: str) -> Trained:
        if isinstance(network.training, Pretrained):
            return self._given(network, network.training)
        if isinstance(network.defense, OtherTraining):
            # an undefended network like others, and trained once
            other = network.defense.training
            return self.network(replace(network, training=other, rule=other.rules[0], defense=None))
        if network.defense is not None and not network.defense.recipe.trains:
            return self._put_together(network)
        return self._stored(network, key)

    def _stored(self, network: Network, key: str) -> Trained:
        """A network from the store, trained and put there if it is not there, or damaged."""
        for _ in range(2):
            found = network_files.read(self.store, key)
            if found is not None:
                model, curves, about = found
                return Trained(model, curves, about, Classifier(fold(model)))
            self._train(network)
        raise OSError(f"{self.store.root} does not keep what was written; is it changed elsewhere?")

    def _given(self, network: Network, training: Pretrained) -> Trained:
        """A network that comes trained, with a layer in front or without."""
        if network.defense is None:
            model = given_model(network, training, self.dataset.image_shape)
            return Trained(model, {}, {"weights": training.weights}, Classifier(model))
        base = self.network(replace(network, defense=None))
        model = behind_a_layer(base.model, network.defense)
        return Trained(model, {}, base.about, Classifier(model))

    def _put_together(self, network: Network) -> Trained:
        """The undefended network's weights behind a layer; nothing is trained."""
        model, about = self._start(network)
        layer = self.front(network)
        model = model if layer is None else prepend(model, layer)
        return Trained(model, {}, about, Classifier(fold(model)))

    def front(self, network: Network) -> keras.layers.Layer | None:
        """The layer that a network's defense puts before it, or None where it puts none."""
        spec = None if network.defense is None else network.defense.recipe.front
        if isinstance(spec, FilterSpec):
            return LinearFilter.of(self.fitted_filter(spec, network.seed))
        return None if spec is None else spec.layer()

    def fitted_filter(self, spec: FilterSpec, seed: int) -> FittedFilter:
        """The fitted filter, from the store if it is there.

        Only a random projection depends on the seed: the others are fitted once.
        """
        seed = derive(seed, "filter") if spec.method == "random" else 0
        key = self.key(spec, seed)
        fitted = self.store.read("filters", key, ".npz", FittedFilter.load)
        if fitted is None:
            fitted = fit_filter(spec, self.dataset.train.x, seed)
            fitted.save(self.store.path("filters", key, ".npz"))
        return fitted

    def _fresh(self, network: Network) -> keras.Model:
        if network.model not in MODELS:
            raise ValueError(f"no model {network.model!r}; there are {', '.join(MODELS)}")
        build = MODELS[network.model]
        classes = len(self.dataset.class_names)
        return build(self.dataset.image_shape, classes, derive(network.seed, "initial weights"))

    def _start(self, network: Network) -> tuple[keras.Model, dict[str, Any]]:
        """The network before its defense trains it, and what is known about it."""
        model, about = self._fresh(network), {}
        recipe = Recipe() if network.defense is None else network.defense.recipe
        if recipe.start == "trained":
            base = self.network(replace(network, defense=None))
            model.set_weights(base.model.get_weights())
            about = base.about
        if isinstance(recipe.front, FilterSpec):
            fitted = self.fitted_filter(recipe.front, network.seed)
            found = {
                "explained_variance": fitted.explained_variance,
                "converged": fitted.converged,
            }
            about = {**about, "filter": found}
        return model, about

    def _train(self, network: Network) -> None:
        """Train and store a network, or all the stops of an undefended trajectory."""
        recipe = Recipe() if network.defense is None else network.defense.recipe
        training = recipe.training or trajectory(network)
        model, about = self._start(network)
        layer = self.front(network)
        lesson = self._lesson(network, recipe, training)
        about |= lesson.about
        fitted = self._fit(model, training, network, layer, lesson, recipe.temperature)
        for stop in fitted.stops:
            model.set_weights(stop.weights)
            whole = model if layer is None else prepend(model, layer)
            # a defense has one stop, that of its own training
            rule = network.rule if network.defense is not None else stop.rule
            self._keep(replace(network, rule=rule), whole, fitted, stop, about)

    def _lesson(self, network: Network, recipe: Recipe, training: Training) -> Lesson:
        """What the network learns: the labels, or its teacher's probabilities."""
        examples, _ = held_out(self.dataset.train, training.validation)
        if recipe.misclassified is None:
            return Lesson(examples, None, {})
        teacher = self.network(replace(network, defense=recipe.teacher)).classifier
        logits = teacher.predict(examples.x)
        wrong = int((logits.argmax(axis=1) != examples.y).sum())
        about = {"teacher": {"examples": len(examples), "misclassified": wrong}}
        return Lesson(*lesson(examples, logits, recipe.temperature, recipe.misclassified), about)

    def _fit(
        self,
        model: keras.Model,
        training: Training,
        network: Network,
        layer: keras.layers.Layer | None,
        lesson: Lesson,
        temperature: float,
    ) -> Fitted:
        # the rule only says which stop is wanted: the trajectory is the same for all of them
        key = self.key(replace(network, rule=network.training.rules[0]), training)
        _, validation = held_out(self.dataset.train, training.validation)
        train = lesson.examples
        if layer is not None:
            # a fixed first layer is applied once here instead of at every step
            train = Split(apply_layer(layer, train.x), train.y)
            validation = Split(apply_layer(layer, validation.x), validation.y)
        path = self.store.path("checkpoints", key, ".npz")
        callbacks: list[keras.callbacks.Callback] = []
        if self.tensorboard is not None:
            callbacks.append(keras.callbacks.TensorBoard(str(self.tensorboard / key)))
        label = describe(network)
        report = self.report
        fitted = fit(
            model,
            train,
            validation,
            training,
            derive(network.seed, "training"),
            temperature=temperature,
            soft_labels=lesson.soft_labels,
            checkpoint_path=path,
            callbacks=callbacks,
            progress=report and (lambda epoch, epochs, logs: report(label, epoch, epochs, logs)),
            devices=self.devices,
        )
        path.unlink(missing_ok=True)
        return fitted

    def _keep(
        self,
        network: Network,
        model: keras.Model,
        fitted: Fitted,
        stop: Stop,
        about: dict[str, Any],
    ) -> None:
        curves: dict[str, Any] = {
            name: curve[: stop.epoch] for name, curve in fitted.curves.items()
        }
        about = {
            **about,
            "epoch": stop.epoch,
            "fired": stop.fired,
            "train_seconds": float(curves["seconds"].sum()),
        }
        network_files.write(self.store, self.key(network), model, curves, about)


def apply_layer(layer: keras.layers.Layer, x: np.ndarray) -> np.ndarray:
    """A layer's output on all examples, float32 (N, ...)."""
    if not layer.built:
        layer.build((None, *x.shape[1:]))
    return run_in_batches(backend.compiled(layer), x)
