"""The figures of the evasion chapter, numbered after those of CSDS440 that they repeat."""

from collections.abc import Mapping, Sequence

import numpy as np

from robustnets.chapters.evasion import results as results
from robustnets.chapters.evasion.results import Arena
from robustnets.chapters.evasion.tables import by_radius, mean_of, ours, reached
from robustnets.report.dots import Dots, bar_or_dot_figure
from robustnets.report.figure import Figure
from robustnets.report.images import image_grid
from robustnets.report.lines import Panel, Series, line_figure, panels_figure
from robustnets.report.reported import Reported
from robustnets.stats.distances import distance_curve


def accuracy(arena: Arena, reported: Sequence[Reported], name: str | None) -> Figure:
    """Figures 15 and 17: accuracy after each attack.

    Args:
        arena: the Records.
        reported: the report's rows.
        name: of the data set in the report, or None where there is nothing to set beside.
    """
    rows = [
        Dots("no attack", results.accuracy_before(arena.clean), _seeds(arena.clean, None),
             _reported(reported, name, None))
    ]  # fmt: skip
    rows += [
        Dots(attack, results.accuracy_after(group), _seeds(group, -1),
             _reported(reported, name, attack))
        for attack, group in arena.main.items()
    ]  # fmt: skip
    return Figure(
        f"accuracy-{arena.dataset}",
        f"Accuracy on {arena.name} after each attack, with its 95 % interval, and the values that "
        "the report prints (the mean where it prints several runs). The radius is 0.3 in linf for "
        "FGSM and I-FGSM, one pixel for One Pixel, and none for the others.",
        f"Dot plot of accuracy on {arena.name} for the network alone and after six attacks.",
        bar_or_dot_figure(rows, "accuracy", percent=True),
    )


def _seeds(group, radius) -> tuple[float, ...]:
    if len(group) < 2:
        return ()
    if radius is None:
        return tuple(float(r.correct.mean()) for r in group)
    return tuple(float(r.right[radius].mean()) for r in group)


def _reported(reported: Sequence[Reported], name: str | None, attack: str | None) -> float | None:
    values = []
    for row in reported:
        words = row.condition.split(" / ")
        if name is None or words[0] != name or len(words) < 2:
            continue
        before = row.metric == "accuracy" and words[-1] == "before"
        after = row.metric == "adversarial_accuracy"
        if before if attack is None else after and ours(words[1]) == attack:
            values.append(row.natural)
    return float(np.mean(values)) if values else None


def budget(arena: Arena) -> Figure:
    """Figures 16 and 18: mean distances, as section 3.1.3 has them."""
    rows = [
        Dots(f"{attack}, {norm}", results.mean_distance(group, norm, True), group=norm)
        for norm in ("l2", "linf")
        for attack, group in arena.main.items()
    ]
    added = ", each channel by itself and added up" if arena.channels else ""
    return Figure(
        f"budget-{arena.dataset}",
        f"How far each attack moves an image of {arena.name} on average{added}, with 95 % "
        "intervals: further left is the attack that shows less. The scale is logarithmic.",
        f"Dot plot of mean l2 and linf distances after six attacks on {arena.name}.",
        bar_or_dot_figure(rows, "mean distance", x_log=True),
    )


def overshoot(arena: Arena) -> Figure:
    """Figure 8: targeted success and mean distance against eps, with and without iteration."""
    success, far = [], []
    for (attack, target), group in arena.targeted.items():
        label = f"{attack}, {'random class' if target == 'random' else f'class {target}'}"
        look = {
            "style": "--" if target == "random" else "-",
            "color": "#0072b2" if attack == "T-FGSM" else "#d55e00",
        }
        radii = by_radius(group)
        x = np.array([eps for _, eps, _ in radii])
        rates = [reached(records, radius) for radius, _, records in radii]
        success.append(
            Series(
                label,
                x,
                np.array([r.estimate for r in rates]),
                np.array([r.low for r in rates]),
                np.array([r.high for r in rates]),
                **look,
            )
        )
        means = [mean_of(records, "l2", radius) for radius, _, records in radii]
        far.append(Series(label, x, np.array(means), **look))
    return Figure(
        "overshoot",
        f"Targeted attacks on {arena.name} against the radius: the share of images that reach "
        "the target's class, with its 95 % interval, and the mean l2 distance. One step of FGSM "
        "goes the whole way; the iterated attack stops where the target is reached.",
        "Two panels of curves against eps: targeted success, and mean l2 distance, with and "
        "without iteration.",
        panels_figure(
            [
                Panel("targeted success", success, "eps (linf)", "success", percent=True),
                Panel("mean distance", far, "eps (linf)", "mean l2"),
            ],
            columns=2,
        ),
    )


def jumps(arena: Arena) -> Figure:
    """Figure 10: what HopSkipJump's settings are worth, on the images they share."""
    common = min(len(group[0].label) for group in arena.jumps.values())
    series = []
    for setting, group in arena.jumps.items():
        record = group[0]
        rows = np.flatnonzero(record.correct[:common])
        far = np.where(record.fooled[-1], results.distance(record, "linf"), np.inf)[rows]
        curve = distance_curve(far)
        queries = record.arrays["forward"][-1][rows].mean()
        x, y = np.repeat(curve.distance, 2), np.repeat(curve.share, 2)
        series.append(
            Series(
                f"{setting} ({queries:,.0f} queries)",
                np.concatenate([[0.0], x]),
                np.concatenate([[0.0, 0.0], y[:-1]]),
                marker="",
            )
        )
    return Figure(
        "hop-skip-jump",
        f"HopSkipJump on {arena.name}: the share of the first {common} images (those that were "
        "right) for which an adversarial example lies within a distance, for each setting of "
        "max_iter/max_eval/init_eval. Further left and up is better for the attacker.",
        "Step curves of the share of images against linf distance, one for each setting.",
        line_figure(series, "linf distance", "share of images", percent=True),
    )


def pictures(arena: Arena) -> Figure | None:
    """The first images before and after each attack; None where none were kept."""
    shown = [(name, group[0]) for name, group in arena.main.items() if group[0].pictures]
    if not shown:
        return None
    first = shown[0][1]
    count = min(record.pictures["adversarial"].shape[1] for _, record in shown)
    rows = [first.pictures["adversarial"][0][:count]]
    notes = [[str(c) for c in first.clean[:count]]]
    for _, record in shown:
        rows.append(record.pictures["adversarial"][-1][:count])
        after = record.adversarial[-1][:count]
        notes.append([f"{a} → {b}" for a, b in zip(record.clean[:count], after)])
    return Figure(
        f"examples-{arena.dataset}",
        f"The first {count} test images of {arena.name} before and after each attack, and the "
        "classes that the network gives them.",
        "Grid of images: a row for the originals and one for each attack.",
        image_grid(
            np.stack(rows),
            ["original", *(name for name, _ in shown)],
            [f"image {i + 1}" for i in range(count)],
            notes,
        ),
    )


def like_names(arenas: Sequence[Arena]) -> Mapping[str, str]:
    """data set -> the name that its rows have in the report; digits stand in for MNIST."""
    return {a.dataset: results.NAMES.get(a.dataset, "MNIST") for a in arenas}
