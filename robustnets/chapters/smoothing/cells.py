"""What the chapter `smoothing` measures."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

from robustnets.chapters.shared import cnns
from robustnets.chapters.smoothing import results as results
from robustnets.chapters.smoothing import sections as sections
from robustnets.chapters.smoothing import table3 as table3
from robustnets.core.record import Record

WHOLE = 100.0  # an l2 radius beyond any image of the box


@dataclass(frozen=True, slots=True)
class Scale:
    """The chapter's numbers at one scale; `full` has at least the report's 500 images a data set.

    Args:
        networks: names for `cnns.network`, for figures 23 to 26.
        photographs: data sets for table 3's layout, "" for the digits' network alone.
        digits: test images of MNIST for FGSM and I-FGSM; None takes all.
        pgd: test images of MNIST for PGD.
        gradient: test images of photographs for all three.
        deepfool: test images for both DeepFools.
        hsj: test images for HopSkipJump.
        table: test images for table 3's layout.
        imagenet: test images for the same with an ImageNet ResNet-50, where its weights are named.
        steps: of PGD.
        epochs: that the Tiny ImageNet network is trained for.
        seeds: training seeds.
    """

    networks: tuple[str, ...]
    photographs: tuple[str, ...]
    digits: int | None
    pgd: int
    gradient: int
    deepfool: int
    hsj: int
    table: int
    imagenet: int
    steps: int
    epochs: int
    seeds: int = 1


SCALES = {
    "demo": Scale(("mnist",), ("digits",), 60, 60, 60, 40, 20, 40, 4, 10, 1),
    "quick": Scale(
        cnns.NAMES, ("cifar10", "tiny_imagenet-20"), None, 2000, 500, 500, 100, 200, 10, 10, 12
    ),
    "full": Scale(
        cnns.NAMES, ("cifar10", "tiny_imagenet"), None, 10_000, 500, 500, 500, 500, 100, 40, 30
    ),
}


def cells(
    scale: str, dataset: str | None = None, seeds: int | None = None, engine: str = "native"
) -> tuple:
    """Figures 23 to 26, then table 3; bare, gray-box, and through the smoothing.

    An ImageNet ResNet-50 is among the networks of table 3 where ROBUSTNETS_IMAGENET_WEIGHTS names
    its weights; see `models.imagenet_resnet50`.

    Args:
        scale: a name in SCALES.
        dataset: one data set in place of the scale's.
        seeds: training seeds, in place of the scale's.
        engine: who carries out what it has; the native engine does the rest.
    """
    s = SCALES[scale]
    networks = s.networks
    if dataset is not None:
        networks = ("cifar10",) if dataset == "cifar10" else ("mnist",)
    out: list[Any] = []
    for seed in range(seeds or s.seeds):
        for name in networks:
            out += _figures(cnns.network(name, scale, seed, dataset), s, engine)
        for name in s.photographs if dataset is None else (dataset,):
            out += _table(_photographs(name, scale, seed, dataset), s, engine, s.table)
    given = _imagenet() if dataset is None else None
    if given is not None:
        out += _table(given, s, engine, s.imagenet)
    return tuple(dict.fromkeys(out))


def _photographs(name: str, scale: str, seed: int, dataset: str | None) -> Any:
    """The network for one data set of table 3."""
    from robustnets.experiments.cell import DatasetRef, Network
    from robustnets.training import Adam, FixedEpochs, Training

    if name.startswith("tiny_imagenet"):
        rule = FixedEpochs(SCALES[scale].epochs)
        training = Training((rule,), Adam(), 64, cnns.VALIDATION, max_epochs=rule.epochs)
        return Network(DatasetRef(name), "cifar10_cnn", training, rule, seed)
    return cnns.network("cifar10" if name == "cifar10" else "mnist", scale, seed, dataset)


def _figures(network: Any, s: Scale, engine: str) -> list[Any]:
    from robustnets.attacks import BIM, FGSM, PGD, DeepFool, DynamicDeepFool, HopSkipJump
    from robustnets.core.threat import ThreatModel
    from robustnets.defenses import InFront
    from robustnets.layers import SmoothingSpec

    eps = results.radius(network.dataset.name)
    linf, l2 = ThreatModel("linf", results.EPS), ThreatModel("l2", WHOLE)
    steps = round(results.EPS / results.STEP)
    photographs = results.is_photographs(network.dataset.name)
    many, fewer = (s.gradient, s.gradient) if photographs else (s.digits, s.pgd)
    # the settings of section 3.3: HSJ with 8, 100 and 10; both DeepFools to the boundary
    attacks = (
        (FGSM(linf), (results.EPS,), many),
        (BIM(linf, results.STEP, steps, stop_at_boundary=True), (results.EPS,), many),
        (PGD(ThreatModel("linf", eps), steps=s.steps), (eps,), fewer),
        (HopSkipJump(linf, 8, 100, 10), (eps, 1.0), s.hsj),
        (DeepFool(l2), (WHOLE,), s.deepfool),
        (DynamicDeepFool(l2), (WHOLE,), s.deepfool),
    )
    smoothings = [InFront(SmoothingSpec(*spec)) for spec in results.SMOOTHINGS]
    out = []
    for attack, radii, examples in attacks:
        through = "black-box" if isinstance(attack, HopSkipJump) else "white-box"
        arguments = (attack, radii, _engine(engine, attack))
        out.append(_cell(network, *arguments, through, examples))
        for smoothing in smoothings:
            defended = replace(network, defense=smoothing)
            out.append(_cell(defended, *arguments, "gray-box", examples))
            out.append(_cell(defended, *arguments, through, examples))
    return out


def _imagenet() -> Any | None:
    """The network of the report's table 3, if its weights can be had."""
    from robustnets.experiments.cell import DatasetRef, Network
    from robustnets.models.imagenet_resnet50 import (
        WeightsUnavailable,
        named_weights,
        weights_digest,
    )
    from robustnets.training import Pretrained

    try:
        path = named_weights()
    except WeightsUnavailable as problem:
        warnings.warn(f"{problem}; the rows of ResNet-50 are left out", stacklevel=2)
        return None
    if path is None:
        return None
    training = Pretrained(weights_digest(path))
    return Network(
        DatasetRef(results.IMAGENET), "imagenet_resnet50", training, training.rules[0], 0
    )


def _table(network: Any, s: Scale, engine: str, examples: int) -> list[Any]:
    from robustnets.attacks import PGD
    from robustnets.core.threat import ThreatModel
    from robustnets.defenses import InFront
    from robustnets.layers import SmoothingSpec

    radii = results.TABLE_EPS
    attack = PGD(ThreatModel("linf", radii[-1]), steps=s.steps, targeted=True)
    arguments = (attack, radii, _engine(engine, attack))
    more: dict[str, Any] = {"target": "random", "probabilities": True}
    shown: dict[str, Any] = {**more, "pictured": 4 if network.seed == 0 else 0}
    out = [_cell(network, *arguments, "white-box", examples, **shown)]
    for kind, border in results.TABLE_KINDS.items():
        other = "constant" if border == "reflect" else "reflect"
        # the attack is carried out once for all of these
        for more_window, its_border in (
            *((window, border) for window in results.EVEN),
            *((window, other) for window in results.SWAPPED),
        ):
            defended = replace(
                network, defense=InFront(SmoothingSpec(kind, more_window, its_border))
            )
            out.append(_cell(defended, *arguments, "gray-box", examples, **more))
        for window in results.WINDOWS:
            defended = replace(network, defense=InFront(SmoothingSpec(kind, window, border)))
            out.append(_cell(defended, *arguments, "gray-box", examples, **shown))
            if window == results.WINDOWS[0]:
                out.append(_cell(defended, *arguments, "white-box", examples, **more))
    return out


def _engine(engine: str, attack: Any) -> str:
    from robustnets import engines

    return engine if engines.supports(engine, attack) else "native"


def _cell(network, attack, radii, engine, knowledge, examples, **more) -> Any:
    from robustnets.experiments.cell import Cell

    return Cell(network, attack, radii, engine, knowledge, examples=examples, **more)


def kept(record: Record) -> tuple[str, ...]:
    """Arrays of a Record that the page needs beyond its predictions."""
    if results.smoothing_of(record) is not None and record.cell["attack"]["type"] != "HopSkipJump":
        return ()
    return tuple(name for name in results.DISTANCES if name in record.arrays)
