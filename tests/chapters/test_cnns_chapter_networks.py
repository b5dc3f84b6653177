"""The networks that chapters share."""

from dataclasses import replace

import pytest

from robustnets.chapters.evasion import cells as evasion_cells
from robustnets.chapters.shared import cnns
from robustnets.core.spec import to_dict


def test_both_networks_are_those_of_the_report():
    for scale in ("quick", "full"):
        mnist, cifar10 = (cnns.network(name, scale, 1) for name in cnns.NAMES)
        assert (mnist.model, mnist.dataset.name) == ("mnist_cnn", "mnist")
        assert (cifar10.model, cifar10.dataset.name) == ("cifar10_cnn", "cifar10")
        assert mnist.seed == 1
        assert mnist.defense is None
        assert mnist.rule == mnist.training.rules[0]


def test_they_are_those_of_the_evasion_chapter():
    for scale in cnns.RECIPES:
        theirs = {c.network for c in evasion_cells.cells(scale, seeds=1)}
        assert theirs == {cnns.network(name, scale, 0) for name in cnns.NAMES}


def test_demo_has_one_network():
    assert cnns.network("mnist", "demo", 0) == cnns.network("cifar10", "demo", 0)


def test_another_data_set_takes_the_place_of_the_own():
    own = cnns.network("mnist", "quick", 0)
    other = cnns.network("mnist", "quick", 0, dataset="mine.npz")
    assert other.dataset.name == "mine.npz"
    assert other.dataset.n_train is None
    assert replace(other, dataset=own.dataset) == own


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="name must be one of mnist, cifar10, got 'svhn'"):
        cnns.network("svhn", "quick", 0)
    with pytest.raises(ValueError, match="scale must be one of demo, quick, full, got 'huge'"):
        cnns.network("mnist", "huge", 0)


def test_the_sentence_names_what_was_done():
    cell = {"network": to_dict(cnns.network("cifar10", "quick", 0))}
    text = cnns.setup(cell)
    assert "`cifar10_cnn` on cifar10: the whole training split" in text
    assert "8 epochs of Adam with learning rate 0.001 in batches of 64" in text
