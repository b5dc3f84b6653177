"""A sweep over radii gives what `run` gives at each of them."""

from dataclasses import replace

import numpy as np
import pytest

from robustnets.attacks import FGSM
from robustnets.core.threat import ThreatModel
from robustnets.engines import run, sweep


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_examples_are_those_of_run(small_classifier, norm, targeted):
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(9, *small_classifier.image_shape)).astype(np.float32)
    y = rng.integers(0, 7, 9)
    attack = FGSM(ThreatModel(norm, 0.5), targeted)
    radii = (0.0, 0.1, 0.3)
    swept = list(sweep(attack, small_classifier, x, y, radii, batch_size=4))
    assert [eps for eps, _ in swept] == list(radii)
    for eps, found in swept:
        alone = replace(attack, threat=ThreatModel(norm, eps))
        alone = run(alone, small_classifier, x, y, attack_wrong=True)
        np.testing.assert_allclose(found.x, alone.x, rtol=0, atol=1e-6)
        assert (found.forward == alone.forward).all()
        assert (found.backward == alone.backward).all()
    assert np.abs(swept[-1][1].x - x).max() > 0.01


def test_a_sweep_checks_its_arguments(small_classifier):
    x = np.full((3, *small_classifier.image_shape), 2.0, np.float32)
    with pytest.raises(ValueError, match="must lie in the box"):
        list(sweep(FGSM(ThreatModel("linf", 0.1)), small_classifier, x, np.zeros(3, int), (0.1,)))
