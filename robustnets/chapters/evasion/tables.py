"""The tables of the evasion chapter: before and after, budgets, price, targets, engines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robustnets.chapters.evasion import results as results
from robustnets.chapters.evasion.results import EPS, Arena
from robustnets.chapters.shared.common import Contrast
from robustnets.core.record import Record
from robustnets.report.cells import Fixed, Percent, PValue, Seconds
from robustnets.report.columns import table_of
from robustnets.report.compare import Comparison, comparison_table
from robustnets.report.reported import Reported
from robustnets.report.table import Table
from robustnets.stats.classification import Classification, Entries, classification, entries
from robustnets.stats.distances import PairedDistances, median_distance, paired_distances
from robustnets.stats.intervals import Interval, mean, rate
from robustnets.stats.multiplicity import holm


def ours(attack: str) -> str:
    """Our name of an attack in the reported numbers."""
    return "D-DeepFool" if attack == "Dynamic DeepFool" else attack


def measures(record: Record, radius: int | None = None) -> tuple[Classification, Entries]:
    """Macro averages, and Keras' own counts, before the attack or after it."""
    p, said = record.probabilities(radius), predictions(record, radius)
    return (
        classification(record.label, p, predictions=said),
        entries(record.label, p, predictions=said),
    )


def predictions(record: Record, radius: int | None) -> np.ndarray:
    """int (N,): the predicted classes before the attack (None), or at the number of a radius.

    Not the argmax of the stored probabilities: these are rounded, and near a boundary they tie.
    """
    return record.clean if radius is None else record.adversarial[radius]


def before_and_after(arena: Arena) -> Table:
    """One row per attack; of several training seeds the first."""
    rows: list[tuple[Any, ...]] = [_row("no attack", arena.clean[0], None)]
    rows += [_row(name, group[0], -1) for name, group in arena.main.items()]
    return Table(
        (
            "attack",
            "n",
            "accuracy before",
            "accuracy after",
            "success",
            "precision",
            "recall",
            "AUC",
            "loss",
            "precision at 0.5",
            "recall at 0.5",
            "pooled AUC",
        ),
        tuple(rows),
        f"{arena.name}: after each attack, and for the network alone. Accuracy and success in "
        "percent with 95 % intervals over images; success is over those that were right. "
        "Precision, recall and AUC are averages over classes, one against the rest, of the "
        "predicted class; loss in nats. The last three columns are what Keras' metrics of these "
        "names compute: every one of the N × 10 probabilities is a decision of its own, taken "
        "above 0.5 (n/a where none is above it). Probabilities are stored as logarithms of 11 "
        "binary digits, so that at 0.5 they are known to 0.0002; predicted classes are stored as "
        "they were.",
    )


def _row(name: str, record: Record, radius: int | None) -> tuple[Any, ...]:
    macro, pooled = measures(record, radius)
    group = [record]
    return (
        name,
        len(record.label),
        Percent(results.accuracy_before(group), 1),
        None if radius is None else Percent(results.accuracy_after(group), 1),
        None if radius is None else Percent(results.success(group), 1),
        *(Fixed(x, 3) for x in (macro.precision, macro.recall, macro.auc, macro.log_loss)),
        *(Fixed(x, 3) for x in (pooled.precision, pooled.recall, pooled.auc)),
    )


def budgets(arena: Arena) -> Table:
    """How far each attack moves an image, in both forms."""
    forms = [("usual", False), ("channels added up", True)] if arena.channels else [("", False)]
    rows: list[tuple[Any, ...]] = []
    for name, group in arena.main.items():
        cells = [
            Fixed(results.mean_distance(group, norm, summed), 3)
            for norm in ("l2", "linf")
            for _, summed in forms
        ]
        rows.append((name, len(group[0].label), *cells))
    heads = [f"{norm}, {form}" if form else norm for norm in ("l2", "linf") for form, _ in forms]
    return Table(
        ("attack", "n", *heads),
        tuple(rows),
        f"{arena.name}: mean distance from the original over all images, those that were wrong "
        "before or that the attack left alone included, as the report counts; 95 % interval. "
        + (
            "Section 3.1.3 takes each colour channel by itself and adds the distances up."
            if arena.channels
            else "With one channel the report's sum over channels is the usual distance."
        ),
    )


def prices(arena: Arena) -> Table:
    """Run time and passes."""

    def passes(kind: str):
        return lambda name, group: Fixed(
            float(np.mean([r.arrays[kind][-1].mean() for r in group])), 1
        )

    def whole(name, group):
        return Seconds(results.seconds_each(group) * len(group[0].label))

    return table_of(
        arena.main,
        {
            "attack": lambda name, group: name,
            "engine": lambda name, group: group[0].cell["engine"],
            "n": lambda name, group: len(group[0].label),
            "time": whole,
            "ms per image": lambda name, group: Fixed(1000 * results.seconds_each(group), 1),
            "forward": passes("forward"),
            "backward": passes("backward"),
        },
        f"{arena.name}: wall time of the whole attack, compilation included, and mean passes of "
        "the network per image. An attack on a few images pays its compilation on each of them.",
    )


def jumps(arena: Arena) -> Table:
    """HopSkipJump's settings, each on its own images and all on the same few."""
    best = list(arena.jumps)[-1]
    common = min(len(g[0].label) for g in arena.jumps.values())
    pairs = jump_pairs(arena)
    rows: list[tuple[Any, ...]] = []
    for setting, group in arena.jumps.items():
        record = group[0]
        pair = pairs.get(setting)
        rows.append(
            (
                setting,
                len(record.label),
                float(record.arrays["forward"][-1].mean()),
                Percent(results.accuracy_after(group), 1),
                Percent(results.accuracy_after(group, record.at(EPS)), 1),
                Fixed(median_distance(_reach(record)[record.correct]), 4),
                None if pair is None else Fixed(pair.difference, 4),
                None if pair is None else PValue(pair.adjusted),
                Seconds(results.seconds_each(group)),
            )
        )
    return Table(
        (
            "setting",
            "n",
            "queries",
            "accuracy after",
            f"accuracy within {EPS:g}",
            "median linf",
            f"minus {best}",
            "p, Holm",
            "time per image",
        ),
        tuple(rows),
        f"HopSkipJump on {arena.name} with max_iter/max_eval/init_eval, in linf. Accuracy after "
        f"with no limit on the distance, and with perturbations cut to {EPS:g}. The median is over "
        "the images that were right, with its interval between order statistics; the difference "
        f"is the median over the first {common} images, which every setting attacked, with the "
        "signed-rank test, adjusted over the differences of this table.",
    )


def jump_pairs(arena: Arena) -> dict[str, Contrast]:
    """Median linf distance of each setting of HopSkipJump minus that of the longest; one family."""
    *others, best = arena.jumps
    pairs = {setting: jump_pair(arena, setting, best) for setting in others}
    adjusted = holm([pair.p for pair in pairs.values()])
    return {
        setting: Contrast(pair.median_difference, pair.p, p)
        for (setting, pair), p in zip(pairs.items(), adjusted, strict=True)
    }


def jump_pair(arena: Arena, first: str, second: str) -> PairedDistances:
    """The distances of two settings of HopSkipJump, on the right ones of the shared images."""
    one, other = (arena.jumps[name][0] for name in (first, second))
    common = min(len(group[0].label) for group in arena.jumps.values())
    rows = np.flatnonzero(one.correct[:common])
    return paired_distances(_reach(one)[rows], _reach(other)[rows])


def _reach(record: Record) -> np.ndarray:
    """float64 (N,): the linf distance of each adversarial example, infinite where there is none."""
    return np.where(record.fooled[-1], results.distance(record, "linf"), np.inf)


def targeted(arena: Arena) -> Table:
    """Every radius of the targeted attacks."""
    rows: list[tuple[Any, ...]] = []
    for (attack, target), group in arena.targeted.items():
        for radius, eps, records in by_radius(group):
            rows.append(
                (
                    f"{attack}, {'random class' if target == 'random' else f'class {target}'}",
                    float(eps),
                    int(records[0].aimed.sum()),
                    Percent(reached(records, radius), 1),
                    Percent(results.accuracy_after(records, radius), 1),
                    *(
                        Fixed(
                            float(np.mean([r.about["means"][k][radius] for r in records])), digits
                        )
                        for k, digits in (("l2", 2), ("linf", 3), ("backward", 1))
                    ),
                    Fixed(1000 * results.seconds_each(records), 2),
                )
            )
    return Table(
        (
            "attack",
            "eps",
            "n",
            "reached the target",
            "accuracy after",
            "mean l2",
            "mean linf",
            "gradients",
            "ms per image",
        ),
        tuple(rows),
        f"Targeted attacks on {arena.name}. Success is over the images that neither are of the "
        "target's class nor were taken for it, with its 95 % interval; distances are means over "
        "all images. T-FGSM finds its direction once for all radii, and its time is shared "
        "between them; the first of several attacks that differ in their radius alone pays for "
        "the compilation.",
    )


def by_radius(group: Sequence[Record]) -> list[tuple[int, float, list[Record]]]:
    """(number of the radius, radius, its Records over training seeds), radii increasing."""
    found: dict[float, list[tuple[int, Record]]] = {}
    for record in group:
        for radius, eps in enumerate(record.epsilons):
            found.setdefault(round(float(eps), 9), []).append((radius, record))
    return [
        (pairs[0][0], eps, [record for _, record in pairs]) for eps, pairs in sorted(found.items())
    ]


def mean_of(group: Sequence[Record], name: str, radius: int) -> float:
    """The mean of a measurement over images and training seeds."""
    return float(np.mean([r.about["means"][name][radius] for r in group]))


def reached(group: Sequence[Record], radius: int) -> Interval:
    """Given the target's class, of those that were aimed at it."""
    return results.share(group, lambda r: r.reached[radius], lambda r: r.aimed)


def engines(arena: Arena) -> Table:
    """The same images through each engine that has the attack."""
    rows: list[tuple[Any, ...]] = []
    for (attack, early, target), group in arena.peers.items():
        native = next((r for r in group if r.cell["engine"] == "native"), None)
        for record in group:
            aimed = target != "None"
            hit = record.reached[-1] if aimed else record.fooled[-1]
            counted = record.aimed if aimed else record.correct
            far = np.where(hit, results.distance(record, _norm(record)), np.inf)[counted]
            same = None
            if native is not None and record is not native:
                same = Percent(float((record.adversarial == native.adversarial).mean()), 1)
            name = attack + (f" {setting(record)}" if setting(record) else "")
            name += "" if early else ", all steps"
            rows.append(
                (
                    name,
                    record.cell["engine"],
                    len(record.label),
                    Percent(rate(int(hit.sum()), max(int(counted.sum()), 1)), 1),
                    Fixed(float(np.median(far)), 3) if len(far) else None,
                    same,
                    Fixed(float(record.arrays["forward"][-1].mean()), 1),
                    Fixed(float(record.arrays["backward"][-1].mean()), 1),
                    Seconds(record.about["attack_seconds"]),
                )
            )
    return Table(
        (
            "attack",
            "engine",
            "n",
            "success",
            "median distance",
            "predicted as after native",
            "forward",
            "backward",
            "time",
        ),
        tuple(rows),
        f"The same attack on the same images of {arena.name} through every engine that has it. "
        "Success over those that were right (targeted: that were not of the target's class), 95 % "
        "interval; median distance in the norm of the attack with failures infinitely far (One "
        "Pixel: in l2). Time includes compilation where the run had not compiled the attack "
        "before, which on so few images is most of it for the native engine.",
    )


def _norm(record: Record) -> str:
    norm = record.cell["attack"]["threat"]["norm"]
    return norm if norm in ("l2", "linf") else "l2"


def setting(record: Record) -> str:
    """What sets this attack apart from one of the same name."""
    return results.setting_of(record) if results.attack_of(record) == "HSJ" else ""


def reported_table(
    arenas: Sequence[Arena],
    reported: Sequence[Reported],
    like: Mapping[str, str],
    judged: bool = True,
) -> tuple[Table | None, list[Comparison]]:
    """The reported numbers about single attacks beside ours; the intervals have their own table.

    Args:
        arenas: the Records.
        reported: the report's rows.
        like: data set -> the name it has in the report.
        judged: whether ours are at the report's scale, so that each row has a verdict.
    """
    found = []
    for arena in arenas:
        for row in reported:
            name, *words = row.condition.split(" / ")
            if name != like.get(arena.dataset) or not words or row.metric.startswith("ci95"):
                continue
            attack = ours(words[0])
            if attack not in arena.main:
                continue
            group = arena.main[attack]
            before = words[-1] == "before"
            if before:
                group = arena.clean  # what the attack gets is a part of it
            measured = _measured(row.metric, group, None if before else -1)
            found.append(
                Comparison(
                    row.condition.replace("Dynamic DeepFool", "D-DeepFool"),
                    row.metric,
                    row.unit,
                    row.natural,
                    measured,
                    None,
                    len(group[0].label),
                    len(group),
                    f"ours: {arena.name}" if arena.name != name else "",
                )
            )
    if not found:
        return None, []
    caption = (
        "The numbers of figures 3 and 4 of section 2.5 and of section 3.2.1. Precision, recall "
        "and AUC as Keras has them, at a threshold of 0.5 and pooled; precision is 0, as there, "
        "where no probability is above it. The report prints a line for each of its runs, and ours "
        "is one."
    )
    return comparison_table(found, caption, judged), found


def _measured(metric: str, group: Sequence[Record], radius: int | None) -> Interval:
    if metric == "accuracy":
        return results.accuracy_before(group)
    if metric == "adversarial_accuracy":
        return results.accuracy_after(group)
    if metric == "success_rate":
        return results.success(group)
    record = group[0]
    p, said = record.probabilities(radius), predictions(record, radius)
    rows = np.arange(len(p))
    own = p[rows, record.label]
    if metric == "loss":
        return mean(-np.log(np.maximum(own, np.finfo(float).eps)))
    if metric == "auc":
        auc = entries(record.label, p, predictions=said).auc
        return Interval(auc, -math.inf, math.inf, len(own), "none")
    # above one half there is at most one class, the predicted one
    decided = p[rows, said] > 0.5
    hits = int((decided & (said == record.label)).sum())
    if metric == "recall":
        return rate(hits, len(own))
    if metric != "precision":
        raise ValueError(f"no reproduction of the reported metric {metric!r}")
    if not decided.any():
        return Interval(0.0, -math.inf, math.inf, len(own), "none")
    return rate(hits, int(decided.sum()))
