"""Records beside their pages: written, read back, and none left over."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from robustnets.core.record import Record
from robustnets.experiments.publish import publish, published

RUN = {"command": "robustnets run x", "scale": "demo", "seconds": 1.5, "jobs": 2}


def record(seed):
    rng = np.random.default_rng(seed)
    return Record(
        cell={"network": {"seed": seed}},
        label=rng.integers(0, 4, 7),
        clean=rng.integers(0, 4, 7),
        epsilons=np.array([0.1, 0.2]),
        adversarial=rng.integers(0, 4, (2, 7)),
        arrays={"l2": rng.uniform(size=(2, 7)).astype(np.float32)},
        about={"seed": seed},
    )


def test_round_trip(tmp_path):
    folder = tmp_path / "chapter"
    publish([record(0), record(1), record(2)], RUN, folder)
    records, run = published(folder)
    assert run == RUN
    by_seed = {r.cell["network"]["seed"]: r for r in records}
    assert sorted(by_seed) == [0, 1, 2]
    for seed, found in by_seed.items():
        assert found.fingerprint == record(seed).slim().fingerprint
        assert dict(found.arrays) == {}
    assert json.loads((folder / "run.json").read_text()) == RUN


def test_records_of_an_earlier_run_are_removed(tmp_path):
    publish([record(0), record(1)], RUN, tmp_path)
    before = {p.name: p.read_bytes() for p in (tmp_path / "records").iterdir()}
    publish([record(1), record(5)], {**RUN, "scale": "full"}, tmp_path)
    records, run = published(tmp_path)
    assert sorted(r.cell["network"]["seed"] for r in records) == [1, 5]
    assert run["scale"] == "full"
    kept = [p for p in (tmp_path / "records").iterdir() if p.name in before]
    assert len(kept) == 1
    assert kept[0].read_bytes() == before[kept[0].name]


def test_publishing_again_changes_no_byte(tmp_path):
    publish([record(0), record(1)], RUN, tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    publish([record(1), record(0)], RUN, tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_without_records(tmp_path):
    folder = tmp_path / "stopping"
    with pytest.raises(FileNotFoundError) as refused:
        published(folder)
    assert str(refused.value) == (
        f"there are no Records in {folder}; run `robustnets run stopping --out {tmp_path}` first"
    )


def test_half_written_files_are_not_records(tmp_path):
    """Another run may be writing one; what a run left that was killed goes after a day."""
    publish([record(0)], RUN, tmp_path)
    flying = tmp_path / "records" / ".writing-abc.npz"
    flying.write_bytes(b"PK half")
    records, _ = published(tmp_path)
    assert [r.cell["network"]["seed"] for r in records] == [0]
    publish([record(1)], RUN, tmp_path)
    assert flying.read_bytes() == b"PK half"
    assert len(published(tmp_path)[0]) == 1
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(flying, (two_days_ago, two_days_ago))
    publish([record(1)], RUN, tmp_path)
    assert len(list((tmp_path / "records").iterdir())) == 1


PUBLISHING = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_publish import RUN, record
from robustnets.experiments.publish import publish, published
for i in range(40):
    publish([record(10 * int(sys.argv[3]) + j) for j in range(4)], RUN, Path(sys.argv[2]))
    found, _ = published(Path(sys.argv[2]))
    seeds = {r.cell["network"]["seed"] // 10 for r in found}
    assert len(found) == 4 and len(seeds) == 1, seeds
"""


def test_two_runs_into_one_folder(tmp_path):
    """Whoever reads finds the Records of one of them, whole."""
    here = os.path.dirname(os.path.abspath(__file__))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISHING, here, str(tmp_path), str(number)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2)
    ]
    for one in both:
        _, said = one.communicate()
        assert one.returncode == 0, said
