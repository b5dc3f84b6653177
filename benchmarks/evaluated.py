"""The networks on the pages under `reports/evaluation`, for `robustnets evaluate`.

Each function takes no arguments, as `module:function` and `--defense` want it; what it trains is
kept in the store that `ROBUSTNETS_HOME` names, so that the next command finds it there.
"""

import keras

from robustnets import data
from robustnets.core.store import Store
from robustnets.experiments.cell import DatasetRef, Network
from robustnets.experiments.network_cache import NetworkCache
from robustnets.layers import FilterSpec, LinearFilter
from robustnets.training import SGD, Adam, FixedEpochs, Optimizer, Training

SEED = 0


def mnist_cnn() -> keras.Model:
    """The MNIST CNN, three epochs of Adam on 50,000 images."""
    return _trained("mnist_cnn", Adam(), epochs=3, batch=100)


def fc_100_100_10() -> keras.Model:
    """The thesis' network, trained as there: 500 epochs on 50,000 images."""
    return _trained("fc_100_100_10", SGD(), epochs=500, batch=500)


def digits_fc() -> keras.Model:
    """The thesis' network on the small digits, 100 epochs."""
    return _trained("fc_100_100_10", SGD(), epochs=100, batch=20, dataset="digits")


def pca_100() -> LinearFilter:
    """The thesis' filter: 100 principal components of MNIST's training images."""
    return LinearFilter.of(_cache("mnist").fitted_filter(FilterSpec("pca", 100), SEED))


def _cache(dataset: str) -> NetworkCache:
    return NetworkCache(data.load(dataset), Store())


def _trained(
    model: str, optimizer: Optimizer, epochs: int, batch: int, dataset: str = "mnist"
) -> keras.Model:
    rule = FixedEpochs(epochs)
    training = Training((rule,), optimizer, batch)
    network = Network(DatasetRef(dataset), model, training, rule, SEED)
    return _cache(dataset).network(network).model
