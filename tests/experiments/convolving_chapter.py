"""A chapter of two small convolutional networks, for tests of the command line."""

from robustnets.attacks import FGSM
from robustnets.core.threat import ThreatModel
from robustnets.experiments.cell import Cell, DatasetRef, Network
from robustnets.training import FixedEpochs, Training


def cells(scale, dataset, seeds, engine):
    """One Cell for each of two seeds."""
    rule = FixedEpochs(2)
    training = Training((rule,), batch_size=50, max_epochs=2)
    networks = [
        Network(DatasetRef("digits", 400, 60), "mnist_cnn", training, rule, seed) for seed in (0, 1)
    ]
    attack = FGSM(ThreatModel("linf", 0.1))
    return [Cell(network, attack, (0.1,), knowledge="white-box") for network in networks]
