"""Pieces of work spread over processes and clusters."""

import importlib.util
import os
import subprocess
import sys
import types

import pytest

from robustnets.experiments.workers import ADDRESS, check_workers, connected, spread


def doubled(item, show):
    show(("seen", item))
    return 2 * item


def failing(item, show):
    raise KeyError(item)


def test_in_this_process():
    said = []
    assert list(spread(doubled, [3, 1, 2], progress=said.append)) == [6, 2, 4]
    assert said == [("seen", 3), ("seen", 1), ("seen", 2)]
    assert list(spread(doubled, [], jobs=4)) == []
    assert list(spread(doubled, [5], jobs=4)) == [10]
    with pytest.raises(KeyError, match="7"):
        list(spread(failing, [7]))


@pytest.mark.parametrize(
    ("jobs", "workers", "message"),
    [
        (0, None, "jobs must be >= 1, got 0"),
        (True, None, "jobs must be >= 1, got True"),
        (2, "slurm", "workers must be one of dask, ray, got 'slurm'"),
    ],
)
def test_what_is_refused(jobs, workers, message):
    with pytest.raises(ValueError, match=message):
        spread(doubled, [1, 2], jobs=jobs, workers=workers)


@pytest.mark.parametrize(("workers", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_library_names_its_extra(monkeypatch, workers, module):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else found(name)
    )
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'robustnets\[{workers}\]'"):
        check_workers(1, workers)


def test_a_running_cluster_has_a_size_of_its_own(monkeypatch):
    monkeypatch.setenv(ADDRESS["dask"], "tcp://scheduler:8786")
    with pytest.raises(ValueError, match=r"got 4 beside DASK_SCHEDULER_ADDRESS=tcp://sched"):
        check_workers(4, "dask")
    check_workers(1, "dask")


def test_workers_of_several_threads_are_refused():
    distributed = pytest.importorskip("distributed")
    local = {"processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=3, **local) as cluster,
        distributed.Client(cluster),
        pytest.raises(ValueError, match="has 3: start them with --nthreads 1 --nworkers 3"),
        connected("dask"),
    ):
        pass


def test_a_ray_that_does_not_start_is_said(monkeypatch):
    """It raises a bare Exception then, which no command would take for a problem of its own."""

    def init(**settings):
        raise Exception("the node timed out")

    ray = types.SimpleNamespace(is_initialized=lambda: False, init=init, __spec__=1)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(RuntimeError, match="ray does not start or answer: the node"):  # noqa: SIM117
        with connected("ray"):
            pass


# Two networks on digits, attacked, one of them behind a filter too; one thread each
ON_A_CLUSTER = """
import sys
sys.path.insert(0, sys.argv[1])
from robustnets.experiments.quiet import quiet_backend
quiet_backend(1)
from dataclasses import replace
from robustnets.experiments import runner
from robustnets.experiments.workers import connected
from test_runner import cells

bare, gray = [cell for cell in cells() if cell.knowledge != "none"][:2]
other = replace(bare, network=replace(bare.network, seed=1))
bad = [replace(cell, engine="none such") for cell in (bare, other)]
for workers, jobs in (("dask", 2), (None, 1)):
    events = []
    settings = runner.Settings(f"{sys.argv[2]}/{workers}", threads=1)
    with connected(workers, jobs):
        for record in runner.run([bare, gray, other], settings, jobs, events.append, workers):
            print(workers, record.fingerprint)
        try:
            runner.run(bad, settings, jobs, workers=workers)
        except ValueError as problem:
            print(workers, "refused", problem)
    assert [event[1:3] for event in events if event[0] == "all"] == [(i, 5) for i in range(6)]
"""


@pytest.mark.slow
def test_a_cluster_gives_the_same_records(tmp_path):
    pytest.importorskip("distributed")
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        [sys.executable, "-c", ON_A_CLUSTER, here, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    dask, one = ([line[1] for line in lines if line[0] == kind] for kind in ("dask", "None"))
    assert len(set(one)) == 4
    assert one[-1].startswith("refused engine must be one of")
    assert dask == one
