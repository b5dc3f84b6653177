"""Another training as a defense: the network that it names, trained once, and nothing in front."""

from dataclasses import replace

import numpy as np
import pytest

from robustnets import data
from robustnets.core.store import Store
from robustnets.defenses import OtherTraining, Recipe
from robustnets.experiments.cell import DatasetRef, Network
from robustnets.experiments.network_cache import NetworkCache
from robustnets.training import FixedEpochs, Training

RULES = (FixedEpochs(2),)
USUAL = Training(RULES, batch_size=20)
PENALISED = replace(USUAL, l1=1e-3, l2=1e-3)
BARE = Network(DatasetRef("digits", 100, 20), "fc_100_100_10", USUAL, RULES[0], 3)


def same(first, second):
    pairs = zip(first.model.get_weights(), second.model.get_weights())
    return all(np.array_equal(a, b) for a, b in pairs)


def test_it_is_the_network_of_that_training(tmp_path):
    reports = []
    cache = NetworkCache(
        data.load("digits").take(100, 20), Store(tmp_path), lambda *report: reports.append(report)
    )
    penalised = cache.network(replace(BARE, training=PENALISED))
    count = len(reports)
    assert count == 2
    defended = cache.network(replace(BARE, defense=OtherTraining(PENALISED)))
    assert len(reports) == count  # it was trained already
    assert same(defended, penalised)
    assert not same(defended, cache.network(BARE))


def test_what_it_says():
    defense = OtherTraining(PENALISED)
    assert defense.label == "OtherTraining l1=0.001 l2=0.001"
    assert defense.recipe == Recipe(training=PENALISED)
    with pytest.raises(ValueError, match="the training of a defense ends by one rule"):
        OtherTraining(replace(USUAL, rules=(FixedEpochs(1), FixedEpochs(2))))
