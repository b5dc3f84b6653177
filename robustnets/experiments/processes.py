"""Worker processes of this machine, which end with the one that started them.

Each worker reads tasks from its standard input, one pickle after the other, and writes what comes
of them to its standard output. The end of its input is the end of the process that holds the other
end, however that came about: a worker that is at work then ends at once. So nothing is left running
after a kill, and there is no lock, queue or server beside the workers that could be left behind.
"""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# Bytes held by a worker after which another takes its place for the next task. TensorFlow never
# frees what XLA compiled, 8 to 15 MiB for each dense network that is trained or attacked.
MOST = 4 * 2**30


def in_processes(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    jobs: int,
    show: Callable[[Any], None],
) -> Iterator[Any]:
    """Call a function for each of several tasks, in worker processes.

    Args:
        function: of a module; called as function(*task, show), where show hands anything that can
            be pickled on to this process.
        tasks: arguments that can be pickled.
        jobs: worker processes at most; no more than there are tasks are started.
        show: called with what the function shows, in the thread that waits for what is yielded.

    Yields:
        What the function returns, in the order in which tasks are finished.

    Warns:
        UserWarning: whatever the function warns of.

    Raises:
        Exception: whatever the function raises; the other workers are ended then.
        RuntimeError: for a worker that ended in the middle of a task.
    """
    waiting = list(reversed(tasks))
    events: queue.SimpleQueue[tuple[_Worker, str, Any]] = queue.SimpleQueue()
    workers: list[_Worker] = []
    left = len(tasks)
    try:
        for _ in range(min(jobs, len(tasks))):
            workers.append(_Worker(events))
            workers[-1].give(function, waiting.pop())
        while left:
            worker, kind, what = events.get()
            if kind == "shown":
                show(what)
            elif kind == "warned":
                warnings.warn(what, stacklevel=2)
            elif kind == "failed":
                problem, where = what
                raise problem from _InWorker(where)
            elif kind == "ended":
                if worker.dismissed:
                    continue
                raise RuntimeError(
                    f"a worker process {what} in the middle of its work; what was finished is "
                    "kept. Where memory ran out, take fewer workers with -j"
                )
            else:
                left -= 1
                what, used = what
                if waiting and used > MOST:
                    worker.dismiss()
                    worker = _Worker(events)
                    workers.append(worker)
                if waiting:
                    worker.give(function, waiting.pop())
                else:
                    worker.dismiss()
                yield what
    finally:
        for worker in workers:
            worker.end()


class _InWorker(Exception):
    """The traceback of a worker process, as text."""


class _Worker:
    """One process, and the thread that reads what it says."""

    def __init__(self, events: "queue.SimpleQueue[Any]"):
        self._events = events
        self.dismissed = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
            start_new_session=True,  # Ctrl-C is for the process that started this one
        )
        threading.Thread(target=self._read, daemon=True).start()

    def give(self, function: Callable[..., Any], task: tuple[Any, ...]) -> None:
        """Hand a task to the worker, which has none."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, and the reader says so
            _send(self._process.stdin, (sys.path, pickle.dumps((function, task))))

    def dismiss(self) -> None:
        """Tell the worker that there is nothing left to do; it ends at once."""
        self.dismissed = True
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]

    def end(self) -> None:
        """End the worker, whatever it does: what it writes is whole or not there."""
        self.dismiss()
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        with self._process.stdout as said:  # type: ignore[union-attr]
            while True:
                try:
                    kind, what = pickle.load(said)
                except (EOFError, OSError, pickle.UnpicklingError):
                    self._events.put((self, "ended", _how(self._process.wait())))
                    return
                except Exception as problem:  # of a class that this process cannot make
                    self._events.put((self, "failed", (problem, "")))
                    return
                self._events.put((self, kind, what))


def _how(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _send(file: Any, what: Any) -> None:
    whole = pickle.dumps(what)  # what cannot be pickled leaves nothing half written
    file.write(whole)
    file.flush()


def serve() -> None:
    """Be a worker: carry tasks out until the standard input ends."""
    tasks = os.fdopen(os.dup(0), "rb")
    said = os.fdopen(os.dup(1), "wb")
    # what libraries read and print must not get in between
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    lock = threading.Lock()  # what is carried out may have threads of its own

    def say(kind: str, what: Any) -> None:
        with lock:
            _send(said, (kind, what))

    def warn(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, UserWarning):
            say("warned", str(message))

    warnings.showwarning = warn
    given: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(tasks, given), daemon=True).start()
    while True:
        sys.path[:], work = given.get()
        try:
            function, task = pickle.loads(work)
            result = function(*task, lambda event: say("shown", event))
            say("done", (result, memory_used()))
        except (Exception, SystemExit) as problem:
            say("failed", (_portable(problem), traceback.format_exc()))


def memory_used() -> int:
    """Bytes of memory that this process holds now; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _receive(tasks: Any, given: "queue.SimpleQueue[Any]") -> None:
    """Hand on what comes; at its end there is nobody left to work for."""
    with contextlib.suppress(Exception):
        while True:
            given.put(pickle.load(tasks))
    os._exit(0)


def _portable(problem: BaseException) -> Exception:
    """The same error, or one that says the same where it cannot be pickled."""
    if isinstance(problem, SystemExit):
        return RuntimeError(f"sys.exit({problem.code!r}) was called in a worker process")
    try:
        return pickle.loads(pickle.dumps(problem))
    except Exception:  # whatever an error's own constructor raises
        return RuntimeError(f"{type(problem).__name__}: {problem}")
