"""A run that is killed outright goes on where it was and ends with the same Records."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robustnets.core.record import Record

# Carries six Cells out; every epoch writes a checkpoint. Killed at the count-th file of a kind:
# "before", when it is written but not yet in its place, or "after".
SCRIPT = """
import os, signal, sys

from robustnets.attacks import FGSM
from robustnets.core import store
from robustnets.core.threat import ThreatModel
from robustnets.defenses import InFront
from robustnets.experiments.cell import Cell, DatasetRef, Network
from robustnets.experiments.runner import Settings, run
from robustnets.layers import FilterSpec
from robustnets.training import EarlyStop, FixedEpochs, StableWeights, Training
from robustnets.training import fit

root, kind, count, when = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
fit.fit.__kwdefaults__["checkpoint_seconds"] = 0.0
replace = os.replace


def counted(source, target):
    global count
    name = os.path.basename(target)
    final = name.endswith(".npz") and not name.startswith(".writing-")
    hit = final and f"{os.sep}{kind}{os.sep}" in str(target)
    count -= hit
    if final:
        print("file", os.path.relpath(target, root).split(os.sep)[0], flush=True)
    if hit and count == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
    if hit and count == 0:
        os.kill(os.getpid(), signal.SIGKILL)


os.replace = counted
rules = (FixedEpochs(9), EarlyStop(2), StableWeights(3, 0.03))
training = Training(rules, batch_size=40, max_epochs=9, reduce_lr_patience=3)
network = Network(DatasetRef("digits", 200, 60), "fc_100_100_10", training, rules[0], 0)
further = Training((FixedEpochs(4),), batch_size=40, max_epochs=4)
attack = FGSM(ThreatModel("linf", 0.1))


def cell(knowledge, defense=None, rule=rules[0]):
    from dataclasses import replace

    victim = replace(network, defense=defense, rule=rule)
    return Cell(victim, attack, (0.05, 0.1), knowledge=knowledge, pictured=2)


pca = FilterSpec("pca", 7)
cells = [
    *(cell("white-box", rule=rule) for rule in rules),
    cell("gray-box", InFront(pca)),
    cell("gray-box", InFront(pca, further)),
    cell("white-box", InFront(pca, further)),
]
for record in run(cells, Settings(root, threads=1)):
    print("Record", record.fingerprint)
"""


def carry_out(store: Path, kind: str = "never", count: int = 1, when: str = "after"):
    """Run the script to its end or its kill."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(store), kind, str(count), when],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )


def finished(store: Path) -> dict[Path, int]:
    """Everything that will not be written again, and when it was written."""
    return {
        path: path.stat().st_mtime_ns
        for kind in ("filters", "networks", "records")
        for path in (store / kind).rglob("*")
        if path.is_file() and not path.name.startswith(".writing-")
    }


def said(process, word: str) -> list[str]:
    """What the script printed behind a word."""
    return [line.split()[1] for line in process.stdout.splitlines() if line.startswith(word)]


def names(store: Path, kind: str, suffix: str) -> list[Path]:
    return [p for p in (store / kind).rglob(f"*{suffix}") if not p.name.startswith(".")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Fingerprints and the store of a run that nobody killed."""
    store = tmp_path_factory.mktemp("undisturbed")
    done = carry_out(store)
    assert done.returncode == 0, done.stderr
    fingerprints = said(done, "Record")
    assert len(fingerprints) == len(set(fingerprints)) == 6
    return fingerprints, store


@pytest.mark.slow
def test_killed_twice(undisturbed, tmp_path):
    fingerprints, whole = undisturbed

    # in the middle of the base trajectory, while a checkpoint is being put in its place
    killed = carry_out(tmp_path, "checkpoints", 6, "before")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert said(killed, "file").count("checkpoints") == 6
    assert not names(tmp_path, "networks", ".keras")
    assert len(names(tmp_path, "checkpoints", ".npz")) == 1
    first = finished(tmp_path)
    assert len(first) == 1  # the filter

    # while the third Record is being put in its place
    killed = carry_out(tmp_path, "records", 3, "before")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # five checkpoints of nine epochs were there: four epochs were left, then the retraining's
    assert said(killed, "file") == [
        *["checkpoints"] * 4,
        *["networks"] * 3,
        *["checkpoints"] * 4,
        "networks",
        *["records"] * 3,  # the third was not put in its place
    ]
    assert len(names(tmp_path, "records", ".npz")) == 2
    second = finished(tmp_path)
    assert first.items() <= second.items()

    done = carry_out(tmp_path)
    assert done.returncode == 0, done.stderr
    assert said(done, "Record") == fingerprints
    assert second.items() <= finished(tmp_path).items()  # nothing was computed again

    def kept(store):
        return {
            p.relative_to(store): Record.load(p).fingerprint for p in names(store, "records", "z")
        }

    assert kept(tmp_path) == kept(whole)
