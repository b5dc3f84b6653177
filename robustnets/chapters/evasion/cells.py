"""What the chapter `evasion` measures."""

from dataclasses import dataclass, replace
from typing import Any

from robustnets.chapters.evasion import comparisons as comparisons
from robustnets.chapters.evasion import figures as figures
from robustnets.chapters.evasion import results as results
from robustnets.chapters.evasion import sections as sections
from robustnets.chapters.evasion.results import EPS, HSJ, LOW, STEP, TARGET

WHOLE = 100.0  # an l2 radius beyond any image of the box


PEERS = ("art", "cleverhans")


@dataclass(frozen=True, slots=True)
class Arena:
    """A data set, the network trained on it, and how many test images each attack gets.

    Args:
        dataset: its name.
        model: a name in `robustnets.models.MODELS`.
        n_train: training images; None takes all.
        epochs: of training, Adam at 0.001.
        batch_size: of training.
        n_test: images for FGSM and I-FGSM; None takes all.
        deepfool: images for both DeepFools; None takes all.
        hsj: images for each of the three settings of HopSkipJump; 0 leaves one out.
        pixel: images for One Pixel.
        population: of One Pixel.
        generations: of One Pixel.
        targeted: images for the targeted attacks; 0 leaves them out.
        radii: of IT-FGSM, each a run of its own.
        peers: images for FGSM and its kind, DeepFool, HopSkipJump and One Pixel through every
            engine; empty leaves the engines out.
    """

    dataset: str
    model: str
    n_train: int | None
    epochs: int
    batch_size: int
    n_test: int | None
    deepfool: int | None
    hsj: tuple[int | None, ...]
    pixel: int
    population: int
    generations: int
    targeted: int | None = 0
    radii: tuple[float, ...] = (0.1, 0.3, 0.5)
    peers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """The chapter's numbers at one scale; `full` has the report's sizes."""

    arenas: tuple[Arena, ...]
    seeds: int = 1


_FINE = (0.1, 0.2, 0.3, 0.4, 0.5)


SCALES = {
    "demo": Scale(
        (
            Arena(
                "digits", "fc_100_100_10", None, 40, 25, None, 120, (40, 20, 5), 20, 40, 10,
                None, peers=(60, 20, 8, 4),
            ),
        )
    ),
    "quick": Scale(
        (
            Arena(
                "mnist", "mnist_cnn", None, 3, 64, None, 500, (200, 50, 10), 50, 100, 20, 2000,
                _FINE, (50, 20, 10, 5),
            ),
            Arena(
                "cifar10", "cifar10_cnn", None, 8, 64, None, 500, (200, 0, 0), 50, 100, 20
            ),
        )
    ),
    "full": Scale(
        (
            Arena(
                "mnist", "mnist_cnn", None, 12, 128, None, None, (None, 1000, 200), 500, 400, 100,
                None, _FINE, (500, 200, 100, 50),
            ),
            Arena(
                "cifar10", "cifar10_cnn", None, 50, 128, None, None, (None, 1000, 0), 500, 400, 100
            ),
        )
    ),
}  # fmt: skip


def arenas(scale: str, dataset: str | None = None) -> tuple[Arena, ...]:
    """Those of a scale; with a data set named, its own or the first one's settings on it."""
    all_of_them = SCALES[scale].arenas
    if dataset is None:
        return all_of_them
    found = [arena for arena in all_of_them if arena.dataset == dataset]
    return (found[0] if found else replace(all_of_them[0], dataset=dataset),)


def cells(
    scale: str, dataset: str | None = None, seeds: int | None = None, engine: str = "native"
) -> tuple:
    """Every attack on every network, and some images through the other engines.

    Args:
        scale: a name in SCALES.
        dataset: one data set in place of the scale's.
        seeds: training seeds, in place of the scale's.
        engine: who carries out what it has; the native engine does the rest.
    """
    out: list[Any] = []
    for arena in arenas(scale, dataset):
        for seed in range(seeds or SCALES[scale].seeds):
            out += _cells(arena, seed, engine)
    return tuple(dict.fromkeys(out))


def _cells(arena: Arena, seed: int, engine: str) -> list[Any]:
    from robustnets import engines
    from robustnets.attacks import BIM, FGSM, DeepFool, DynamicDeepFool, HopSkipJump, OnePixel
    from robustnets.core.threat import ThreatModel
    from robustnets.experiments.cell import Cell, DatasetRef, Network
    from robustnets.training import Adam, FixedEpochs, Training

    rule = FixedEpochs(arena.epochs)
    training = Training(
        (rule,), Adam(), batch_size=arena.batch_size, validation=0.05, max_epochs=arena.epochs
    )
    ref = DatasetRef(arena.dataset, arena.n_train)
    network = Network(ref, arena.model, training, rule, seed)
    linf, l2, pixel = ThreatModel("linf", EPS), ThreatModel("l2", WHOLE), ThreatModel("l0", 1.0)

    def cell(attack, epsilons, examples, name=engine, **more):
        carrier = name if engines.supports(name, attack) else "native"
        knowledge = "black-box" if isinstance(attack, HopSkipJump | OnePixel) else "white-box"
        return Cell(network, attack, epsilons, carrier, knowledge, examples=examples, **more)

    def iterated(eps, **more):
        # as many steps as the radius has room for: "hard bound the accumulation" of eq. 3
        return BIM(linf, STEP, round(eps / STEP), **more)

    def jump(setting):
        return HopSkipJump(linf, *setting)

    one_pixel = OnePixel(pixel, 1, arena.population, arena.generations)
    whole = {"probabilities": True, "pictured": 6 if seed == 0 else 0}
    out = [
        Cell(network, examples=arena.n_test, probabilities=True),
        cell(FGSM(linf), (LOW, EPS), arena.n_test, **whole),
        cell(iterated(EPS, stop_at_boundary=True), (EPS,), arena.n_test, **whole),
        cell(iterated(LOW, stop_at_boundary=True), (LOW,), arena.n_test, probabilities=True),
        cell(DeepFool(l2), (WHOLE,), arena.deepfool, **whole),
        cell(DynamicDeepFool(l2), (WHOLE,), arena.deepfool, **whole),
        cell(one_pixel, (1.0,), arena.pixel, **whole),
    ]
    # cut to the radius of the others, and not cut at all: one run is good for both
    out += [
        cell(jump(setting), (EPS, 1.0), count, **whole)
        for setting, count in zip(HSJ, arena.hsj)
        if count != 0
    ]
    if arena.targeted != 0:
        radii = tuple(sorted({*arena.radii, 0.05}))
        for target in (TARGET, "random"):
            goal: dict[str, Any] = {"target": target}
            out.append(cell(FGSM(linf, targeted=True), radii, arena.targeted, **goal))
            for eps in arena.radii:
                attack = iterated(eps, stop_at_boundary=True, targeted=True)
                out.append(cell(attack, (eps,), arena.targeted, **goal))
    if arena.peers and engine == "native" and seed == 0:
        steps, deepfool, jumps, pixels = arena.peers
        small = OnePixel(pixel, 1, min(arena.population, 100), min(arena.generations, 10))
        for attack, eps, count, goal in (
            (FGSM(linf), EPS, steps, {}),
            (FGSM(linf, targeted=True), EPS, steps, {"target": "random"}),
            (iterated(EPS), EPS, steps, {}),
            (iterated(EPS, targeted=True), EPS, steps, {"target": "random"}),
            (DeepFool(l2), WHOLE, deepfool, {}),
            (jump(HSJ[0]), 1.0, jumps, {}),
            (small, 1.0, pixels, {}),
        ):
            for name in ("native", *_peers()):
                if engines.supports(name, attack):
                    out.append(cell(attack, (eps,), count, name, probabilities=True, **goal))
    return out


def _peers() -> list[str]:
    """The other engines that can run here."""
    from importlib.util import find_spec

    from robustnets.experiments.quiet import backend_name

    return [n for n in PEERS if backend_name() == "tensorflow" and find_spec(n) is not None]
