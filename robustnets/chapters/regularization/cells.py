"""What the chapter `regularization` measures."""

from dataclasses import dataclass, replace

from robustnets.chapters.regularization.results import (
    CHOSEN,
    STRONG,
    WEAK,
    kept,
)

__all__ = ["SCALES", "Scale", "cells", "kept"]

FAR = 100.0  # no image is so far from another: minimal perturbations are kept whole


@dataclass(frozen=True, slots=True)
class Scale:
    """The chapter's numbers at one scale; `full` is the report's own.

    The report trains on 468 whole batches in a fixed order, so that its last 96 of 60,000
    examples are never used; ours are held out for the curves. The iterated attacks take the
    first so many test examples (None: all): `pair` for no penalty and the report's, `grid` for
    the other penalties, which are trained for the first `grid_seeds` of the training seeds;
    `carlini` for Carlini and Wagner's search and for Square, which has so many `queries`.
    """

    dataset: str
    seeds: int
    grid_seeds: int
    epochs: int
    batch_size: int
    validation: float
    penalties: tuple[float, ...]
    pair: int | None
    grid: int | None
    nearest: int | None
    carlini: int
    carlini_steps: int
    queries: int
    radii: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


_GRID = (1e-3, 1e-4, 1e-5)


SCALES = {
    "demo": Scale("digits", 2, 1, 10, 25, 0.1, (1e-3, 1e-4), 150, 150, 150, 40, 100, 200),
    "quick": Scale("mnist", 3, 1, 5, 128, 96 / 60_000, _GRID, 500, 500, 1_000, 100, 200, 500),
    "full": Scale("mnist", 3, 1, 50, 128, 96 / 60_000, _GRID, None, 1_000, None, 500, 500, 1_000),
}


def cells(
    scale: str, dataset: str | None = None, seeds: int | None = None, engine: str = "native"
) -> tuple:
    """No penalty and the report's under every attack for each training seed; the grid for fewer."""
    from robustnets.attacks import FGSM, PGD, CarliniWagner, DeepFool, Noise, Square
    from robustnets.attacks.losses import PlainCrossEntropy
    from robustnets.core.threat import ThreatModel
    from robustnets.defenses import OtherTraining
    from robustnets.experiments.cell import Cell, DatasetRef, Network
    from robustnets.training import FixedEpochs, RMSProp, Training

    s = SCALES[scale]
    ref = DatasetRef(dataset or s.dataset)
    rule = FixedEpochs(s.epochs)
    # the report adds eps times a sign and leaves the values where they land
    free = ThreatModel("linf", WEAK, -1.0, 2.0)
    box, ball = ThreatModel("linf", WEAK), ThreatModel("l2", 1.0)
    pairs = [(0.0, 0.0), *((a, b) for a in s.penalties for b in s.penalties)]
    out = []

    def trained(l1: float, l2: float) -> Training:
        return Training((rule,), RMSProp(), s.batch_size, s.validation, None, s.epochs, l1, l2)

    for seed in range(seeds or s.seeds):
        for l1, l2 in pairs:
            compared = (l1, l2) in ((0.0, 0.0), CHOSEN)
            if seed >= s.grid_seeds and not compared:
                continue
            training = trained(l1, l2)
            network = Network(ref, "fc_625_625_10", training, rule, seed)
            pictured = 10 if compared and seed == 0 else 0
            count = s.pair if compared else s.grid

            def add(
                attack, epsilons, pictured=0, examples=None, network=network, knowledge="white-box"
            ):
                out.append(Cell(network, attack, epsilons, engine, knowledge, pictured, examples))

            add(FGSM(free), (WEAK, STRONG))
            add(Noise(free, "sign"), (STRONG,))
            add(FGSM(box), s.radii, pictured)
            add(Noise(box, "sign"), (STRONG,), pictured)
            add(PGD(box), s.radii, examples=count)
            add(DeepFool(ball), (FAR,), examples=s.nearest)
            if compared:
                fading = PGD(free, steps=1, random_start=False, loss=PlainCrossEntropy())
                add(fading, (WEAK, STRONG))
                search = CarliniWagner(ball, steps=s.carlini_steps, rounds=7, first=0.1)
                add(search, (FAR,), examples=s.carlini)
                asking = Square(box, budget=s.queries)
                add(asking, (WEAK, STRONG), examples=s.carlini, knowledge="black-box")
        # the report's program takes adversarial examples from a file where it finds one: the
        # same penalty, on examples that were crafted on the network without it
        bare = Network(ref, "fc_625_625_10", trained(0.0, 0.0), rule, seed)
        lent = replace(bare, defense=OtherTraining(trained(*CHOSEN)))
        out.append(Cell(lent, FGSM(free), (WEAK, STRONG), engine, "gray-box"))
    return tuple(out)
