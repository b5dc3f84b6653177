"""Adversarial examples that several Cells share are crafted once."""

from dataclasses import replace

import numpy as np

from robustnets import engines
from robustnets.attacks import BIM, FGSM
from robustnets.core.threat import ThreatModel
from robustnets.defenses import InFront
from robustnets.engines import Adversarial
from robustnets.experiments import runner
from robustnets.experiments.cell import Cell, DatasetRef, Network
from robustnets.experiments.kept import Kept, crafted_as
from robustnets.layers import SmoothingSpec
from robustnets.training import Adam, FixedEpochs, Training

RULE = FixedEpochs(20)
BASE = Network(
    DatasetRef("digits", 200, 30), "fc_100_100_10", Training((RULE,), Adam(0.003), 20), RULE, 0
)
MEAN, MEDIAN = (
    replace(BASE, defense=InFront(SmoothingSpec(kind, 3))) for kind in ("mean", "median")
)
ATTACK = BIM(ThreatModel("linf", 0.1), steps=3)
BARE = Cell(BASE, ATTACK, (0.1,), "native", "white-box", pictured=2)
GRAY = tuple(Cell(n, ATTACK, (0.1,), "native", "gray-box") for n in (MEAN, MEDIAN))
WHITE = replace(GRAY[0], knowledge="white-box")


def examples(mark):
    x = np.full((2, 3, 3, 1), mark, np.float32)
    none = np.zeros(2, np.int32)
    return Adversarial(x, np.zeros(2, bool), none, none, 5.0, x)


def test_what_is_shared():
    assert crafted_as(GRAY[0]) == crafted_as(GRAY[1]) == crafted_as(BARE)
    assert crafted_as(WHITE) is None
    assert crafted_as(Cell(BASE)) is None
    assert crafted_as(replace(BARE, attack=FGSM(ThreatModel("linf", 0.1)))) != crafted_as(BARE)
    assert crafted_as(replace(BARE, examples=9)) != crafted_as(BARE)


def test_the_last_ones_are_kept_within_the_limit():
    made = []

    def ask(kept, cell, size=60):
        def craft():
            made.append(cell)
            yield 0.1, examples(len(made))

        ((eps, found),) = kept.get(cell, size, craft)
        assert eps == 0.1
        return found.x.flat[0], found.seconds

    kept = Kept(limit=130)
    other = replace(BARE, examples=9)
    assert ask(kept, BARE) == (1, 5.0)
    assert ask(kept, GRAY[0]) == (1, 0.0)
    assert ask(kept, other) == (2, 5.0)
    assert ask(kept, GRAY[1]) == (1, 0.0)  # now the other one was used longest ago
    assert ask(kept, replace(BARE, examples=8)) == (3, 5.0)
    assert ask(kept, BARE) == (1, 0.0)
    assert ask(kept, other) == (4, 5.0)
    assert ask(kept, WHITE) == (5, 5.0)
    assert ask(kept, WHITE) == (6, 5.0)
    assert ask(kept, replace(BARE, examples=7), size=200) == (7, 5.0)


def test_records_are_those_of_attacks_carried_out_anew(tmp_path, monkeypatch):
    asked = []
    sweep = engines.sweep
    monkeypatch.setattr(engines, "sweep", lambda *a, **k: asked.append(a[0]) or sweep(*a, **k))
    cells = (BARE, *GRAY, WHITE)
    settings = runner.Settings(str(tmp_path / "one"))
    together = runner.run(cells, settings)
    assert len(asked) == 2  # once for three Cells, once through the mean
    alone = [runner.run([cell], runner.Settings(str(tmp_path / "two")))[0] for cell in cells]
    assert [r.fingerprint for r in together] == [r.fingerprint for r in alone]
    assert together[1].about["attack_seconds"] == 0 < together[0].about["attack_seconds"]
