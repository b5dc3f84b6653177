"""Cells become Records once, whatever the number of workers and the order of things."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from robustnets.attacks import FGSM
from robustnets.core.record import Record
from robustnets.core.spec import to_dict
from robustnets.core.threat import ThreatModel
from robustnets.defenses import InFront
from robustnets.experiments import runner
from robustnets.experiments.cell import Cell, DatasetRef, Network
from robustnets.experiments.shard import Shard
from robustnets.layers import FilterSpec
from robustnets.training import FixedEpochs, Training

RULES = (FixedEpochs(6), FixedEpochs(12))
TRAINING = Training(RULES, batch_size=20, max_epochs=12)
FURTHER = Training((FixedEpochs(3),), batch_size=20)
PCA = FilterSpec("pca", 9)
FAST = FGSM(ThreatModel("linf", 0.1))


def cells(seeds=(0,)):
    """Both stops, and two defenses in both settings, of a few digits."""
    out = []
    for seed in seeds:
        network = Network(DatasetRef("digits", 200, 60), "fc_100_100_10", TRAINING, RULES[1], seed)
        out.append(Cell(replace(network, rule=RULES[0])))
        out.append(Cell(network, FAST, (0.05, 0.2), knowledge="white-box", pictured=2))
        for defense in (InFront(PCA), InFront(PCA, FURTHER)):
            defended = replace(network, defense=defense)
            for knowledge in ("gray-box", "white-box"):
                out.append(Cell(defended, FAST, (0.05, 0.2), knowledge=knowledge, pictured=2))
    return out


def settings(store, **changes):
    return runner.Settings(str(store), **changes)


def times(store):
    return {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file()}


def fingerprints(records):
    return [record.fingerprint for record in records]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Records of one run, its events and its store."""
    store = tmp_path_factory.mktemp("store")
    events = []
    records = runner.run(cells(), settings(store), show=events.append)
    return records, events, store


def test_records_are_those_of_the_cells(done):
    records, _, _ = done
    for cell, record in zip(cells(), records, strict=True):
        assert dict(record.cell) == json.loads(json.dumps(to_dict(cell)))
        assert record.label.shape == (60,)
        assert record.epsilons.tolist() == list(cell.epsilons)
        assert record.adversarial.shape == (len(cell.epsilons), 60)
        assert record.about["backend"] == runner.backend_name()
        assert {"device", "keras", "python", "robustnets", "data"} <= record.about.keys()
    assert [r.about["epoch"] for r in records] == [6, 12, 12, 12, 3, 3]
    bare, gray = records[1], records[2]
    assert set(bare.pictures) == {"adversarial"}
    assert set(gray.pictures) == {"adversarial", "filtered"}
    assert gray.pictures["adversarial"].shape == (3, 2, 28, 28, 1)


def test_gray_box_examples_are_those_of_the_bare_network(done):
    records, _, _ = done
    _, bare, gray, white, regray, rewhite = records
    for other in (gray, regray):
        np.testing.assert_array_equal(other.pictures["adversarial"], bare.pictures["adversarial"])
    for other in (white, rewhite):
        assert np.abs(other.pictures["adversarial"] - bare.pictures["adversarial"]).max() > 0.04
    # one network, attacked in two ways, is right about the same clean examples
    np.testing.assert_array_equal(gray.clean, white.clean)


def test_attacks_stay_in_the_ball_of_their_cell(done):
    for record in done[0][1:]:
        for eps, linf in zip(record.epsilons, record.arrays["linf"]):
            assert linf.max() <= eps + 1e-6
            assert linf.max() > 0.99 * eps


def test_events(done):
    _, events, _ = done
    labels = {label for label, *_ in events}
    assert {"all", "filter pca 9", "fc_100_100_10, seed 0", "measure 6 Cells, seed 0"} <= labels
    last = {label: (at, of) for label, at, of, _ in events}
    assert all(at == of for at, of in last.values()), last
    assert [e[1] for e in events if e[0] == "all"] == [0, 1, 2, 3, 4]


def test_a_second_run_computes_nothing(done):
    records, _, store = done
    before = times(store)
    assert all(p.stored for p in runner.plan(cells(), settings(store)))
    again = runner.run(cells(), settings(store))
    assert fingerprints(again) == fingerprints(records)
    assert times(store) == before


def test_plan(done, tmp_path):
    _, _, store = done
    wanted = [*cells(), *cells((1,)), *cells()]
    planned = runner.plan(wanted, settings(store))
    assert [p.cell for p in planned] == [*cells(), *cells((1,))]
    assert [p.stored for p in planned] == [True] * 6 + [False] * 6
    assert len({p.key for p in planned}) == 12
    assert not any(p.stored for p in runner.plan(cells(), settings(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_order_and_repetition_of_cells(done):
    records, _, store = done
    wanted = [*reversed(cells()), cells()[2]]
    again = runner.run(wanted, settings(store))
    assert fingerprints(again) == [*reversed(fingerprints(records)), records[2].fingerprint]


def test_a_fresh_store_gives_the_same_records(done, tmp_path):
    records, _, _ = done
    # the last Cell first, so that things are made in another order
    last = runner.run(cells()[-1:], settings(tmp_path))
    rest = runner.run(cells()[:-1], settings(tmp_path))
    assert fingerprints([*rest, *last]) == fingerprints(records)
    other = runner.run(cells((1,))[:2], settings(tmp_path))
    assert other[1].fingerprint not in fingerprints(records)
    assert not np.array_equal(other[1].curves["loss"], records[1].curves["loss"])


def test_shards_leave_nothing_to_do(done, tmp_path):
    records, _, _ = done
    for number in (2, 1):
        part = Shard(number, 2).take(cells())
        assert len(runner.run(part, settings(tmp_path))) == 3
    before = times(tmp_path)
    assert fingerprints(runner.run(cells(), settings(tmp_path))) == fingerprints(records)
    assert times(tmp_path) == before


def test_what_fails_leaves_what_was_finished(done, tmp_path):
    good = cells()[1]
    bad = replace(good, engine="none such")
    with pytest.raises(ValueError, match="engine must be one of"):
        runner.run([good, bad, cells()[2]], settings(tmp_path))
    planned = runner.plan([good, bad, cells()[2]], settings(tmp_path))
    assert [p.stored for p in planned] == [True, False, False]
    path = next((tmp_path / "records").rglob("*.npz"))
    assert Record.load(path).fingerprint == done[0][1].fingerprint


def test_jobs_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="jobs must be >= 1, got 0"):
        runner.run(cells(), settings(tmp_path), jobs=0)


PARALLEL = """
import sys
sys.path.insert(0, sys.argv[1])
from robustnets.experiments.quiet import quiet_backend
quiet_backend(1)
from robustnets.experiments import runner
from test_runner import cells
events = []
wanted = [cell for cell in cells((0, 1)) if cell.knowledge != "none"]
for jobs in (2, 1):
    settings = runner.Settings(f"{sys.argv[2]}/{jobs}", threads=1)
    for record in runner.run(wanted, settings, jobs, events.append):
        print(jobs, record.fingerprint)
    last = {label: at == of for label, at, of, _ in events}
    assert len(last) > 5 and all(last.values()), last
    events.clear()
"""


@pytest.mark.slow
def test_workers_give_the_same_records(tmp_path):
    """One process or two, one thread in each."""
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        [sys.executable, "-c", PARALLEL, here, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    two, one = ([line[1] for line in lines if line[0] == jobs] for jobs in "21")
    assert len(set(one)) == 10
    assert one == two


def weights_and_records(folder):
    """What a store holds, without dates and seconds."""
    found = {}
    for path in sorted(folder.rglob("*.keras")):
        model = keras.models.load_model(path, compile=False)
        found[path.name] = b"".join(w.tobytes() for w in model.get_weights())
    for path in sorted((folder / "records").rglob("*.npz")):
        found[path.name] = Record.load(path).fingerprint
    return found


@pytest.mark.slow  # three runs of the command: processes that load TensorFlow
def test_the_same_bytes_whatever_j(tmp_path):
    """A run with -j 1, one with -j 2, and one that was begun with the one and ended with the other.

    The network convolves: its sums are shared out among threads.
    """
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from robustnets import chapters, cli\n"
        "import convolving_chapter\n"
        "chapters.chapter = lambda slug: convolving_chapter\n"
        "sys.argv = ['robustnets', 'run', 'stopping', *sys.argv[2:]]\n"
        "cli.main()\n"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    parts = {
        "one": [("-j", "1")],
        "two": [("-j", "2")],
        "both": [("-j", "1", "--shard", "1/2"), ("-j", "2", "--shard", "2/2")],
    }
    for name, runs in parts.items():
        for options in runs:
            whole = () if "--shard" in options else ("--shard", "1/1")
            done = subprocess.run(
                [sys.executable, "-c", script, here, "--store", tmp_path / name, *options, *whole],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            for word in ("leak", "Warning", "Traceback"):
                assert word not in done.stderr
    one, two, both = (weights_and_records(tmp_path / name) for name in parts)
    assert len(one) == 4
    assert one == two == both


@pytest.mark.parametrize(
    ("env", "config", "expected"),
    [
        ({}, None, "tensorflow"),
        ({"KERAS_BACKEND": "jax"}, None, "jax"),
        ({}, {"backend": "jax"}, "jax"),
        ({"KERAS_BACKEND": "tensorflow"}, {"backend": "jax"}, "tensorflow"),
    ],
)
def test_backend_is_told_without_importing_it(tmp_path, monkeypatch, env, config, expected):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    if config is not None:
        (tmp_path / "keras.json").write_text(json.dumps(config))
    assert runner.backend_name() == expected
    assert "keras" not in sys.modules


def aimed(target):
    attack = FGSM(ThreatModel("linf", 0.1), targeted=True)
    changes = {"target": target, "pictured": 0, "epsilons": (0.1, 0.5)}
    return replace(cells()[1], attack=attack, **changes)


def test_targets():
    label = np.arange(60) % 10
    assert runner.targets(cells()[1], label, 10) is None
    assert set(runner.targets(aimed(7), label, 10)) == {7}
    drawn = runner.targets(aimed("random"), label, 10)
    assert not (drawn == label).any()
    assert set(drawn) == set(range(10))
    # example i gets the same whatever follows it, and another seed draws others
    np.testing.assert_array_equal(runner.targets(aimed("random"), label[:17], 10), drawn[:17])
    other = aimed("random")
    other = replace(other, network=replace(other.network, seed=1))
    assert (runner.targets(other, label, 10) != drawn).mean() > 0.5
    with pytest.raises(ValueError, match="target must be one of 10 classes, got 10"):
        runner.targets(aimed(10), label, 10)


def test_targeted_cells(done):
    _, _, store = done
    wanted = [
        aimed(7),
        aimed("random"),
        replace(aimed(7), attack=FAST, target=None, probabilities=True),
    ]
    seven, drawn, whole = runner.run(wanted, settings(store))
    assert set(seven.arrays["target"]) == {7}
    np.testing.assert_array_equal(
        drawn.arrays["target"], runner.targets(wanted[1], drawn.label, 10)
    )
    for record in (seven, drawn):
        # an attack that does not aim gets to the same class less often
        strays = record.aimed & (whole.adversarial[1] == record.arrays["target"])
        assert record.reached[1].sum() > strays.sum()
    assert whole.probabilities(1).shape == (60, 10)
    np.testing.assert_array_equal(whole.probabilities().argmax(axis=1), whole.clean)
