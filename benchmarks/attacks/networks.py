"""The three trained networks that the attacks are timed on, kept in a cache folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.attacks.scale import Scale
from robustnets import data
from robustnets.core.dataset import Split
from robustnets.core.seeds import derive
from robustnets.core.spec import digest
from robustnets.core.store import write_atomically
from robustnets.models import MODELS, Classifier
from robustnets.training import SGD, FixedEpochs, Training
from robustnets.training.fit import fit

SEED = 0


@dataclass(frozen=True, slots=True)
class Network:
    """A network and how it is trained.

    Args:
        key: its short name in the names of rows.
        model: a name in `robustnets.models.MODELS`.
        dataset: "mnist" or "cifar10".
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


NETWORKS = {
    network.key: network
    for network in (
        Network("fc", "fc_100_100_10", "mnist", 10, 0.1),
        Network("m", "mnist_cnn", "mnist", 3, 0.02),
        Network("c", "cifar10_cnn", "cifar10", 8, 0.02),
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
    import keras

    network = NETWORKS[key]
    train, test, source = images(network.dataset, scale)
    facts = (network, scale.train, scale.epochs, source)
    path = cache / f"{network.model}-{digest(*map(str, facts))}.keras"
    if not path.is_file():
        say(f"training {network.model}")
        model = _trained(network, train, test, scale)
        write_atomically(path, model.save)
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    right = Classifier(model).predict(test.x).argmax(axis=1) == test.y
    # another Classifier, so that the first attack on it meets nothing that is compiled
    return Victim(Classifier(model), test.x[right], test.y[right], float(right.mean()), source)


def _trained(network, train, test, scale):
    training = network.training
    if scale.epochs is not None:
        training = Training(
            (FixedEpochs(scale.epochs),), training.optimizer, 100, max_epochs=scale.epochs
        )
    shape = train.x.shape[1:]
    model = MODELS[network.model](shape, 10, derive(SEED, "initial weights"))
    fit(model, train, test, training, derive(SEED, "training"))
    return model


def images(dataset: str, scale: Scale) -> tuple[Split, Split, str]:
    """Training and test images, and where they come from.

    Without a copy of the data at hand nothing is downloaded: for MNIST the enlarged digits of
    scikit-learn, for CIFAR-10 a drawn picture for each class with noise on it.
    """
    if data.locate(dataset, scale.data_dir) != "download":
        found = data.load(dataset, scale.data_dir).take(scale.train, scale.test)
        return found.train, found.test, found.name
    if dataset == "mnist":
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
