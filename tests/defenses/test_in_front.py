"""The smoothing defense through the NetworkCache and the runner."""

from dataclasses import replace

import numpy as np
import pytest

from robustnets import data
from robustnets.attacks import FGSM
from robustnets.core.store import Store
from robustnets.core.threat import ThreatModel
from robustnets.defenses import InFront
from robustnets.experiments import runner
from robustnets.experiments.cell import Cell, DatasetRef, Network, describe
from robustnets.experiments.network_cache import NetworkCache, apply_layer
from robustnets.layers import SmoothingSpec, SpatialSmoothing
from robustnets.training import Adam, FixedEpochs, Training

RULE = FixedEpochs(30)
REF = DatasetRef("digits", 200, 60)
BASE = Network(REF, "fc_100_100_10", Training((RULE,), Adam(0.003), 20), RULE, 3)
MEDIAN = replace(BASE, defense=InFront(SmoothingSpec("median", 3)))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def test_it_changes_nothing_but_the_input(store):
    cache = NetworkCache(data.load("digits").take(200, 60), store)
    base, defended = cache.network(BASE), cache.network(MEDIAN)
    inner = defended.model.layers[-1]
    assert all(map(np.array_equal, base.model.get_weights(), inner.get_weights()))
    x = cache.dataset.test.x
    front = cache.front(MEDIAN)
    assert isinstance(front, SpatialSmoothing)
    assert (front.kind, front.window, front.border) == ("median", 3, "reflect")
    through = defended.classifier.predict(x)
    expected = base.classifier.predict(apply_layer(front, x))
    np.testing.assert_allclose(through, expected, rtol=0, atol=1e-5)
    assert np.abs(through - base.classifier.predict(x)).max() > 0.01
    # nothing is trained, so that nothing but the undefended network is stored
    assert len(list(store.root.glob("networks/*/*.keras"))) == 1


def test_gray_box_and_white_box_are_different_attacks(store):
    attack, defended = (
        FGSM(ThreatModel("linf", 0.1)),
        replace(BASE, defense=InFront(SmoothingSpec("mean", 5))),
    )
    cells = [
        Cell(defended, attack, (0.1,), "native", knowledge, pictured=2)
        for knowledge in ("gray-box", "white-box")
    ]
    gray, white = runner.run(cells, runner.Settings(str(store.root)))
    np.testing.assert_array_equal(gray.clean, white.clean)
    assert gray.pictures["filtered"].shape == (2, 28, 28, 1)
    assert white.robust.sum() < gray.robust.sum() < gray.correct.sum()


def test_labels_and_refusals():
    assert describe(MEDIAN) == "fc_100_100_10, median 3, seed 3"
    assert InFront(SmoothingSpec("mean", 5, "constant")).label == "mean 5 constant"
    with pytest.raises(ValueError, match="kind must be one of mean"):
        InFront(SmoothingSpec("blur", 3))
    with pytest.raises(ValueError, match="window must be an int >= 1"):
        InFront(SmoothingSpec("mean", 0))
    with pytest.raises(ValueError, match="border must be one of reflect"):
        InFront(SmoothingSpec("mean", 3, "none"))
