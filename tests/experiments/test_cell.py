"""What Cells and Networks refuse, their keys and their labels."""

from dataclasses import replace

import pytest

from robustnets.attacks import FGSM
from robustnets.core.threat import ThreatModel
from robustnets.defenses import InFront
from robustnets.experiments.cell import Cell, DatasetRef, Network, describe, describe_cell
from robustnets.layers import FilterSpec
from robustnets.training import EarlyStop, FixedEpochs, StableWeights, Training

RULES = (FixedEpochs(3), EarlyStop(2))
NETWORK = Network(DatasetRef("digits"), "fc_100_100_10", Training(RULES), RULES[0], 5)
DEFENDED = replace(NETWORK, defense=InFront(FilterSpec("pca", 9)))
FAST = FGSM(ThreatModel("linf", 0.1))
AIMED = FGSM(ThreatModel("linf", 0.1), targeted=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"knowledge": "black"}, r"knowledge must be one of \('none', 'gray-box', 'white-box', "),
        ({"examples": 0}, "examples must be >= 1, got 0"),
        ({"knowledge": "none"}, "knowledge is 'none' exactly where there is no attack"),
        ({"attack": None}, "knowledge is 'none' exactly where there is no attack"),
        ({"epsilons": ()}, r"an attack needs radii and nothing else does, got \(\)"),
        (
            {"attack": None, "knowledge": "none"},
            r"an attack needs radii and nothing else does, got \(0.1, 0.2\)",
        ),
        ({"epsilons": (0.2, 0.1)}, r"epsilons must increase, got \(0.2, 0.1\)"),
        ({"epsilons": (0.1, 0.1)}, r"epsilons must increase, got \(0.1, 0.1\)"),
        ({"knowledge": "gray-box"}, "gray-box needs a defense to be kept from the attack"),
        ({"target": 3}, "a targeted attack needs a target and no other has one, got 3"),
        ({"target": True}, "target must be None, a class or 'random', got True"),
        ({"target": -1}, "target must be None, a class or 'random', got -1"),
        ({"target": "worst"}, "target must be None, a class or 'random', got 'worst'"),
        ({"attack": replace(FAST, targeted=True)}, "a targeted attack needs a target"),
        ({"probabilities": 1}, "probabilities must be a bool, got 1"),
    ],
)
def test_refusals(changes, message):
    good = {"attack": FAST, "epsilons": (0.1, 0.2), "knowledge": "white-box"}
    Cell(NETWORK, **good)
    with pytest.raises(ValueError, match=message):
        Cell(NETWORK, **{**good, **changes})


def test_rule_of_the_trajectory():
    with pytest.raises(ValueError, match=r"StableWeights.* is not among the rules of"):
        replace(NETWORK, rule=StableWeights(4))


def test_key_depends_on_all_of_it():
    cell = Cell(DEFENDED, FAST, (0.1, 0.2), knowledge="gray-box")
    others = [
        replace(cell, knowledge="white-box"),
        replace(cell, epsilons=(0.1,)),
        replace(cell, engine="art"),
        replace(cell, pictured=1),
        replace(cell, probabilities=True),
        replace(cell, attack=AIMED, target=3),
        replace(cell, attack=AIMED, target="random"),
        replace(cell, attack=FGSM(ThreatModel("l2", 0.1))),
        replace(cell, network=replace(DEFENDED, seed=6)),
        replace(cell, network=replace(DEFENDED, rule=RULES[1])),
        replace(cell, network=replace(DEFENDED, dataset=DatasetRef("digits", 300))),
        replace(cell, network=replace(DEFENDED, defense=InFront(FilterSpec("svd", 9)))),
    ]
    keys = {c.key("data", "tensorflow") for c in (cell, *others)}
    assert len(keys) == len(others) + 1
    assert cell.key("data", "tensorflow") in keys
    assert cell.key("data", "jax") not in keys
    assert cell.key("other", "tensorflow") not in keys


def test_labels():
    assert describe(NETWORK) == "fc_100_100_10, seed 5"
    slow = Training(RULES, reduce_lr_patience=2)
    assert describe(replace(NETWORK, training=slow)) == "fc_100_100_10 + plateau, seed 5"
    assert describe(DEFENDED) == "fc_100_100_10, pca 9, seed 5"
    assert describe_cell(Cell(NETWORK)) == "fc_100_100_10, seed 5, FixedEpochs epochs 3"
    assert describe_cell(Cell(DEFENDED, FAST, (0.1, 0.2), knowledge="gray-box")) == (
        "fc_100_100_10, pca 9, seed 5, FixedEpochs epochs 3, FGSM linf at 2 radii, gray-box, native"
    )
    aimed = Cell(NETWORK, AIMED, (0.1,), knowledge="white-box", target=7)
    assert "FGSM linf to class 7 at 1 radii" in describe_cell(aimed)
    assert "to random classes at" in describe_cell(replace(aimed, target="random"))
