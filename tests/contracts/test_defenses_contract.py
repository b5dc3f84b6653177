"""Every defense is what it says of itself, is trained the same way twice, and survives its file."""

from dataclasses import dataclass, replace
from typing import ClassVar

import keras
import numpy as np
import pytest

from robustnets import data, layers
from robustnets.attacks import BIM, FGSM, HopSkipJump
from robustnets.core.spec import digest, to_dict
from robustnets.core.store import Store
from robustnets.core.threat import ThreatModel
from robustnets.defenses import DEFENSES, Distillation, InFront, OtherTraining, Tempered
from robustnets.defenses.base import Recipe
from robustnets.evaluation.behaviour import disagreement, margin_gradient, zero_share
from robustnets.experiments.cell import Cell, DatasetRef, Network
from robustnets.experiments.network_cache import NetworkCache
from robustnets.layers import LAYER_SPECS, BitDepthSpec, FilterSpec, SmoothingSpec
from robustnets.models import Substitute
from robustnets.training import Adam, FixedEpochs, Training

TRAINING = Training((FixedEpochs(6),), Adam(0.005), batch_size=20)
FURTHER = replace(TRAINING, rules=(FixedEpochs(2),))
BASE = Network(DatasetRef("digits", 160, 40), "fc_100_100_10", TRAINING, TRAINING.rules[0], 3)
# each entry of LAYER_SPECS in front of a network, and each entry of DEFENSES
EXAMPLES = (
    InFront(FilterSpec("pca", 9)),
    InFront(FilterSpec("pca", 9), FURTHER),
    InFront(FilterSpec("random", 30), start="fresh"),
    InFront(SmoothingSpec("median", 3)),
    InFront(BitDepthSpec(2)),
    OtherTraining(replace(TRAINING, l2=1e-3)),
    Tempered(20.0),
    Distillation(20.0, "hard"),
)
every_defense = pytest.mark.parametrize("defense", EXAMPLES, ids=lambda d: d.label)
LINF = ThreatModel("linf", 0.1)


@pytest.fixture(scope="module")
def dataset():
    return data.load("digits").take(160, 40)


@pytest.fixture(scope="module")
def cache(dataset, tmp_path_factory):
    return NetworkCache(dataset, Store(tmp_path_factory.mktemp("store")))


def test_every_defense_and_layer_has_an_example():
    assert {type(d) for d in EXAMPLES} == set(DEFENSES)
    assert {type(d.recipe.front) for d in EXAMPLES} - {type(None)} == set(LAYER_SPECS)
    assert len({d.label for d in EXAMPLES}) == len(EXAMPLES)


@every_defense
def test_what_is_declared_is_what_is_found(defense, cache, dataset):
    victim = cache.network(replace(BASE, defense=defense)).classifier
    x, y = dataset.test.x, dataset.test.y
    assert (disagreement(victim.logits, x) > 1e-5) == defense.recipe.stochastic
    # without a gradient on half of the images there is none to follow
    hidden = zero_share(margin_gradient(victim), x, y) >= 0.5
    assert hidden == (not defense.recipe.differentiable)
    assert victim.classes == len(dataset.class_names) + defense.recipe.rejects


@every_defense
def test_it_does_what_it_says_to_the_network(defense, cache):
    bare = cache.network(BASE).model.get_weights()
    made = cache.network(replace(BASE, defense=defense)).model
    front = cache.front(replace(BASE, defense=defense))
    assert (front is None) == (defense.recipe.front is None)
    inside = next((part for part in made.layers if isinstance(part, keras.Model)), made)
    same = all(map(np.array_equal, bare, inside.get_weights()))
    assert same == (not defense.recipe.trains)


@every_defense
def test_the_same_seed_twice_and_a_new_one(defense, cache, dataset, tmp_path):
    network = replace(BASE, defense=defense)
    once = cache.network(network).model.get_weights()
    again = NetworkCache(dataset, Store(tmp_path / "again")).network(network).model.get_weights()
    assert all(map(np.array_equal, once, again))
    other = NetworkCache(dataset, Store(tmp_path / "other")).network(replace(network, seed=4))
    assert not all(map(np.array_equal, once, other.model.get_weights()))


@every_defense
def test_it_survives_its_file(defense, cache, dataset, tmp_path):
    made = cache.network(replace(BASE, defense=defense))
    made.model.save(tmp_path / "defended.keras")
    back = keras.models.load_model(tmp_path / "defended.keras", compile=False)
    x = dataset.test.x[:7]
    np.testing.assert_allclose(np.asarray(back(x)), np.asarray(made.model(x)), rtol=0, atol=1e-6)


@every_defense
def test_its_key_says_all_of_it(defense):
    keys = {digest(other) for other in EXAMPLES}
    assert len(keys) == len(EXAMPLES)
    assert digest(defense) == digest(to_dict(defense))


def test_a_layer_without_a_gradient_needs_a_substitute():
    network = replace(BASE, defense=InFront(BitDepthSpec(2)))
    settings = (FGSM(LINF), (0.1,), "native")
    for knowledge in ("white-box", "adaptive"):
        with pytest.raises(ValueError, match=r"2 bits has no gradient .* view=Substitute\(\)"):
            Cell(network, *settings, knowledge)
        assert Cell(network, *settings, knowledge, view=Substitute()).view == Substitute()
    Cell(network, *settings, "gray-box")
    Cell(network, HopSkipJump(LINF), (0.1,), "native", "black-box")


def test_the_substitute_finds_what_the_zero_gradient_hides(cache, dataset):
    from robustnets import engines

    victim = cache.network(replace(BASE, defense=InFront(BitDepthSpec(2)))).classifier
    x = dataset.test.x
    y = victim.predict(x).argmax(axis=1)
    attack = BIM(ThreatModel("linf", 0.3), 0.05, 6)
    blind, seeing = (
        engines.run(attack, source, x, y).x for source in (victim, Substitute().of(victim))
    )
    np.testing.assert_array_equal(blind, x)
    assert (victim.predict(seeing).argmax(axis=1) != y).mean() > 0.5


@dataclass(frozen=True)
class Noisy:
    """A layer in front that draws at random."""

    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True
    label: ClassVar[str] = "noise"


def test_a_defense_that_draws_needs_an_expectation():
    from robustnets.attacks import PGD

    network = replace(BASE, defense=InFront(Noisy()))
    with pytest.raises(ValueError, match=r"noise draws at random: .*expectation=20\)"):
        Cell(network, PGD(LINF), (0.1,), "native", "white-box")
    assert Cell(network, PGD(LINF, expectation=8), (0.1,), "native", "white-box")
    assert Cell(network, PGD(LINF), (0.1,), "native", "gray-box")


def test_a_recipe_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="start must be one of trained, fresh, got 'cold'"):
        InFront(SmoothingSpec("mean", 3), start="cold")
    two = replace(TRAINING, rules=(FixedEpochs(1), FixedEpochs(2)))
    with pytest.raises(ValueError, match="ends by one rule"):
        Recipe(training=two)
    with pytest.raises(ValueError, match=r"bits must be an int in 1..16, got 0"):
        BitDepthSpec(0)
    assert set(layers.LAYER_SPECS) == set(LAYER_SPECS)
