"""What the chapter `filters` measures."""

from dataclasses import dataclass, replace

from robustnets.chapters.stopping import cells as stopping

METHODS = {"pca": "PCA", "fastica": "FastICA", "svd": "SVD", "random": "random"}


ETA = 0.1  # where the thesis compares its filters


@dataclass(frozen=True, slots=True)
class Scale:
    """The chapter's numbers at one scale; `full` is the thesis' own.

    The undefended network is the stopping chapter's, trained for its shorter fixed number
    of epochs. FastICA cannot whiten more components than the rank of the data. Training from
    scratch costs as much as the undefended network, so it gets fewer counts and seeds.
    """

    counts: tuple[int, ...]
    ica_counts: tuple[int, ...]
    etas: tuple[float, ...]
    seeds: int
    scratch_counts: tuple[int, ...]
    scratch_seeds: int
    retraining_epochs: int
    n_test: int | None = None


_FINE = tuple(round(0.025 * i, 3) for i in range(13))


_COARSE = tuple(round(0.05 * i, 3) for i in range(7))


SCALES = {
    "demo": Scale((784, 40, 20, 10, 5), (40, 20, 10, 5), _COARSE, 3, (20, 10, 5), 3, 40),
    "quick": Scale((784, 331, 100, 20, 10), (100, 20, 10), _FINE, 3, (100, 20, 10), 2, 10, 2000),
    "full": Scale((784, 331, 100, 20, 10), (331, 100, 20, 10), _FINE, 10, (100, 20, 10), 3, 50),
}


def cells(
    scale: str, dataset: str | None = None, seeds: int | None = None, engine: str = "native"
) -> tuple:
    """Each filter and defense, gray-box and white-box, for each training seed."""
    from robustnets.attacks import FGSM
    from robustnets.core.threat import ThreatModel
    from robustnets.defenses import InFront
    from robustnets.experiments.cell import Cell, DatasetRef, Network
    from robustnets.layers import FilterSpec
    from robustnets.training import FixedEpochs, Training

    s = SCALES[scale]
    ref = DatasetRef(dataset or stopping.SCALES[scale].dataset, n_test=s.n_test)
    trajectory = stopping.trajectories(scale)[0]
    rule = trajectory.rules[0]
    further = Training(
        (FixedEpochs(s.retraining_epochs),),
        trajectory.optimizer,
        trajectory.batch_size,
        trajectory.validation,
    )
    attack = FGSM(ThreatModel("linf", ETA))
    filters = [
        FilterSpec(method, count)
        for method in METHODS
        for count in (s.ica_counts if method == "fastica" else s.counts)
    ]
    out = []
    for seed in range(seeds or s.seeds):
        network = Network(ref, "fc_100_100_10", trajectory, rule, seed)
        pictured = 10 if seed == 0 else 0
        out.append(Cell(network, attack, s.etas, engine, "white-box", pictured))
        defenses = [InFront(f) for f in filters]
        for count in s.counts:
            defenses.append(InFront(FilterSpec("pca", count), further))
            if seed < s.scratch_seeds and count in s.scratch_counts:
                defenses.append(InFront(FilterSpec("pca", count), start="fresh"))
        for defense in defenses:
            defended = replace(network, defense=defense)
            shown = 0 if defense.recipe.trains else pictured
            out.append(Cell(defended, attack, s.etas, engine, "gray-box", shown))
            out.append(Cell(defended, attack, s.etas, engine, "white-box"))
    return tuple(out)
