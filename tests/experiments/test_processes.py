"""Worker processes: what they say comes back, and none outlives the one that started it."""

import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

from robustnets.experiments import processes
from robustnets.experiments.processes import in_processes


def squared(number, show):
    show(("seen", number))
    print("libraries print", number)
    return number**2


def named(number, show):
    time.sleep(0.02 * number)
    return number, os.getpid()


class TwoWords(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def misbehaving(how, show):
    if how == "raises":
        raise KeyError("lost")
    if how == "unpicklable error":
        raise TwoWords("one", "two")
    if how == "unpicklable result":
        return lambda: None
    if how == "exits":
        sys.exit(0)
    if how == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "warns":
        warnings.warn("look here", stacklevel=2)
        warnings.warn("old", DeprecationWarning, stacklevel=2)
    return how


def nothing(event):
    raise AssertionError(event)


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_results_and_what_is_shown(capfd):
    said = []
    tasks = [(3,), (1,), (2,), (5,)]
    assert sorted(in_processes(squared, tasks, 2, said.append)) == [1, 4, 9, 25]
    assert sorted(said) == [("seen", 1), ("seen", 2), ("seen", 3), ("seen", 5)]
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("libraries print") == 4


def test_as_many_processes_as_there_are_jobs():
    found = list(in_processes(named, [(n,) for n in range(6)], 2, nothing))
    assert sorted(number for number, _ in found) == list(range(6))
    pids = {pid for _, pid in found}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert not any(map(running, pids))


def test_a_worker_that_holds_much_memory_is_replaced(monkeypatch):
    """Compiled programs are never freed: a long run would fill the memory otherwise."""
    monkeypatch.setattr(processes, "MOST", 1)
    found = list(in_processes(named, [(n,) for n in range(5)], 2, nothing))
    assert sorted(number for number, _ in found) == list(range(5))
    assert len({pid for _, pid in found}) == 5
    assert 2**20 < processes.memory_used() < 2**40


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("raises", KeyError, "lost"),
        ("unpicklable error", RuntimeError, "TwoWords: one and two"),
        ("unpicklable result", Exception, "pickle"),
        ("exits", RuntimeError, r"sys.exit\(0\) was called in a worker"),
        ("dies", RuntimeError, "a worker process was ended by SIGKILL in the middle"),
    ],
)
def test_what_goes_wrong(how, error, message):
    with pytest.raises(error, match=message):
        list(in_processes(misbehaving, [("fine",), (how,), ("fine",)], 2, nothing))


def test_warnings_are_warned_of_here():
    with pytest.warns(UserWarning, match="look here") as said:
        assert list(in_processes(misbehaving, [("warns",), ("fine",)], 2, nothing))
    assert len(said) == 1


def test_an_error_says_where_it_came_from():
    with pytest.raises(KeyError) as failed:
        list(in_processes(misbehaving, [("raises",)], 1, nothing))
    assert 'raise KeyError("lost")' in str(failed.value.__cause__)


def test_workers_end_when_nobody_wants_more():
    found = in_processes(named, [(n,) for n in range(0, 2000, 1000)], 2, nothing)
    _, pid = next(found)
    found.close()  # the other is asleep for 20 seconds
    assert not running(pid)


# Two workers that would sleep for a minute, holding Python's lock for most of it
BUSY = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
sys.path.insert(0, sys.argv[1])
from robustnets.experiments.processes import in_processes
import test_processes
for _ in in_processes(test_processes.busy, [(1,), (2,)], 2, lambda pid: print(pid, flush=True)):
    pass
"""


def busy(number, show):
    show(os.getpid())
    end = time.time() + 60
    while time.time() < end:
        sum(range(10**5))


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_worker_outlives_the_process_that_started_it(how):
    here = os.path.dirname(os.path.abspath(__file__))
    run = subprocess.Popen(
        [sys.executable, "-c", BUSY, here],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pids = [int(run.stdout.readline()) for _ in range(2)]
    assert all(map(running, pids))
    before = children_of(run.pid)
    assert sorted(before) == sorted(pids)  # and nothing beside the workers
    run.send_signal(how)
    run.communicate(timeout=20)
    end = time.time() + 10
    while any(map(running, pids)) and time.time() < end:
        time.sleep(0.05)
    assert not any(map(running, pids))


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]
