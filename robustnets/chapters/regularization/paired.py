"""The page on penalties: with and without the penalty, on the same images and the same seeds."""

from robustnets.chapters.regularization.results import (
    ALPHA,
    ASKED,
    BOX,
    CARLINI,
    CHOSEN,
    DEEPFOOL,
    FREE,
    FREE_NOISE,
    ITERATED,
    LENT,
    NONE,
    STRONG,
    WEAK,
    Results,
)
from robustnets.chapters.shared.common import Contrast
from robustnets.report.cells import Fixed, Percent, Points, PValue
from robustnets.report.seeds import median, paired_median, paired_share, share
from robustnets.report.table import Table
from robustnets.report.text import points_text
from robustnets.stats.multiplicity import holm

# what was measured, what the attacker knows of the penalised network, and what is compared: with
# the penalty, without, at a radius
FAMILY: tuple[tuple[str, str, str, str, float | None], ...] = (
    ("original", "–", FREE, FREE, None),
    (f"noise {STRONG:g}, free", "–", FREE_NOISE, FREE_NOISE, STRONG),
    (f"FGSM {WEAK:.2f}, free", "gray-box", LENT, FREE, WEAK),
    (f"FGSM {STRONG:g}, free", "gray-box", LENT, FREE, STRONG),
    (f"FGSM {WEAK:.2f}, free", "white-box", FREE, FREE, WEAK),
    (f"FGSM {STRONG:g}, free", "white-box", FREE, FREE, STRONG),
    (f"FGSM {WEAK:.2f}, box", "white-box", BOX, BOX, WEAK),
    (f"FGSM {STRONG:g}, box", "white-box", BOX, BOX, STRONG),
    (f"PGD {WEAK:.2f}, box", "white-box", ITERATED, ITERATED, WEAK),
    (f"PGD {STRONG:g}, box", "white-box", ITERATED, ITERATED, STRONG),
    (f"Square {WEAK:.2f}, box", "black-box", ASKED, ASKED, WEAK),
    (f"Square {STRONG:g}, box", "black-box", ASKED, ASKED, STRONG),
)

SEARCHES = {"DeepFool": DEEPFOOL, "Carlini-Wagner": CARLINI}


def family(r: Results) -> list[tuple[str, str, str, str, float | None]]:
    """The rows of `FAMILY` that the Records have: those of an older run lack some attacks."""
    return [row for row in FAMILY if {(CHOSEN, row[2]), (NONE, row[3])} <= r.groups.keys()]


def alone(r: Results, own: str, other: str, eps: float | None) -> tuple[int, int]:
    """In how many trainings the penalty is better, and worse, by the same images alone.

    Exact McNemar tests, Holm-adjusted over `FAMILY` within each training.

    Args:
        r: the Records.
        own, other, eps: of a row of `FAMILY`.
    """
    better = worse = 0
    rows = family(r)
    for k in range(r.seeds):
        rates = [
            paired_share(r.errors(CHOSEN, a, e)[k : k + 1], r.errors(NONE, b, e)[k : k + 1])
            for _, _, a, b, e in rows
        ]
        adjusted = holm([p for _, p in rates])
        place = [row[2:] for row in rows].index((own, other, eps))
        if adjusted[place] < ALPHA:
            better += rates[place][0].estimate < 0
            worse += rates[place][0].estimate > 0
    return better, worse


def penalty(r: Results) -> tuple[dict[str, Contrast], dict[str, Contrast]]:
    """What the penalty changes: error by the names of `FAMILY`, distance by search; one family.

    A difference is that of the penalised network minus the other.
    """
    rates = [
        paired_share(r.errors(CHOSEN, own, eps), r.errors(NONE, other, eps))
        for _, _, own, other, eps in family(r)
    ]
    apart = [
        paired_median(r.distances(CHOSEN, kind), r.distances(NONE, kind))
        for kind in SEARCHES.values()
    ]
    adjusted = holm([p for _, p in (*rates, *apart)])
    tested = [
        Contrast(difference, p, holms)
        for (difference, p), holms in zip((*rates, *apart), adjusted, strict=True)
    ]
    names = [(name, knowledge) for name, knowledge, *_ in family(r)]
    errors = {f"{name}, {knowledge}": t for (name, knowledge), t in zip(names, tested)}
    return errors, dict(zip(SEARCHES, tested[len(names) :], strict=True))


def changed(r: Results, kind: str, eps: float | None) -> Contrast:
    """What the penalty changes the error under an attack on the network itself by."""
    for name, knowledge, own, other, radius in family(r):
        if (own, other, radius) == (kind, kind, eps):
            return penalty(r)[0][f"{name}, {knowledge}"]
    raise ValueError(f"no comparison of {kind!r} at eps {eps} in FAMILY")


def verdict(better: int, worse: int, seeds: int, found: Contrast) -> str:
    """ "shown", "these" or "no": what a difference of error allows to be said.

    Args:
        better, worse: in how many trainings the images alone tell the networks apart.
        seeds: how many trainings there are.
        found: the comparison, over seeds where there are several.

    Returns:
        "shown" where the adjusted test shows a lower error, "these" where it does not but every
        training by itself has a lower one, "more" where it shows a higher error, else "no".
    """
    if found.shown:
        return "shown" if found.less else "more"
    return "these" if seeds > 1 and better == seeds and not worse else "no"


def change(r: Results, kind: str, eps: float | None) -> str:
    """What the penalty changes the error by, in words, over seeds and for each training alone."""
    found = changed(r, kind, eps)
    better, worse = alone(r, kind, kind, eps)
    return alone_too(found, better, worse, r.seeds)


def alone_too(found: Contrast, better: int, worse: int, seeds: int) -> str:
    """A difference of error in words; where all trainings by themselves agree, that as well.

    Args:
        found: the difference over the seeds.
        better, worse: in how many trainings the images alone tell the networks apart.
        seeds: training seeds.
    """
    if found.shown or seeds == 1 or seeds not in (better, worse):
        return found.said()
    return (
        f"{points_text(found.difference, 1)} points (over {seeds} trainings no difference "
        f"shown, in each of them by itself {'lower' if better == seeds else 'higher'})"
    )


def of_pgd(r: Results) -> str:
    """`verdict` on the error under PGD at the smaller radius."""
    better, worse = alone(r, ITERATED, ITERATED, WEAK)
    return verdict(better, worse, r.seeds, changed(r, ITERATED, WEAK))


def _alone(r: Results, own: str, other: str, eps: float | None) -> str:
    better, worse = alone(r, own, other, eps)
    said = [f"{n} {word}" for n, word in ((better, "better"), (worse, "worse")) if n]
    return f"{' and '.join(said) or 'none'} of {r.seeds}"


def _asked(r: Results) -> str:
    if (CHOSEN, ASKED) not in r.groups:
        return ""
    queries = r.of(CHOSEN, ASKED)[0].cell["attack"]["budget"]
    return f"Square asks for the outputs {queries:,} times and needs no gradient. "


def paired_tables(r: Results) -> tuple[Table, Table]:
    """Differences of error and of distance; one family for Holm's adjustment."""
    rows = family(r)
    errors, distances = penalty(r)
    count = len(errors) + len(distances)
    how = (
        "exact McNemar test and Bonett and Price's interval over the same n examples of one "
        "training seed"
        if r.seeds == 1
        else f"paired t test and interval over {r.seeds} training seeds"
    )
    alone_means = (
        f" A t test over {r.seeds} seeds sees large differences only; the last column says in how "
        "many of the trainings the images by themselves tell the two networks apart (exact "
        "McNemar, adjusted over the rows of this table), which is a claim about those networks."
        if 1 < r.seeds < 10
        else ""
    )
    ranks = (
        "median over examples of the difference, Wilcoxon's signed ranks"
        if r.seeds == 1
        else "difference of medians, paired t over seeds"
    )
    return (
        Table(
            (
                *("measured", "knowledge", "n", "no penalty", "penalty"),
                *(
                    "difference",
                    "p",
                    "p, Holm",
                    "verdict" if r.seeds == 1 else "verdict over seeds",
                ),
                *(("each training alone",) if r.seeds > 1 else ()),
            ),
            tuple(
                (
                    *(name, knowledge, len(r.of(CHOSEN, own)[0].label)),
                    Percent(share(r.errors(NONE, other, eps)), 1),
                    Percent(share(r.errors(CHOSEN, own, eps)), 1),
                    Points(found.difference, 1),
                    PValue(found.p),
                    PValue(found.adjusted),
                    found.word("worse", "better", better=-1),
                    *((_alone(r, own, other, eps),) if r.seeds > 1 else ()),
                )
                for (name, knowledge, own, other, eps), found in zip(rows, errors.values())
            ),
            "Error with L1 = L2 = 0.0001 minus error without, in percentage points; negative is "
            f"better. {how[0].upper()}{how[1:]}; p adjusted over the {count} comparisons of this "
            "table and the next. Gray-box: examples crafted on the network without a penalty, as "
            f"in the section on examples made for another network. {_asked(r)}An adaptive attack "
            "has no row of its own: there is no layer to see through, and that no "
            f"gradient is hidden is shown below.{alone_means}",
        ),
        Table(
            ("search", "images", "no penalty", "penalty", "difference", "p, Holm", "verdict"),
            tuple(
                (
                    name,
                    len(r.of(NONE, kind)[0].label),
                    Fixed(median(r.distances(NONE, kind))),
                    Fixed(median(r.distances(CHOSEN, kind))),
                    Fixed(distances[name].difference),
                    PValue(distances[name].adjusted),
                    distances[name].word("better", "worse"),
                )
                for name, kind in SEARCHES.items()
            ),
            "Median L2 distance to the nearest adversarial example, and the paired difference, "
            f"penalty minus none: {ranks}. The shorter distance is the truer one.",
        ),
    )
