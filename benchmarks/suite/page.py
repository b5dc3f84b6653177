"""The page, from the Records alone."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.suite.names import LADDER, MEMBERS, NETWORKS, RUNS, SUITE, TITLES
from robustnets.core.record import Record
from robustnets.report.figure import Dots, Figure, bar_or_dot_figure
from robustnets.report.page import Block, FigureBlock, Page, Section, TableBlock, Text
from robustnets.report.table import Cell, Fixed, Percent, Points, PValue, Seconds, Table, Word
from robustnets.stats.intervals import Interval, rate
from robustnets.stats.multiplicity import holm
from robustnets.stats.paired import paired_rates

COMMAND = "python -m benchmarks.suite"
AGAINST = ("pgd-restarts", *MEMBERS)  # what the suite must not be weaker than
BESIDE = (("apgd-ce", "apgd-art"), ("square-short", "square-art"))
HARDENED = "a"
SHOWN = 0.05  # adjusted p below which a change is called shown

Kept = dict[str, dict[str, Record]]


def load(folder: Path) -> Kept:
    """The Records by network and run; networks without a run of the suite are left out."""
    kept = {}
    for network in NETWORKS:
        paths = {run: folder / "records" / f"{network}-{run}.npz" for run in RUNS}
        found = {run: Record.load(path) for run, path in paths.items() if path.is_file()}
        if SUITE in found:
            kept[network] = found
    return kept


def page(kept: Kept) -> Page:
    """All of it.

    Raises:
        ValueError: if there is nothing to show.
    """
    if not kept:
        raise ValueError(f"there are no Records of the suite yet; run `{COMMAND}` first")
    sections = [_against(kept)]
    if HARDENED in kept and all(run in kept[HARDENED] for run in LADDER):
        sections.append(_ladder(kept[HARDENED]))
    sections += [_attribution(kept), _beside(kept), _networks(kept)]
    suites = [found[SUITE] for found in kept.values()]
    facts = {
        "command": COMMAND,
        "seed": suites[0].cell["seed"],
        "batch": suites[0].cell["batch"],
        **{name: suites[0].about[name] for name in ("scale", "CPU", "backend", "keras")},
        "seconds": sum(r.about["seconds"] for found in kept.values() for r in found.values()),
    }
    title = "The standard suite, example by example"
    return Page("suite", title, _lead(kept), tuple(sections), facts)


def stands(record: Record) -> np.ndarray:
    """bool (N,): right before and after."""
    return record.robust[0]


def missed(found: dict[str, Record], run: str) -> np.ndarray:
    """Numbers of the examples that withstand the suite and fall to a run alone."""
    return np.flatnonzero(stands(found[SUITE]) & ~stands(found[run]))


def _share(record: Record) -> Interval:
    return rate(int(stands(record).sum()), len(record.label))


def _title(found: dict[str, Record]) -> str:
    return str(found[SUITE].about["title"])


def _radius(record: Record) -> str:
    eps = float(record.epsilons[0])
    return f"{255 * eps:.0f}/255" if np.isclose(255 * eps, round(255 * eps)) else f"{eps:g}"


def _lead(kept: Kept) -> str:
    runs = [(found, run) for found in kept.values() for run in AGAINST if run in found]
    count = sum(len(missed(found, run)) for found, run in runs)
    examples = sum(len(found[SUITE].label) for found in kept.values())
    said = (
        "Does AutoAttack's ensemble lose anything by running each attack only on what still "
        f"stands? On {examples} examples of {len(kept)} network{'' if len(kept) == 1 else 's'}, "
    )
    if count == 0:
        said += (
            "**no example that withstands the suite falls to one of its members run alone on all "
            "examples, or to PGD-100 from ten starting points**."
        )
    else:
        said += (
            f"**{count} times an example that withstands the suite falls to one of its members "
            "run alone, or to PGD-100 from ten starting points**; they are named below."
        )
    if HARDENED in kept and all(run in kept[HARDENED] for run in LADDER):
        found = kept[HARDENED]
        steps = [f"{TITLES[run]} {_share(found[run]).estimate:.1%}" for run in (*LADDER, SUITE)]
        said += f" Of the adversarially trained network's examples stand: {', '.join(steps)}."
    return said


def _against(kept: Kept) -> Section:
    blocks: list[Block] = [
        Text(
            "Each attack is run by itself on all examples, and the suite runs its four members in "
            "order on what the ones before left standing, all with one seed, so that an example "
            "draws the same in both. **Left by the suite**: examples that withstand the suite and "
            "fall to the attack alone; none is the claim. Share that stands: of all examples, "
            "those wrong without an attack counted as fallen; 95 % intervals. Time is wall clock, "
            "tracing included, whatever else the machine did meanwhile."
        )
    ]
    for network, found in kept.items():
        lines = tuple(_line(found, run) for run in (SUITE, *MEMBERS, *LADDER) if run in found)
        suite = found[SUITE]
        table = Table(
            (
                *("attack", "stands, percent", "left by the suite", "only the suite's"),
                *("forward per example", "backward per example", "time"),
            ),
            lines,
            f"{_title(found)}, linf {_radius(suite)}, the first {len(suite.label)} test images "
            f"of {suite.about['images']}, {suite.about['accuracy']:.1%} right without an attack.",
        )
        blocks.append(TableBlock(table, f"against-{network}"))
        blocks += _black_box(found)
        names = {run: missed(found, run) for run in AGAINST if run in found}
        named = [
            f"{TITLES[r]}: {', '.join(map(str, rows))}" for r, rows in names.items() if len(rows)
        ]
        if named:
            blocks.append(Text(f"Left by the suite, by test image: {'; '.join(named)}."))
    return Section("The suite against each attack alone", tuple(blocks))


def _black_box(found: dict[str, Record]) -> list[Block]:
    """A sentence where Square alone is shown to leave less standing than attacks by gradients."""
    if not {"square", "apgd-ce", "apgd-t"} <= set(found):
        return []
    square = stands(found["square"])
    gradients = ("apgd-ce", "apgd-t")
    changes = [paired_rates(square, stands(found[run])) for run in gradients]
    weaker = [
        run
        for run, change, p in zip(gradients, changes, holm([c.p for c in changes]))
        if change.difference.estimate < 0 and p < SHOWN
    ]
    if not weaker:
        return []
    apgd = stands(found["apgd-ce"]) & stands(found["apgd-t"])
    return [
        Text(
            f"Square, which asks for outputs alone, leaves fewer standing here than "
            f"{' and '.join(TITLES[run] for run in weaker)} (adjusted McNemar p < {SHOWN:g}), "
            "and breaks "
            f"{int((apgd & ~square).sum())} that neither APGD breaks: a sign that gradients "
            "say less about this network than its outputs do, and a reason to attack it in both "
            "ways."
        )
    ]


def _line(found: dict[str, Record], run: str) -> tuple[Cell, ...]:
    record, suite = found[run], found[SUITE]
    left: Cell = None
    if run != SUITE:
        count = len(missed(found, run))
        left = Word(str(count), "good" if count == 0 else "bad") if run in AGAINST else count
    passes = [
        Fixed(float(record.arrays[name].mean()), 1) if name in record.arrays else None
        for name in ("forward", "backward")
    ]
    return (
        TITLES[run],
        Percent(_share(record), 1),
        left,
        None if run == SUITE else int((stands(record) & ~stands(suite)).sum()),
        *passes,
        Seconds(record.about["seconds"]),
    )


def _ladder(found: dict[str, Record]) -> Section:
    runs = (*LADDER, SUITE)
    changes = [
        paired_rates(stands(found[run]), stands(found[before]))
        for before, run in itertools.pairwise(runs)
    ]
    adjusted = holm([change.p for change in changes])
    lines: list[tuple[Cell, ...]] = [(
        TITLES[runs[0]], Percent(_share(found[runs[0]]), 1), None, None, None
    )]  # fmt: skip
    lines += [
        (
            TITLES[run],
            Percent(_share(found[run]), 1),
            Points(change.difference, 1),
            PValue(change.p),
            PValue(p),
        )
        for run, change, p in zip(runs[1:], changes, adjusted)
    ]
    shares = [_share(found[run]).estimate for run in runs]
    said = _rungs(runs, [c.difference.estimate for c in changes], adjusted)
    caption = (
        f"{_title(found)}: the share of {len(found[SUITE].label)} examples that stands; the "
        "change from the line above on the same examples, in points, with its paired interval, "
        f"the exact McNemar p, and that after Holm's adjustment over these {len(changes)} changes."
    )
    dots = [Dots(TITLES[run], _share(found[run])) for run in runs]
    figure = Figure(
        "ladder",
        "How much of the adversarially trained network stands after each attack.",
        "Shares that stand: "
        + ", ".join(f"{TITLES[run]} {share:.1%}" for run, share in zip(runs, shares)),
        bar_or_dot_figure(dots, "examples that stand, %", percent=True),
    )
    table = Table(
        ("attack", "stands, percent", "change, points", "p", "adjusted p"), tuple(lines), caption
    )
    return Section("The ladder", (Text(said), TableBlock(table, "ladder"), FigureBlock(figure)))


def _rungs(runs: Sequence[str], changes: Sequence[float], adjusted: Sequence[float]) -> str:
    """What the adjusted p-values show of the changes from one rung to the next."""
    steps = list(itertools.pairwise(runs))
    shown = [
        f"{TITLES[run]} leaves {'less' if change < 0 else 'more'} standing than {TITLES[before]}"
        for (before, run), change, p in zip(steps, changes, adjusted)
        if p < SHOWN
    ]
    if len(shown) == len(steps) and all(change < 0 for change in changes):
        return f"Each rung leaves less standing than the one before (adjusted p < {SHOWN:g})."
    if not shown:
        return (
            "These examples do not show that any rung leaves less standing than the one before: "
            f"no change has an adjusted p < {SHOWN:g}."
        )
    rest = len(steps) - len(shown)
    others = f"; of the other {'change' if rest == 1 else f'{rest} changes'} nothing is shown"
    return f"{'; '.join(shown)} (adjusted p < {SHOWN:g}){others if rest else ''}."


def _attribution(kept: Kept) -> Section:
    names = [part[0] for part in next(iter(kept.values()))[SUITE].about["parts"]]
    lines = tuple(
        (
            _title(found),
            len(found[SUITE].label),
            int((~found[SUITE].correct).sum()),
            *(int((found[SUITE].arrays["broken_by"] == i).sum()) for i in range(len(names))),
            int(stands(found[SUITE]).sum()),
        )
        for found in kept.values()
    )
    table = Table(
        ("network", "examples", "wrong as they are", *names, "stand"),
        lines,
        "Which attack of the suite broke how many, in the order in which they ran.",
    )
    return Section("Who broke them", (TableBlock(table, "attribution"),))


def _beside(kept: Kept) -> Section:
    lines = []
    for found in kept.values():
        for ours, theirs in BESIDE:
            if ours not in found or theirs not in found:
                continue
            one, two = stands(found[ours]), stands(found[theirs])
            change = paired_rates(one, two)
            weaker = one.sum() > two.sum()
            lines.append((
                _title(found),
                TITLES[ours],
                Percent(_share(found[ours]), 1),
                Percent(_share(found[theirs]), 1),
                change.only_second,
                change.only_first,
                PValue(change.p),
                Word("weaker", "bad") if weaker else Word("yes", "good"),
                Seconds(found[ours].about["seconds"]),
                Seconds(found[theirs].about["seconds"]),
            ))  # fmt: skip
    table = Table(
        (
            *("network", "attack", "stands, ours", "stands, ART's", "only ours broke"),
            *("only ART's broke", "p", "no weaker", "time, ours", "time, ART's"),
        ),
        tuple(lines),
        "The same examples, radius and budget; p: exact McNemar.",
    )
    text = (
        "APGD takes 100 steps from one random point in both, Square 1,000 queries with the "
        "schedule scaled to them. ART's are given the logits as one compiled graph and the loss "
        "of ours, since its own need Keras 2. What leaves the ball counts as not broken."
    )
    return Section("Beside ART at equal budgets", (Text(text), TableBlock(table, "art")))


def _networks(kept: Kept) -> Section:
    lines = tuple(
        (
            _title(found),
            found[SUITE].about["images"],
            Percent(found[SUITE].about["test accuracy"], 2),
            found[SUITE].about["test images"],
            found[SUITE].about["training"],
        )
        for found in kept.values()
    )
    table = Table(
        ("network", "images", "accuracy, percent", "of test images", "training"),
        lines,
        "The networks, trained on the first 10,000 images, or as many as there are.",
    )
    text = (
        "Adversarial training replaces each batch by what PGD makes of it inside the compiled "
        "step (`robustnets.training.AdversarialTraining`), first with few steps and a growing "
        "radius, which costs less, then with the 40 steps of Madry et al. 2018. The radius of "
        "undefended networks is one at which not all examples fall, so that there is something "
        "to compare."
    )
    command = (
        f"`{COMMAND}` trains what its cache lacks, carries out the runs that are missing and "
        "writes this page; a killed call goes on where it was."
    )
    return Section("The networks", (Text(text), TableBlock(table, "networks"), Text(command)))
