"""What the specs of a training refuse."""

import pytest

from robustnets.core.spec import from_dict, to_dict
from robustnets.training import (
    SGD,
    TRAINING_SPECS,
    EarlyStop,
    FixedEpochs,
    StableWeights,
    Training,
)
from robustnets.training.spec import rule_key, single_rule

RULES = (FixedEpochs(3), EarlyStop(2), StableWeights(4, 0.5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0.0), "learning_rate must be > 0, got 0.0"),
        (lambda: SGD(float("nan")), "learning_rate must be > 0, got nan"),
        (lambda: SGD(momentum=1.0), r"momentum must lie in \[0, 1\), got 1.0"),
        (lambda: SGD(momentum=-0.1), r"momentum must lie in \[0, 1\), got -0.1"),
        (lambda: FixedEpochs(0), "epochs must be an integer >= 1, got 0"),
        (lambda: FixedEpochs(2.0), "epochs must be an integer >= 1, got 2.0"),
        (lambda: EarlyStop(0), "patience must be an integer >= 1, got 0"),
        (lambda: StableWeights(0), "patience must be an integer >= 1, got 0"),
        (lambda: StableWeights(3, 0.0), "max_std must be > 0, got 0.0"),
        (lambda: Training(()), "rules must be distinct and at least one"),
        (lambda: Training((EarlyStop(2), EarlyStop(2))), "rules must be distinct"),
        (lambda: Training(RULES, batch_size=0), "batch_size must be an integer >= 1, got 0"),
        (lambda: Training(RULES, max_epochs=-1), "max_epochs must be an integer >= 1, got -1"),
        (lambda: Training(RULES, validation=0.0), r"validation must be a share in \(0, 1\)"),
        (lambda: Training(RULES, validation=1.0), r"validation must be a share in \(0, 1\)"),
        (lambda: Training(RULES, reduce_lr_patience=0), "reduce_lr_patience must be an integer"),
        (lambda: Training((FixedEpochs(9),), max_epochs=8), "lies beyond max_epochs 8"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_round_trip():
    training = Training(RULES, SGD(0.2, 0.5, False), 40, 0.25, 6, 30)
    assert from_dict(to_dict(training), TRAINING_SPECS) == training


def test_rules_have_names_of_their_own():
    rules = (*RULES, StableWeights(4, 0.4), FixedEpochs(4))
    assert len({rule_key(rule) for rule in rules}) == len(rules)
    assert rule_key(EarlyStop(2)) == rule_key(EarlyStop(patience=2))
    assert rule_key(EarlyStop(2)).startswith("EarlyStop-")


def test_single_rule_changes_nothing_else():
    training = Training(RULES, batch_size=40, reduce_lr_patience=6)
    alone = single_rule(training, RULES[1])
    assert alone.rules == (RULES[1],)
    assert (alone.batch_size, alone.reduce_lr_patience) == (40, 6)
