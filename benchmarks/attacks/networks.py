"""The trained networks that attacks are timed and compared on, kept in a cache folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from benchmarks.attacks.scale import Scale
from robustnets import data
from robustnets.attacks import PGD
from robustnets.core.dataset import Split
from robustnets.core.seeds import derive
from robustnets.core.spec import digest
from robustnets.core.store import read_or_set_aside, write_atomically
from robustnets.core.threat import ThreatModel
from robustnets.models import MODELS, Classifier
from robustnets.models.stored import read_stored
from robustnets.training import SGD, AdversarialTraining, FixedEpochs, Training
from robustnets.training.fit import fit

SEED = 0


@dataclass(frozen=True, slots=True)
class Network:
    """A network and how it is trained.

    Args:
        key: its short name in the names of rows.
        model: a name in `robustnets.models.MODELS`.
        dataset: "mnist", "cifar10" or "digits".
        epochs: of training.
        rate: learning rate.
    """

    key: str
    model: str
    dataset: str
    epochs: int
    rate: float

    @property
    def training(self) -> Training:
        """The trajectory."""
        rules = (FixedEpochs(self.epochs),)
        return Training(rules, SGD(self.rate), batch_size=100, max_epochs=self.epochs)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of adversarial training.

    Args:
        adversary: what each step trains on.
        epochs: of this part.
        rate: learning rate.
    """

    adversary: AdversarialTraining
    epochs: int
    rate: float


@dataclass(frozen=True, slots=True)
class Hardened:
    """A network and how it is trained adversarially, stage after stage.

    Args:
        key, model, dataset: as for `Network`.
        stages: each begins at the weights that the one before ended with.
    """

    key: str
    model: str
    dataset: str
    stages: tuple[Stage, ...]


LINF = ThreatModel("linf", 0.3)
NETWORKS = {
    network.key: network
    for network in (
        Network("fc", "fc_100_100_10", "mnist", 10, 0.1),
        Network("m", "mnist_cnn", "mnist", 3, 0.02),
        Network("c", "cifar10_cnn", "cifar10", 20, 0.02),
        Network("d", "fc_100_100_10", "digits", 20, 0.1),
        Hardened(
            "a",
            "mnist_cnn",
            "mnist",
            (
                Stage(AdversarialTraining(PGD(LINF, steps=3), warm_up=6), 7, 0.01),
                Stage(AdversarialTraining(PGD(LINF, step=0.01, steps=40)), 4, 0.005),
            ),
        ),
    )
}


@dataclass(frozen=True, eq=False, slots=True)
class Victim:
    """A trained network and test images that it gets right.

    Args:
        classifier: with nothing compiled for it yet.
        x: float32 (N, H, W, C).
        y: int64 (N,).
        accuracy: on the test images.
        source: where the images come from.
    """

    classifier: Classifier
    x: np.ndarray
    y: np.ndarray
    accuracy: float
    source: str


def victim(
    key: str, scale: Scale, cache: Path, say: Callable[[str], None] = lambda _: None
) -> Victim:
    """The network from the cache, trained and put there if need be."""
    model, test, source = trained(key, scale, cache, say)
    right = Classifier(model).predict(test.x).argmax(axis=1) == test.y
    # another Classifier, so that the first attack on it meets nothing that is compiled
    return Victim(Classifier(model), test.x[right], test.y[right], float(right.mean()), source)


def trained(
    key: str, scale: Scale, cache: Path, say: Callable[[str], None] = lambda _: None
) -> tuple[keras.Model, Split, str]:
    """The model, all test images and where they come from; from the cache if it is there."""
    network = NETWORKS[key]
    train, test, source = images(network.dataset, scale)
    facts = (network, scale.train, scale.epochs, source)
    path = cache / f"{network.model}-{digest(*map(str, facts))}.keras"
    model = read_or_set_aside(path, read_stored)
    if model is None:
        say(f"training {network.model}")
        make = _hardened if isinstance(network, Hardened) else _trained
        write_atomically(path, make(network, train, test, scale, path, say).save)
        model = read_stored(path)
    return model, test, source


def _fresh(network, train):
    return MODELS[network.model](train.x.shape[1:], 10, derive(SEED, "initial weights"))


def _trained(network, train, test, scale, path, say):
    del path, say
    training = network.training
    if scale.epochs is not None:
        training = Training(
            (FixedEpochs(scale.epochs),), training.optimizer, 100, max_epochs=scale.epochs
        )
    model = _fresh(network, train)
    fit(model, train, test, training, derive(SEED, "training"))
    return model


def _hardened(network, train, test, scale, path, say):
    """Train stage after stage; each keeps its last epoch beside `path`, and goes on from it."""
    model = _fresh(network, train)
    for number, stage in enumerate(network.stages):
        epochs = 1 if scale.quick else stage.epochs

        def show(epoch, of, logs, number=number):
            told = f"loss {logs['loss']:.3f}, right on {logs['val_accuracy']:.1%}"
            say(f"training {network.model}, stage {number + 1}, epoch {epoch} of {of}: {told}")

        fit(
            model,
            train,
            test,
            Training((FixedEpochs(epochs),), SGD(stage.rate), batch_size=50, max_epochs=epochs),
            derive(SEED, "stage", number),
            adversary=stage.adversary,
            checkpoint_path=path.with_suffix(f".{number}.npz"),
            checkpoint_seconds=0.0,
            progress=show,
        )
    return model


def images(dataset: str, scale: Scale) -> tuple[Split, Split, str]:
    """Training and test images, and where they come from.

    Without a copy of the data at hand nothing is downloaded: for MNIST the enlarged digits of
    scikit-learn, for CIFAR-10 a drawn picture for each class with noise on it.
    """
    if dataset != "digits" and data.locate(dataset, scale.data_dir) != "download":
        found = data.load(dataset, scale.data_dir).take(scale.train, scale.test)
        return found.train, found.test, found.name
    if dataset != "cifar10":
        digits = data.load("digits")
        digits = digits.take(min(scale.train, 1437), min(scale.test, 360))
        return digits.train, digits.test, "digits of scikit-learn"
    rng = np.random.default_rng(SEED)
    pictures = rng.random((10, 32, 32, 3), np.float32)
    splits = []
    for n in (scale.train, scale.test):
        y = rng.integers(0, 10, n)
        noise = rng.random((n, 32, 32, 3), np.float32)
        splits.append(Split(0.5 * (pictures[y] + noise), y))
    return splits[0], splits[1], "synthetic"
