"""Evasion attacks side by side: CSDS440, sections 2.1, 2.5, 3.1 and 3.2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from robustnets.chapters import common
from robustnets.chapters import evasion_comparisons as comparisons
from robustnets.chapters import evasion_figures as figures
from robustnets.chapters import evasion_results as results
from robustnets.chapters import evasion_sections as sections
from robustnets.chapters.evasion_results import EPS, HSJ, LOW, STEP, TARGET
from robustnets.core.record import Record
from robustnets.report.cells import Cell
from robustnets.report.index import IndexEntry
from robustnets.report.page import Page, Section, Text

SLUG = "evasion"
TITLE = "Evasion attacks side by side"
QUESTION = (
    "Which of eight evasion attacks takes most of a network's accuracy, at what budget and "
    "price, and do their differences outlast a comparison on the same images?"
)
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


def page(records: Sequence[Record], run: Mapping[str, Any]) -> Page:
    """Write the chapter from its Records.

    Args:
        records: of the Cells of one scale.
        run: how they were made: "command", "scale", "jobs".
    """
    found = results.arenas(records)
    first = found[0]
    report = results.reported_rows()
    like = figures.like_names(found)
    differences = comparisons.differences(found, report, like)
    like_for_like = run["scale"] == "full" and {a.dataset for a in found} == set(results.NAMES)
    blocks = [
        Section("The question and the set-up", (Text(sections.setup(found, like_for_like)),)),
        Section("Reported and reproduced", sections.reproduced(found, report, like, like_for_like)),
    ]
    for arena in found:
        blocks.append(
            Section(
                f"Six attacks on {arena.name}",
                sections.attacks(arena, report, like, differences),
            )
        )
    blocks.append(
        Section("Are the differences real?", sections.real(differences, report, like_for_like))
    )
    if first.targeted:
        blocks.append(Section("Aiming at a class, and overshooting it", sections.targeted(first)))
    jumped = [a for a in found if len(a.jumps) > 1]
    if jumped:
        blocks.append(Section("What HopSkipJump's settings are worth", sections.jumps(jumped[0])))
    if first.peers:
        blocks.append(Section("The same attacks through other engines", sections.engines(first)))
    return Page(
        slug=SLUG,
        title=TITLE,
        lead=f"{QUESTION} {_answer(found, differences)}",
        sections=tuple(blocks),
        facts=_facts(found, records, run),
    )


def entry(records: Sequence[Record], run: Mapping[str, Any]) -> IndexEntry:
    """The chapter's card on the index page."""
    found = results.arenas(records)
    first = found[0]
    report, like = results.reported_rows(), figures.like_names(found)
    return IndexEntry(
        slug=SLUG,
        title=TITLE,
        question=QUESTION,
        headline=_answer(found, comparisons.differences(found, report, like)),
        findings=[row for arena in found for row in _findings(arena)],
        picture=f"{SLUG}/figures/accuracy-{first.dataset}.png",
    )


def _findings(arena: results.Arena) -> list[dict[str, Cell]]:
    """The network as it is, and under the attacks of which a radius can be stated."""
    data, network = arena.dataset, "undefended"
    out = [common.finding(arena.clean, data, network)]
    for attack, knowledge in (("FGSM", "white-box"), ("I-FGSM", "white-box"), ("HSJ", "black-box")):
        if attack in arena.main:
            out.append(
                common.finding(
                    arena.main[attack],
                    data,
                    network,
                    f"{attack} {EPS:g}",
                    knowledge,
                    EPS,
                    lucky=True,
                )
            )
    return out


def _facts(found: Sequence[results.Arena], records: Sequence[Record], run: Mapping[str, Any]):
    ordered = sorted(records, key=lambda r: (r.cell["attack"] is not None, -len(r.label)))
    facts = common.facts(ordered, dict(run))
    facts["data"] = "; ".join(f"{a.dataset}, fingerprint {a.clean[0].about['data']}" for a in found)
    facts["test examples"] = ", ".join(f"{len(a.clean[0].label)} of {a.dataset}" for a in found)
    return facts


def _answer(found: Sequence[results.Arena], differences) -> str:
    parts = []
    for arena in found:
        after = {name: results.accuracy_after(group) for name, group in arena.main.items()}
        text = (
            f"On {arena.name} the network is right on "
            f"{common.percent_text(results.accuracy_before(arena.clean))} of the images, on "
            f"**{common.percent_text(after['FGSM'])}** after FGSM at eps {EPS:g} and on "
            f"**{common.percent_text(after['I-FGSM'])}** after I-FGSM"
        )
        if "HSJ" in arena.main:
            group = arena.main["HSJ"]
            anywhere = common.percent_text(after["HSJ"])
            within = common.percent_text(results.accuracy_after(group, group[0].at(EPS)))
            text += (
                f"; HopSkipJump, asking for labels alone, leaves {anywhere} of the first "
                f"{len(group[0].label):,} where nothing limits the distance, and {within} of them "
                "within the same eps"
            )
        parts.append(text + ".")
    changed = sum(d.changes for d in differences)
    parts.append(
        f"Of {len(differences)} differences between attacks, compared on the same images instead "
        f"of by the report's unpaired interval, {changed or 'none'} "
        f"{'changes its' if changed == 1 else 'change their'} conclusion."
    )
    net, n, limit = comparisons.own_limit(results.reported_rows())
    if limit is not None:
        parts.append(
            f"The report's own {net} images of {n:,} between FGSM and I-FGSM on MNIST, which it "
            "cannot tell from chance, are more than chance once paired, unless the attacks "
            f"disagreed on more than {limit:,} of the images."
        )
    return " ".join(parts)
