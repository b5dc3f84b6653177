"""Carry Cells out: everything once, in parallel, and nothing finished is done again.

Work goes in five rounds, each needing only the ones before: filters, undefended
trajectories, teachers of defended networks, defended networks that train, measurements.
"""

import contextlib
import functools
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robustnets import __version__
from robustnets.core.dataset import Dataset
from robustnets.core.record import Record
from robustnets.core.seeds import derive
from robustnets.core.spec import to_dict
from robustnets.core.store import Store
from robustnets.experiments.cell import Cell, DatasetRef, Network, describe, describe_cell
from robustnets.experiments.quiet import backend_name
from robustnets.experiments.workers import check_workers, connected, spread

Event = tuple[str, int, int, str]

__all__ = ["Event", "Planned", "Settings", "backend_name", "describe_cell", "plan", "run"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A Cell, the key of its Record, and whether the Record is there already."""

    cell: Cell
    key: str
    stored: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a run reads and writes; the same in every worker process.

    Args:
        store: folder of the store.
        data_dir: folder of the data sets, or None for the default search.
        tensorboard: folder for TensorBoard logs, or None.
        threads: TensorFlow threads per worker process; 0 leaves them alone.
        devices: that each training is spread over, as for `training.fit`.
    """

    store: str
    data_dir: str | None = None
    tensorboard: str | None = None
    threads: int = 0
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work: networks to train, filters to fit or Cells of one network."""

    label: str
    dataset: DatasetRef
    filters: tuple[tuple[Any, int], ...] = ()
    networks: tuple[Network, ...] = ()
    cells: tuple[Planned, ...] = ()


@functools.lru_cache(maxsize=4)
def load_dataset(ref: DatasetRef, data_dir: str | None) -> Dataset:
    """The examples that a reference names, loaded once per process."""
    from robustnets import data

    return data.load(ref.name, data_dir).take(ref.n_train, ref.n_test)


@functools.lru_cache(maxsize=4)
def _fingerprint(ref: DatasetRef, data_dir: str | None) -> str:
    return load_dataset(ref, data_dir).fingerprint


def plan(cells: Sequence[Cell], settings: Settings) -> list[Planned]:
    """Say of each distinct Cell whether its Record is stored."""
    store = Store(settings.store)
    planned = []
    for cell in dict.fromkeys(cells):
        fingerprint = _fingerprint(cell.network.dataset, settings.data_dir)
        key = cell.key(fingerprint, backend_name())
        planned.append(Planned(cell, key, store.has("records", key, ".npz")))
    return planned


def run(
    cells: Sequence[Cell],
    settings: Settings,
    jobs: int = 1,
    show: Callable[[Event], None] | None = None,
    workers: str | None = None,
) -> list[Record]:
    """Carry out whatever is not stored, and return all Records in the order of the Cells.

    Args:
        cells: what to measure; the same Cell twice is measured once.
        settings: where to read and write.
        jobs: worker processes; 1 works in this one.
        show: called with (label, done, total, text) as work goes on; a label's last
            event has done == total. From a cluster come only those of "all".
        workers: "dask" or "ray" carries them out on a cluster, as `spread` does; the folders
            of `settings` must then be seen by all its machines.

    Raises:
        ValueError, ModuleNotFoundError: as for `workers.check_workers`.
        Exception: whatever a Cell raises; Records finished before it are kept.
    """
    check_workers(jobs, workers)
    if workers is not None:
        # a worker's working directory is its own
        data_dir = settings.data_dir and str(Path(settings.data_dir).absolute())
        settings = replace(settings, store=str(Path(settings.store).absolute()), data_dir=data_dir)
    planned = plan(cells, settings)
    show = show or (lambda event: None)
    rounds = [tasks for tasks in _rounds([p for p in planned if not p.stored]) if tasks]
    total = sum(map(len, rounds))
    done = 0
    show(("all", 0, total, ""))
    with connected(workers, jobs) if rounds else contextlib.nullcontext():
        for tasks in rounds:
            items = [(task, settings) for task in tasks]
            for _ in spread(
                _work, items, jobs=jobs, workers=workers, threads=settings.threads, progress=show
            ):
                done += 1
                show(("all", done, total, ""))
    store = Store(settings.store)
    records = {p.cell: Record.load(store.path("records", p.key, ".npz")) for p in planned}
    return [records[cell] for cell in cells]


def _rounds(missing: Sequence[Planned]):
    """Yield lists of tasks that may run side by side."""
    networks = list(dict.fromkeys(p.cell.network for p in missing))
    defended = [n for n in networks if n.defense is not None]
    filters = dict.fromkeys(
        (n.dataset, n.defense.filter, n.seed if n.defense.filter.method == "random" else 0)
        for n in defended
        if n.defense.filter is not None
    )
    yield [
        Task(f"filter {spec.method} {spec.n_components}", dataset, filters=((spec, seed),))
        for dataset, spec, seed in filters
    ]
    bases = dict.fromkeys(replace(n, defense=None) for n in networks)
    # stops of one trajectory are trained together: name the trajectory by its first rule
    trajectories = dict.fromkeys(replace(n, rule=n.training.rules[0]) for n in bases)
    yield [Task(describe(n), n.dataset, networks=(n,)) for n in trajectories]
    teachers = dict.fromkeys(teacher for n in defended if (teacher := _teacher(n)) is not None)
    yield [Task(describe(n), n.dataset, networks=(n,)) for n in teachers]
    yield [
        Task(describe(n), n.dataset, networks=(n,))
        for n in defended
        if n.defense.trains and n not in teachers
    ]
    by_seed: dict[tuple[DatasetRef, int], list[Planned]] = {}
    for p in missing:
        by_seed.setdefault((p.cell.network.dataset, p.cell.network.seed), []).append(p)
    yield [
        Task(f"measure {len(group)} Cells, seed {seed}", dataset, cells=tuple(group))
        for (dataset, seed), group in by_seed.items()
    ]


def _teacher(network: Network) -> Network | None:
    """The network that a defended one learns from, if that is defended, too."""
    from robustnets.defenses import Taught

    if not isinstance(network.defense, Taught) or network.defense.teacher is None:
        return None
    return replace(network, defense=network.defense.teacher)


def _work(item: tuple[Task, Settings], show: Callable[[Event], None]) -> None:
    """Carry one task out in this process; `spread` calls it."""
    from robustnets.experiments.kept import Kept
    from robustnets.experiments.networks import Workshop

    task, settings = item
    last = 0.0

    def report(what: str, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        nonlocal last
        if time.monotonic() - last > 0.2:
            last = time.monotonic()
            text = f"val. accuracy {logs['val_accuracy']:.4f}"
            if np.isfinite(logs.get("weights_max_std", np.nan)):
                text += f", weights max std {logs['weights_max_std']:.3g}"
            show((task.label, epoch, epochs + 1, text))

    dataset = load_dataset(task.dataset, settings.data_dir)
    board = Path(settings.tensorboard) if settings.tensorboard else None
    workshop = Workshop(dataset, Store(settings.store), report, board, settings.devices)
    kept = Kept()
    show((task.label, 0, 1, ""))
    for spec, seed in task.filters:
        workshop.fitted_filter(spec, seed)
    for network in task.networks:
        workshop.network(network)
    for i, planned in enumerate(task.cells):
        show((task.label, i, len(task.cells) + 1, ""))
        _measure(planned, workshop, kept)
    show((task.label, 1, 1, "done"))


def targets(cell: Cell, label: np.ndarray, classes: int) -> np.ndarray | None:
    """The classes that a Cell's attack is to reach, or None where it has no target.

    Args:
        cell: with its target.
        label: int (N,), true labels. Example i gets the same target whatever follows it.
        classes: how many there are.

    Returns:
        int64 (N,); drawn ones are wrong for their example, a class for all may be its own.

    Raises:
        ValueError: for a class that is not among them.
    """
    if cell.target is None:
        return None
    if cell.target == "random":
        draw = np.random.default_rng(derive(cell.network.seed, "target"))
        return (label + draw.integers(1, classes, len(label))) % classes
    if int(cell.target) >= classes:
        raise ValueError(f"target must be one of {classes} classes, got {cell.target}")
    return np.full(len(label), int(cell.target), np.int64)


def _measure(planned: Planned, workshop, kept) -> None:
    from robustnets import backend, engines
    from robustnets.evaluation import measure
    from robustnets.experiments.networks import apply_layer
    from robustnets.models import InFloat64

    cell = planned.cell
    test = workshop.dataset.take(None, cell.examples).test
    trained = workshop.network(cell.network)
    target = source = trained.classifier
    if cell.knowledge == "gray-box":
        source = workshop.network(replace(cell.network, defense=None)).classifier
    adversarial: Any = ()
    aims = targets(cell, test.y, len(workshop.dataset.class_names))

    def craft() -> Any:
        return engines.sweep(
            cell.attack,
            source if cell.view is None else cell.view.of(source),
            test.x,
            test.y if aims is None else aims,
            cell.epsilons,
            engine=cell.engine,
            seed=cell.network.seed,
        )

    def craft_in_float64() -> Any:
        with backend.double_precision():
            return list(craft())

    if cell.attack is not None:
        exact = isinstance(cell.view, InFloat64)
        size = test.x.nbytes * len(cell.epsilons)
        adversarial = kept.get(cell, size, craft_in_float64 if exact else craft)
    record = measure(
        to_dict(cell),
        target,
        test.x,
        test.y,
        adversarial,
        curves=trained.curves,
        pictured=cell.pictured,
        target=aims,
        probabilities=cell.probabilities,
        seed=cell.network.seed,
        about={
            **trained.about,
            "robustnets": __version__,
            "python": platform.python_version(),
            **backend.describe(),
            "data": workshop.fingerprint,
        },
    )
    if cell.attack is not None and cell.attack.minimal:
        # ran once: the seconds of each radius are those of all
        seconds = record.about["attack_seconds"] / len(cell.epsilons)
        record = replace(record, about={**record.about, "attack_seconds": seconds})
    if cell.pictured and (layer := workshop.front(cell.network)) is not None:
        filtered = np.clip(apply_layer(layer, test.x[: cell.pictured]), 0, 1)
        record = replace(record, pictures={**record.pictures, "filtered": filtered})
    record.save(workshop.store.path("records", planned.key, ".npz"))
