"""What the chapter `stopping` measures."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scale:
    """The chapter's numbers at one scale; `full` is the thesis' own."""

    dataset: str
    seeds: int
    long: int
    short: int
    patience: int
    plateau: int
    thresholds: tuple[float, ...]
    batch_size: int
    max_epochs: int


SCALES = {
    "demo": Scale("digits", 3, 400, 200, 24, 12, (0.5, 0.05, 0.02), 25, 600),
    "quick": Scale("mnist", 3, 100, 50, 6, 3, (0.5, 0.05, 0.02), 500, 200),
    "full": Scale("mnist", 10, 1000, 500, 60, 30, (0.5, 0.05, 0.02, 0.01), 500, 1500),
}


def trajectories(scale: str):
    """The two trajectories of the chapter: without and with learning-rate reduction."""
    from robustnets.training import EarlyStop, FixedEpochs, Rule, StableWeights, Training

    s = SCALES[scale]
    heuristics: tuple[Rule, ...] = (
        EarlyStop(s.patience),
        *(StableWeights(s.patience, max_std) for max_std in s.thresholds),
    )
    shared: dict[str, Any] = {"batch_size": s.batch_size, "max_epochs": s.max_epochs}
    plain = Training((FixedEpochs(s.short), FixedEpochs(s.long), *heuristics), **shared)
    plateau = Training((FixedEpochs(s.short), *heuristics), reduce_lr_patience=s.plateau, **shared)
    return plain, plateau


def cells(
    scale: str, dataset: str | None = None, seeds: int | None = None, engine: str = "native"
) -> tuple:
    """Every stop of both trajectories, for each training seed; nothing is attacked."""
    from robustnets.experiments.cell import Cell, DatasetRef, Network

    del engine  # no attack here
    s = SCALES[scale]
    ref = DatasetRef(dataset or s.dataset)
    return tuple(
        Cell(Network(ref, "fc_100_100_10", training, rule, seed))
        for seed in range(seeds or s.seeds)
        for training in trajectories(scale)
        for rule in training.rules
    )
