"""Evasion attacks side by side: CSDS440, sections 2.1, 2.5, 3.1 and 3.2."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from robustnets.chapters import common
from robustnets.chapters import evasion_comparisons as comparisons
from robustnets.chapters import evasion_figures as figures
from robustnets.chapters import evasion_results as results
from robustnets.chapters import evasion_tables as tables
from robustnets.core.record import Record
from robustnets.report.cells import Percent
from robustnets.report.index import IndexEntry
from robustnets.report.page import FigureBlock, Page, Section, TableBlock, Text

SLUG = "evasion"
TITLE = "Evasion attacks side by side"
QUESTION = (
    "Which of eight evasion attacks takes most of a network's accuracy, at what budget and "
    "price, and do their differences outlast a comparison on the same images?"
)
EPS = results.EPS
STEP = 0.05  # of the iterated attacks, as the report found it
TARGET = 7  # the class of MNIST's first test image, which the report's call names
HSJ = ((8, 100, 10), (32, 100, 10), (64, 1000, 100))  # max_iter, max_eval, init_eval
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
                peers=(50, 20, 10, 5),
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
        cell(FGSM(linf), (EPS,), arena.n_test, **whole),
        cell(iterated(EPS, stop_at_boundary=True), (EPS,), arena.n_test, **whole),
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
    sections = [
        Section("The question and the set-up", (Text(_setup(found, like_for_like)),)),
        Section("Reported and reproduced", _reproduced(found, report, like)),
    ]
    for arena in found:
        sections.append(Section(f"Six attacks on {arena.name}", _attacks(arena, report, like)))
    sections.append(Section("Are the differences real?", _real(differences, report)))
    if first.targeted:
        sections.append(Section("Aiming at a class, and overshooting it", _targeted(first)))
    jumped = [a for a in found if len(a.jumps) > 1]
    if jumped:
        sections.append(Section("What HopSkipJump's settings are worth", _jumps(jumped[0])))
    if first.peers:
        sections.append(Section("The same attacks through other engines", _engines(first)))
    return Page(
        slug=SLUG,
        title=TITLE,
        lead=f"{QUESTION} {_answer(found, differences)}",
        sections=tuple(sections),
        facts=_facts(found, records, run),
    )


def entry(records: Sequence[Record], run: Mapping[str, Any]) -> IndexEntry:
    """The chapter's card on the index page."""
    found = results.arenas(records)
    first = found[0]
    report, like = results.reported_rows(), figures.like_names(found)
    fgsm = first.main["FGSM"]
    return IndexEntry(
        slug=SLUG,
        title=TITLE,
        question=QUESTION,
        headline=_answer(found, comparisons.differences(found, report, like)),
        facts={
            "data": ", ".join(a.dataset for a in found),
            "test examples": max(len(r.label) for r in records),
            "training seeds": len(first.clean),
            "clean accuracy": Percent(results.accuracy_before(first.clean)),
            "of": f"the network on {first.name}",
            f"attack success, FGSM eps {EPS:g}": Percent(results.success(fgsm), 1),
        },
        picture=f"{SLUG}/figures/accuracy-{first.dataset}.png",
    )


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
            within = results.accuracy_after(group, group[0].at(EPS))
            text += (
                f"; HopSkipJump, asking for labels alone, leaves {_percent(after['HSJ'])} where "
                f"nothing limits the distance, and {_percent(within)} within the same eps"
            )
        parts.append(text + ".")
    changed = sum(d.changes for d in differences)
    parts.append(
        f"Of {len(differences)} differences between attacks, compared on the same images instead "
        f"of by the report's unpaired interval, {changed or 'none'} "
        f"{'changes its' if changed == 1 else 'change their'} conclusion."
    )
    return " ".join(parts)


def _percent(interval) -> str:
    return common.percent_text(interval)


def _setup(found: Sequence[results.Arena], like_for_like: bool) -> str:
    networks = []
    for arena in found:
        record = arena.clean[0]
        network = record.cell["network"]
        n_train = network["dataset"]["n_train"]
        networks.append(
            f"{network['model']} on {arena.name} ({network['rule']['epochs']} epochs on "
            f"{'all' if n_train is None else f'{n_train:,}'} training images; right on "
            f"{common.percent_text(results.accuracy_before(arena.clean), 2)} of "
            f"{len(record.label):,} test images)"
        )
    seeds = len(found[0].clean)
    whose = (
        "one training seed each, so that intervals are over images and speak of these networks"
        if seeds == 1
        else f"{seeds} training seeds; comparisons on the same images are those of the first"
    )
    caution = common.caution(like_for_like, "the report", "MNIST and CIFAR-10")
    return (
        f"{caution}"
        "The report (CSDS440, sections 2.1, 2.5 and 3.2) attacks a classifier of digits and one "
        "of small photographs. Its networks came pretrained; these were trained here with Adam "
        f"at 0.001: {' and '.join(networks)}. There is {whose}. Models end in logits, and losses "
        "are computed from them.\n\n"
        f"- **FGSM**: one step of {EPS:g} along the sign of the gradient (the report's section "
        "3.2 prints “eps = 3”, which no image in [0, 1] has room for; its section "
        f"2.1.2 settles on {EPS:g}). **I-FGSM**: steps of {STEP:g}, at most as many as add up "
        f"to {EPS:g}, and none once the prediction is wrong. **T-FGSM** and **IT-FGSM**: the "
        "same towards a chosen class.\n"
        "- **HSJ**, HopSkipJump in linf, from predicted labels alone, with the report's settings "
        "of max_iter/max_eval/init_eval, "
        f"{', '.join('/'.join(map(str, s)) for s in HSJ)}; the comparisons use the first, as most "
        "of the report's do.\n"
        "- **DeepFool** and **D-DeepFool** in l2, with no limit on the distance. The report does "
        "not print the formula of its Dynamic DeepFool; ours lets the overshoot fall "
        "logarithmically from 0.5 to 0.02.\n"
        f"- **One Pixel**: differential evolution over one pixel, {_pixel_settings(found)}.\n\n"
        "FGSM and I-FGSM may move a value by 0.3; HSJ and both DeepFools look for the nearest "
        "error wherever it lies, so that an accuracy of zero after them says little by itself: "
        "what counts is how far they had to go. “Accuracy after” counts all images, as the report "
        "does; “success” only those that were right before."
    )


def _pixel_settings(found: Sequence[results.Arena]) -> str:
    said = [
        f"{spec['population']} members and {spec['generations']} generations on "
        f"{len(a.main['One Pixel'][0].label)} images of {a.name}"
        for a in found
        if "One Pixel" in a.main
        for spec in [a.main["One Pixel"][0].cell["attack"]]
    ]
    return ", ".join(said) + " (the paper has 400 and 100)"


def _reproduced(found, report, like):
    table, rows = tables.reported_table(found, report, like)
    if table is None:
        return (Text("The report has no numbers for these data."),)
    judged = [c for c in rows if c.verdict != "no interval"]
    inside = sum(c.verdict == "inside" for c in judged)
    text = (
        f"{inside} of {len(judged)} reported numbers lie inside our interval. They come from "
        "other networks: the report's attacks on CIFAR-10 start from accuracies between 59.4 % and "
        "81.4 %, each from another one, and intervals over images know nothing of that. What can "
        "be compared is the order and the size of effects."
    )
    for arena in found:
        text += _deepfool_text(arena, report, like[arena.dataset])
    text += (
        "\n\nPrecision in the report's figure 3 is above its accuracy on CIFAR-10 and recall below "
        "it, which no average over classes does at once but Keras' metrics do: they count a class "
        "as predicted where its probability exceeds one half. That form stands in this table; both "
        "forms stand in the tables of each data set."
    )
    return Text(text), TableBlock(table, "reported")


def _deepfool_text(arena, report, name) -> str:
    """Where ours and the report's DeepFool part, in the words of the numbers."""
    printed = [
        row.natural
        for row in report
        if row.condition.startswith(f"{name} / DeepFool") and row.metric == "success_rate"
    ]
    if not printed or "DeepFool" not in arena.main:
        return ""
    ours = results.success(arena.main["DeepFool"])
    theirs = " to ".join(f"{100 * v:.1f}" for v in sorted({min(printed), max(printed)}))
    text = (
        f"\n\nDeepFool succeeds on {_percent(ours)} of the images of {arena.name} here, and on "
        f"{theirs} % in the report. "
    )
    if ours.low > max(printed):
        text += (
            "An attack without a limit on its distance should get nearly every image across. The "
            "report ran ART's DeepFool on a `KerasClassifier`, which by default sees the "
            "softmax: where a network is sure, its gradients vanish, and an attack that "
            "follows them stands still. Ours sees logits. That this is the reason is a conjecture; "
            "the report does not say what its attack saw."
        )
    elif arena.clean[0].correct.mean() < 0.95:
        text += (
            "Its accuracy afterwards stays at 15 to 19 % all the same, because DeepFool leaves "
            "the class that is predicted, also where that is wrong, and then often ends at the "
            "right one. Ours leaves an image alone that is wrong already."
        )
    return text


def _attacks(arena, report, like):
    name = like[arena.dataset]
    order = sorted(arena.main, key=lambda a: results.accuracy_after(arena.main[a]).estimate)
    best = ", ".join(
        f"{a} {common.percent_text(results.accuracy_after(arena.main[a]))}" for a in order
    )
    blocks: list[Any] = [
        Text(
            f"Accuracy that each attack leaves, lowest first: {best}. The next table has what the "
            "report's figures 3 and 4 have, before and after."
        ),
        FigureBlock(figures.accuracy(arena, report, name)),
        TableBlock(tables.before_and_after(arena), f"metrics-{arena.dataset}"),
        Text(_budget_text(arena)),
        FigureBlock(figures.budget(arena)),
        TableBlock(tables.budgets(arena), f"budgets-{arena.dataset}"),
        TableBlock(tables.prices(arena), f"prices-{arena.dataset}"),
    ]
    grid = figures.pictures(arena)
    if grid is not None:
        blocks.append(FigureBlock(grid))
    return tuple(blocks)


def _budget_text(arena) -> str:
    def l2(name):
        return results.mean_distance(arena.main[name], "l2", True)

    def linf(name):
        return results.mean_distance(arena.main[name], "linf", True)

    nearest = {
        norm: min(arena.main, key=lambda name: of(name).estimate)
        for norm, of in (("l2", l2), ("linf", linf))
    }
    text = (
        f"Of the budgets, the smallest mean l2 is that of {nearest['l2']} "
        f"({l2(nearest['l2']).estimate:.2f}) and the smallest mean linf that of {nearest['linf']} "
        f"({linf(nearest['linf']).estimate:.3f}). "
    )
    if "HSJ" in arena.main:
        both = {nearest["l2"], nearest["linf"]}
        text += (
            "The report finds the lowest of both with HSJ"
            + (", and so do we. " if both == {"HSJ"} else "; here it does not have both. ")
            + f"HSJ took {arena.main['HSJ'][0].arrays['forward'][-1].mean():,.0f} queries per "
            "image, and needs no gradient. "
        )
    if {"DeepFool", "D-DeepFool"} <= set(arena.main):
        plain, dynamic = l2("DeepFool").estimate, l2("D-DeepFool").estimate
        passes = [
            arena.main[name][0].arrays["backward"][-1].mean() for name in ("DeepFool", "D-DeepFool")
        ]
        text += (
            f"D-DeepFool needs {passes[1]:.0f} gradients per image where DeepFool needs "
            f"{passes[0]:.0f}, and moves images {_times(dynamic, plain)} in l2: its longer first "
            "steps save iterations and overshoot."
            if dynamic > plain and passes[1] < passes[0]
            else f"D-DeepFool takes {passes[1]:.0f} gradients per image and DeepFool "
            f"{passes[0]:.0f}; their mean l2 distances are {dynamic:.2f} and {plain:.2f}."
        )
    return text


def _times(first: float, second: float) -> str:
    return f"{first / second:.1f} times as far"


def _real(differences, report):
    text = comparisons.sentences(differences)
    sizes = comparisons.sizes(report)
    return (
        Text(
            "The report compares two accuracies by the normal interval of two independent samples. "
            "Both attacks ran on the same images, so they are not independent. " + text
        ),
        TableBlock(comparisons.table(differences), "differences"),
        Text(comparisons.on_the_reports_own(report, differences) + "\n\n" + sizes),
        Text(
            "The last pair of each data set is not in the report. HSJ has no limit on its distance "
            f"and I-FGSM has {EPS:g}: “HSJ indeed performs better than I-FGSM” "
            f"compares them at different budgets. Cut to {EPS:g}, what HSJ found beyond it "
            "does not count. Of distances the report says that no interval can be had; over images "
            "there is one, below."
        ),
        TableBlock(comparisons.budget_table(differences), "distances"),
    )


def _targeted(arena):
    def rates(attack):
        group = arena.targeted[attack, str(TARGET)]
        return [
            (eps, tables.reached(records, radius))
            for radius, eps, records in tables.by_radius(group)
        ]

    once, often = rates("T-FGSM"), rates("IT-FGSM")
    peak = max(once, key=lambda pair: pair[1].estimate)
    last = once[-1]
    text = (
        f"The target is class {TARGET}, that of MNIST's first test image, which the report's call "
        "names, and in the dashed curves another wrong class for each image, drawn at random. "
        f"One step reaches class {TARGET} most often at eps {peak[0]:g}, for {_percent(peak[1])} "
        f"of the images, and at eps {last[0]:g} for {_percent(last[1])}. "
    )
    if last[1].high < peak[1].low:
        text += "This is the report's overshoot: the step goes past the target's region. "
    elif peak[0] < last[0]:
        text += "What it loses beyond lies within the intervals. "
    else:
        text += "There is no overshoot here: success grows up to the last radius. "
    text += (
        f"In steps of {STEP:g} that stop at the target it is reached for {_percent(often[0][1])} "
        f"at eps {often[0][0]:g} and {_percent(often[-1][1])} at eps {often[-1][0]:g}"
    )
    growing = all(a[1].estimate <= b[1].estimate for a, b in itertools.pairwise(often))
    text += ", and never less at a larger radius." if growing else "."
    return (
        Text(text),
        FigureBlock(figures.overshoot(arena)),
        TableBlock(tables.targeted(arena), "targeted"),
    )


def _jumps(arena):
    names = list(arena.jumps)
    queries = {name: group[0].arrays["forward"][-1].mean() for name, group in arena.jumps.items()}
    few, many = names[-2], names[-1]
    pair = tables.jump_pair(arena, few, many)
    gap = pair.median_difference
    text = (
        f"The report finds the performance of {few} and {many} “very similar”, and so it "
        "is where accuracy is the measure: with no limit on the distance both leave next to "
        f"nothing. What the queries buy is distance. {many} asks "
        f"{queries[many] / queries[few]:.0f} times as often as {few}, and the median difference "
        f"on the images that both attacked is {gap.estimate:+.4f} in linf "
        f"({gap.low:+.4f} to {gap.high:+.4f}; signed-rank p "
        f"{'below 0.001' if pair.p < 0.001 else f'{pair.p:.3f}'}, {gap.n} images)."
    )
    return (
        Text(text),
        FigureBlock(figures.jumps(arena)),
        TableBlock(tables.jumps(arena), "hop-skip-jump"),
    )


def _engines(arena):
    names = sorted({r.cell["engine"] for g in arena.peers.values() for r in g} - {"native"})
    said = {"art": "ART", "cleverhans": "CleverHans"}
    return (
        Text(
            f"The report ran on ART. Here {' and '.join(said[n] for n in names)} attack the same "
            "few images as the native engine. Neither stops FGSM's iteration image by image, so "
            "that the iterated attacks of this table take all steps; D-DeepFool is in no other "
            "library. Speed on many images, without compilation, is measured in the "
            "[benchmarks](../benchmarks/README.md)."
        ),
        TableBlock(tables.engines(arena), "engines"),
    )
