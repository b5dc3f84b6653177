"""The sections of the evasion chapter's page, in the words of its numbers."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from robustnets.chapters.evasion import comparisons as comparisons
from robustnets.chapters.evasion import figures as figures
from robustnets.chapters.evasion import results as results
from robustnets.chapters.evasion import tables as tables
from robustnets.chapters.evasion.results import EPS, HSJ, LOW, STEP, TARGET, Arena
from robustnets.chapters.shared import common
from robustnets.core.record import Record
from robustnets.report.page import FigureBlock, TableBlock, Text
from robustnets.report.text import percent_text, range_text
from robustnets.stats.paired import paired_means, paired_rates


def _percent(interval) -> str:
    return percent_text(interval)


def setup(found: Sequence[Arena], like_for_like: bool) -> str:
    """What was attacked, and how."""
    networks = []
    for arena in found:
        record = arena.clean[0]
        network = record.cell["network"]
        n_train = network["dataset"]["n_train"]
        networks.append(
            f"{network['model']} on {arena.name} ({network['rule']['epochs']} epochs on "
            f"{'all' if n_train is None else f'{n_train:,}'} training images; right on "
            f"{percent_text(results.accuracy_before(arena.clean), 2)} of "
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
        f"{', '.join('/'.join(map(str, s)) for s in HSJ)}; the comparisons use the first, to "
        "which the report says it was often limited.\n"
        "- **DeepFool** and **D-DeepFool** in l2, with no limit on the distance"
        f"{_deepfool_settings(found)}.\n"
        f"- **One Pixel**: differential evolution over one pixel, {_pixel_settings(found)}.\n\n"
        "FGSM and I-FGSM may move a value by 0.3; HSJ and both DeepFools look for the nearest "
        "error wherever it lies, so that an accuracy of zero after them says little by itself: "
        "what counts is how far they had to go. “Accuracy after” counts all images, as the report "
        "does; “success” only those that were right before."
    )


def _deepfool_settings(found: Sequence[Arena]) -> str:
    """What the specs of the two say, in words."""
    said = ""
    for name in ("DeepFool", "D-DeepFool"):
        groups = [a.main[name] for a in found if name in a.main]
        if not groups:
            continue
        spec = groups[0][0].cell["attack"]
        if name == "DeepFool":
            said += f". DeepFool's overshoot is {spec['overshoot']:g}"
        else:
            said += (
                ". The report does not print the formula of its Dynamic DeepFool; ours lets the "
                f"overshoot fall logarithmically from {spec['first']:g} to {spec['last']:g}"
            )
    return said


def _pixel_settings(found: Sequence[Arena]) -> str:
    said = [
        f"{spec['population']} members and {spec['generations']} generations on "
        f"{len(a.main['One Pixel'][0].label)} images of {a.name}"
        for a in found
        if "One Pixel" in a.main
        for spec in [a.main["One Pixel"][0].cell["attack"]]
    ]
    return ", ".join(said) + " (the paper has 400 and 100)"


def reproduced(found, report, like, like_for_like):
    """The reported numbers about single attacks."""
    table, rows = tables.reported_table(found, report, like, like_for_like)
    if table is None:
        return (Text("The report has no numbers for these data."),)
    judged = [c for c in rows if c.verdict != "no interval"]
    inside = sum(c.verdict == "inside" for c in judged)
    count = (
        f"{inside} of {len(judged)} reported numbers that have an interval of ours lie inside it. "
        if like_for_like
        else f"The table has the {len(rows)} numbers that the report prints about single attacks. "
    )
    text = (
        f"{count}They come from "
        f"other networks{_starts(report)}, and intervals over images know nothing of that. What "
        "can be compared is the order and the size of effects."
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


def _starts(report) -> str:
    """From which accuracies the report's attacks on CIFAR-10 start."""
    before = [
        row.value
        for row in report
        if row.condition.startswith("CIFAR-10") and row.metric == "accuracy"
    ]
    return (
        f": the report's attacks on CIFAR-10 start from accuracies of {min(before):g} to "
        f"{max(before):g} %, each from another one"
    )


def _deepfool_text(arena, report, name) -> str:
    """Where ours and the report's DeepFool part, in the words of the numbers."""
    printed, left = (
        [
            row.natural
            for row in report
            if row.condition.startswith(f"{name} / DeepFool") and row.metric == metric
        ]
        for metric in ("success_rate", "adversarial_accuracy")
    )
    if not printed or "DeepFool" not in arena.main:
        return ""
    ours = results.success(arena.main["DeepFool"])
    text = (
        f"\n\nDeepFool succeeds on {_percent(ours)} of the images of {arena.name} here, and on "
        f"{range_text(printed)} in the report. "
    )
    if max(printed) < 0.5 < ours.low:
        text += (
            "An attack without a limit on its distance should get nearly every image across. The "
            "report ran ART's DeepFool on a `KerasClassifier`, which by default sees the "
            "softmax: where a network is sure, its gradients vanish, and an attack that "
            "follows them stands still. Ours sees logits. That this is the reason is a conjecture; "
            "the report does not say what its attack saw."
        )
    elif min(left) > 1 - max(printed):
        text += (
            f"The report's accuracy afterwards, {range_text(left)}, is more than the share that "
            "its attack left alone: DeepFool leaves the class that is predicted, also where that "
            "is wrong, and may then end at the right one. Ours leaves an image alone that is wrong "
            "already."
        )
    return text


def attacks(arena, report, like, differences):
    """What each attack does to one data set."""
    name = like[arena.dataset]
    order = sorted(arena.main, key=lambda a: results.accuracy_after(arena.main[a]).estimate)
    best = ", ".join(f"{a} {percent_text(results.accuracy_after(arena.main[a]))}" for a in order)
    blocks: list[Any] = [
        Text(
            f"Accuracy that each attack leaves, lowest first, each on its own number of images: "
            f"{best}. The next table has what the "
            "report's figures 3 and 4 have, before and after."
        ),
        FigureBlock(figures.accuracy(arena, report, name)),
        TableBlock(tables.before_and_after(arena), f"metrics-{arena.dataset}"),
        Text(_budget_text(arena, differences)),
        FigureBlock(figures.budget(arena)),
        TableBlock(tables.budgets(arena), f"budgets-{arena.dataset}"),
        TableBlock(tables.prices(arena), f"prices-{arena.dataset}"),
    ]
    grid = figures.pictures(arena)
    if grid is not None:
        blocks.append(FigureBlock(grid))
    return tuple(blocks)


def _budget_text(arena, differences) -> str:
    def l2(name):
        return results.mean_distance(arena.main[name], "l2", True)

    def linf(name):
        return results.mean_distance(arena.main[name], "linf", True)

    # One Pixel is not in the report's comparison: it moves little and seldom gets across
    compared = [name for name in arena.main if name != "One Pixel"]
    nearest = {
        norm: min(compared, key=lambda name: of(name).estimate)
        for norm, of in (("l2", l2), ("linf", linf))
    }
    text = (
        f"Of the attacks that the report compares, the smallest mean l2 is that of {nearest['l2']} "
        f"({l2(nearest['l2']).estimate:.2f}) and the smallest mean linf that of {nearest['linf']} "
        f"({linf(nearest['linf']).estimate:.3f}), means over as many images as the table says. "
    )
    if "HSJ" in arena.main:
        both = {nearest["l2"], nearest["linf"]}
        text += (
            "The report finds the lowest of both with HSJ"
            + ("; so it is here. " if both == {"HSJ"} else "; here it does not have both. ")
            + f"HSJ took {arena.main['HSJ'][0].arrays['forward'][-1].mean():,.0f} queries per "
            f"image, and needs no gradient. {_no_start(arena.main['HSJ'][0])}"
        )
    if {"DeepFool", "D-DeepFool"} <= set(arena.main):
        passes = [
            arena.main[name][0].arrays["backward"][-1].mean() for name in ("DeepFool", "D-DeepFool")
        ]
        (pair,) = (
            d
            for d in differences
            if (d.dataset, d.first, d.second) == (arena.name, "DeepFool", "D-DeepFool")
        )
        text += deepfools(passes[0], passes[1], pair.l2)
    return text


def deepfools(plain: float, dynamic: float, farther: common.Contrast) -> str:
    """What Dynamic DeepFool's overshoot costs and saves.

    Args:
        plain, dynamic: mean gradients per image of DeepFool and of D-DeepFool.
        farther: mean l2 distance of DeepFool minus that of D-DeepFool, on the same images.
    """
    gap = farther.difference
    size = f"{abs(gap.estimate):.2f} in l2 (paired, p {_p(farther.adjusted)})"
    if farther.shown:
        moved = f"moves them {'less far' if gap.estimate > 0 else 'farther'}, by {size}"
    else:
        moved = (
            f"moves them no differently as far as is shown, {-gap.estimate:+.2f} in l2 (paired, "
            f"adjusted p {_p(farther.adjusted)})"
        )
    return (
        f"D-DeepFool takes {dynamic:.1f} gradients per image and DeepFool {plain:.1f}; on the same "
        f"images D-DeepFool {moved}."
    )


def _no_start(record: Record) -> str:
    """The images on which HopSkipJump found nothing to begin at."""
    still = int((record.correct & ~record.fooled[-1]).sum())
    if not still:
        return ""
    draws = record.cell["attack"]["init_size"]
    return (
        f"On {still} of its {len(record.label)} images it found no way in: it begins at an image "
        f"of another class, and {draws} draws of noise gave none, since a network takes most noise "
        "for one and the same class. They count as right, and with a distance of zero. "
    )


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def real(differences, report, like_for_like):
    """The comparisons of section 3.2.1."""
    text = comparisons.sentences(differences, like_for_like)
    sizes = comparisons.sizes(report)
    return (
        Text(
            "The report compares two accuracies by the normal interval of two independent samples. "
            "Both attacks ran on the same images, so they are not independent. " + text
        ),
        TableBlock(comparisons.table(differences), "differences"),
        Text(comparisons.on_the_reports_own(report, differences) + "\n\n" + sizes),
        TableBlock(comparisons.own_table(report, differences), "reported-pairs"),
        Text(
            "The last two pairs of each data set are not in the report. HSJ has no limit on its "
            f"distance and I-FGSM has {EPS:g}: “HSJ indeed performs better than I-FGSM” "
            f"compares them at different budgets. Cut to {EPS:g}, what HSJ found beyond it does "
            "not count. At that radius FGSM and I-FGSM are close to the floor, so that the table "
            f"has them at {LOW:g} as well, which was added when that was seen. Of distances the "
            "report says that no interval can be had; over images there is one, below."
        ),
        TableBlock(comparisons.budget_table(differences), "distances"),
    )


def targeted(arena):
    """The overshoot."""

    def rates(attack):
        group = arena.targeted[attack, str(TARGET)]
        return [
            (eps, tables.reached(records, radius))
            for radius, eps, records in tables.by_radius(group)
        ]

    once, often = rates("T-FGSM"), rates("IT-FGSM")
    text = (
        f"The target is class {TARGET}, that of MNIST's first test image, which the report's call "
        "names, and in the dashed curves another wrong class for each image, drawn at random. "
        f"{overshoot(once, _beyond(arena, once))} "
        f"In steps of {STEP:g} that stop at the target it is reached for {_percent(often[0][1])} "
        f"at eps {often[0][0]:g} and {_percent(often[-1][1])} at eps {often[-1][0]:g}"
    )
    growing = all(a[1].estimate <= b[1].estimate for a, b in itertools.pairwise(often))
    text += ", in these runs never less at a larger radius." if growing else "."
    return (
        Text(text),
        FigureBlock(figures.overshoot(arena)),
        TableBlock(tables.targeted(arena), "targeted"),
    )


def _beyond(arena, once) -> dict[float, common.Contrast]:
    """Share reached by one step at each radius minus that at the peak; one family.

    On the same images for one training seed, over the seeds for several.
    """
    at = {
        eps: [record.reached[radius][record.aimed] for record in records]
        for radius, eps, records in tables.by_radius(arena.targeted["T-FGSM", str(TARGET)])
    }
    peak = max(once, key=lambda pair: pair[1].estimate)[0]
    pairs = {
        eps: paired_rates(found[0], at[peak][0])
        if len(found) == 1
        else paired_means([o.mean() for o in found], [o.mean() for o in at[peak]])
        for eps, found in at.items()
        if eps != peak
    }
    return common.family(pairs)


def overshoot(once, beyond) -> str:
    """Whether one step goes past the target's region.

    Args:
        once: (radius, Interval of the rate of success) of T-FGSM, radii increasing.
        beyond: radius -> the difference to the peak, at the other radii.
    """
    peak = max(once, key=lambda pair: pair[1].estimate)
    last = once[-1]
    text = (
        f"One step reaches class {TARGET} most often at eps {peak[0]:g}, for {_percent(peak[1])} "
        "of the images"
    )
    if peak[0] == last[0]:
        return f"{text}: success grows up to the last radius, and no overshoot is seen here."
    lost = beyond[last[0]]
    text += (
        f", and at eps {last[0]:g} for {_percent(last[1])}: {lost.said()} against the "
        f"peak (paired, adjusted over the radii, p {_p(lost.adjusted)}). "
    )
    if lost.less:
        return f"{text}This is the report's overshoot: the step goes past the target's region."
    return f"{text}So no overshoot is shown here."


def jumps(arena):
    """HopSkipJump's settings."""
    names = list(arena.jumps)
    queries = {name: group[0].arrays["forward"][-1].mean() for name, group in arena.jumps.items()}
    few, many = names[-2], names[-1]
    pair = tables.jump_pairs(arena)[few]
    left = [percent_text(results.accuracy_after(arena.jumps[name])) for name in (few, many)]
    text = (
        f"The report finds the performance of {few} and {many} “very similar”. With no "
        f"limit on the distance they leave {left[0]} and {left[1]} of the images right. "
        + queries_buy(few, many, queries[many] / queries[few], pair)
    )
    return (
        Text(text),
        FigureBlock(figures.jumps(arena)),
        TableBlock(tables.jumps(arena), "hop-skip-jump"),
    )


def queries_buy(few: str, many: str, times: float, pair: common.Contrast) -> str:
    """Whether more queries bring the image nearer.

    Args:
        few, many: the two settings.
        times: how many times as many queries the second asks.
        pair: median linf distance of the first minus that of the second, on the same images.
    """
    gap = pair.difference
    values = (gap.estimate, gap.low, gap.high)
    median, *bounds = (f"{v:+.4f}" if np.isfinite(v) else "unbounded" for v in values)
    measured = (
        f"{many} asks {times:.0f} times as often as {few}, and the distances of {few} minus its "
        f"own, on the images that both attacked, have the median {median} in linf "
        f"({' to '.join(bounds)}; signed-rank p, adjusted, {_p(pair.adjusted)}, {gap.n} images)"
    )
    if pair.more:
        return f"What queries buy is distance: {measured}."
    if pair.less:
        return f"More queries do not bring the image nearer here: {measured}."
    return f"That more queries bring the image nearer is not shown here: {measured}."


def engines(arena):
    """The same attacks through each engine."""
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
