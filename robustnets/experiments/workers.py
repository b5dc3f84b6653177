"""Independent pieces of work, spread over processes of this machine or over a cluster."""

import contextlib
import importlib.util
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from robustnets.experiments.processes import in_processes
from robustnets.experiments.quiet import backend_name, quiet_backend

WORKERS = ("dask", "ray")
# The module that a backend needs, and where its libraries look for a cluster's address
_NEEDS = {"dask": "distributed", "ray": "ray"}
ADDRESS = {"dask": "DASK_SCHEDULER_ADDRESS", "ray": "RAY_ADDRESS"}

Show = Callable[[Any], None]


def check_workers(jobs: int, workers: str | None) -> None:
    """Refuse what `spread` would refuse, before any work is done.

    Raises:
        ValueError: for jobs < 1; for unknown workers; for jobs beside a running cluster.
        ModuleNotFoundError: if the workers' library is missing, naming the extra that has it.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs must be >= 1, got {jobs!r}")
    if workers is None:
        return
    if workers not in WORKERS:
        raise ValueError(f"workers must be one of {', '.join(WORKERS)}, got {workers!r}")
    if importlib.util.find_spec(_NEEDS[workers]) is None:
        raise ModuleNotFoundError(
            f"workers on {workers} need the extra of that name: pip install 'robustnets[{workers}]'"
        )
    address = os.environ.get(ADDRESS[workers])
    if address and jobs > 1:
        raise ValueError(
            f"jobs is the size of a cluster on this machine, got {jobs} beside "
            f"{ADDRESS[workers]}={address}, whose size is its own; leave one of them out"
        )


def spread(
    function: Callable[[Any, Show], Any],
    items: Sequence[Any],
    *,
    jobs: int = 1,
    workers: str | None = None,
    threads: int = 0,
    progress: Show | None = None,
) -> Iterator[Any]:
    """Apply a function to items, side by side.

    Args:
        function: of a module, so that other processes find it; called as (item, show), where
            show hands anything that can be pickled on to `progress`.
        items: what can be pickled. On a cluster of several machines, paths in them must mean
            the same on all of these.
        jobs: worker processes on this machine; 1 without `workers` works in this process.
        workers: "dask" or "ray" takes the cluster whose address stands in
            `DASK_SCHEDULER_ADDRESS` or `RAY_ADDRESS`, or the one that this process is connected
            to; where there is neither, one of `jobs` processes is started and ended.
        threads: TensorFlow threads in each worker process; 0 leaves them alone.
        progress: called with what functions show, in this process. What is shown on a cluster
            stays there.

    Yields:
        What the function returns, in the order in which items are finished.

    Raises:
        ValueError, ModuleNotFoundError: as for `check_workers`.
        Exception: whatever the function raises; items that are not begun are dropped.

    Example:
        >>> sorted(spread(lambda item, show: item**2, [3, 1, 2]))
        [1, 4, 9]
    """
    check_workers(jobs, workers)
    show = progress or (lambda event: None)
    if workers is not None:
        return _on_cluster(function, items, workers, jobs, threads)
    if jobs == 1 or len(items) < 2:
        return (function(item, show) for item in items)
    return in_processes(_work, _tasks(function, items, threads), jobs, show)


def _on_cluster(function, items, workers: str, jobs: int, threads: int) -> Iterator[Any]:
    with connected(workers, jobs):
        yield from {"dask": _on_dask, "ray": _on_ray}[workers](function, items, threads)


def _tasks(function, items, threads: int) -> list[tuple[str, int, bytes]]:
    # pickled here, so that no worker imports Keras before its backend is set
    return [(backend_name(), threads, pickle.dumps((function, item))) for item in items]


def _work(backend: str, threads: int, task: bytes, show: Show = lambda event: None) -> Any:
    """Carry one item out in a worker process."""
    os.environ.setdefault("KERAS_BACKEND", backend)
    quiet_backend(threads)
    if backend_name() != backend:
        raise RuntimeError(
            f"a worker runs Keras on {backend_name()!r} and this process on {backend!r}; start "
            f"the workers with KERAS_BACKEND={backend}"
        )
    function, item = pickle.loads(task)
    return function(item, show)


@contextlib.contextmanager
def connected(workers: str | None, jobs: int = 1) -> Iterator[None]:
    """Be connected to a cluster, for several calls of `spread`.

    The one that this process is connected to stays as it is; else one that an address names
    is connected to; else one of `jobs` processes on this machine is started, and ended.

    Args:
        workers: as for `spread`; None does nothing.
        jobs: as for `spread`.

    Raises:
        ValueError, ModuleNotFoundError: as for `check_workers`; for dask workers of several
            threads.
        OSError: if no dask cluster answers at the address.
        RuntimeError: if ray does not start, or does not answer there.
    """
    check_workers(jobs, workers)
    with contextlib.ExitStack() as stack:
        if workers == "dask":
            _connect_dask(jobs, stack)
        if workers == "ray":
            _connect_ray(jobs, stack)
        yield


def width(workers: str | None, jobs: int) -> int:
    """How many pieces of work go side by side; call it within `connected`."""
    if workers == "dask":
        import distributed

        return max(1, sum(distributed.Client.current().nthreads().values()))
    if workers == "ray":
        import ray

        return max(1, int(ray.cluster_resources().get("CPU", 1)))
    return jobs


def _connect_dask(jobs: int, stack: contextlib.ExitStack) -> None:
    import distributed

    try:
        client = distributed.Client.current()
    except ValueError:  # there is none
        cluster: Any = os.environ.get(ADDRESS["dask"])
        if not cluster:
            # without a limit of its own, which would kill workers where processes would not
            size = {"n_workers": jobs, "threads_per_worker": 1, "memory_limit": 0}
            local = distributed.LocalCluster(**size, dashboard_address=None)
            cluster = stack.enter_context(local)
        client = stack.enter_context(distributed.Client(cluster))
    wide = {name: n for name, n in client.nthreads().items() if n > 1}
    if wide:
        name, n = next(iter(wide.items()))
        raise ValueError(
            "dask workers must have one thread each, because Keras does one thing at a time in a "
            f"process; {name} has {n}: start them with --nthreads 1 --nworkers {n}"
        )


def _connect_ray(jobs: int, stack: contextlib.ExitStack) -> None:
    import ray

    if not ray.is_initialized():
        there = os.environ.get(ADDRESS["ray"])
        here = {} if there else {"num_cpus": jobs, "include_dashboard": False}
        try:
            ray.init(log_to_driver=False, **here)
        except Exception as problem:  # ray raises no kind of its own where it cannot start
            raise RuntimeError(f"ray does not start or answer: {problem}") from problem
        stack.callback(ray.shutdown)


def _on_dask(function, items, threads: int) -> Iterator[Any]:
    import distributed

    client = distributed.Client.current()
    tasks = _tasks(function, items, threads)
    waiting = [client.submit(_work, *task, pure=False) for task in tasks]
    try:
        for done in distributed.as_completed(waiting):
            yield done.result()
    finally:
        client.cancel(waiting)


def _on_ray(function, items, threads: int) -> Iterator[Any]:
    import ray

    work = ray.remote(_work)
    waiting = [work.remote(*task) for task in _tasks(function, items, threads)]
    try:
        while waiting:
            (done,), waiting = ray.wait(waiting)
            yield ray.get(done)
    except ray.exceptions.RayTaskError as problem:
        raise problem.cause from problem
    finally:
        for task in waiting:
            ray.cancel(task)
