"""The differences of CSDS440, section 3.2.1: unpaired as printed, and on the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robustnets.chapters.evasion.results import EPS, LOW, Arena, distance
from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.core.record import Record
from robustnets.report.cells import Fixed, Percent, Points, PValue, Word
from robustnets.report.reported import Reported
from robustnets.report.table import Table
from robustnets.report.text import points_text
from robustnets.stats.intervals import Interval
from robustnets.stats.multiplicity import holm
from robustnets.stats.paired import PairedRates, mcnemar, paired_means, paired_rates
from robustnets.stats.unpaired_normal import unpaired_normal

CUT = f"HSJ within {EPS:g}"
SMALL = (f"FGSM at {LOW:g}", f"I-FGSM at {LOW:g}")
# the report's three pairs, its last one at one radius, and its first one where neither attack
# has reached the floor
PAIRS = (
    ("FGSM", "I-FGSM"),
    ("DeepFool", "D-DeepFool"),
    ("I-FGSM", "HSJ"),
    ("I-FGSM", CUT),
    SMALL,
)
ALPHA = 0.05
SPLIT = 10_000  # test images of MNIST and of CIFAR-10


@dataclass(frozen=True, slots=True)
class Difference:
    """Accuracy after one attack minus accuracy after another, on the same images.

    Args:
        dataset: as it is written.
        first: name of an attack.
        second: name of the other.
        unpaired: the report's interval, as if the images were different ones.
        paired: the same difference on the same images.
        adjusted: its exact McNemar p-value after Holm's adjustment over the family.
        reported: the interval that the report prints, or None.
        l2: mean l2 distance of the first minus that of the second, channels added up; one family
            with `linf` over all comparisons.
        linf: the same in linf.
    """

    dataset: str
    first: str
    second: str
    unpaired: Interval
    paired: PairedRates
    adjusted: float
    reported: tuple[float, float] | None
    l2: Contrast
    linf: Contrast

    @property
    def rejected(self) -> bool:
        """Whether the report's rule calls the two different: zero lies outside its interval."""
        return not self.unpaired.low <= 0 <= self.unpaired.high

    @property
    def apart(self) -> bool:
        """Whether the same images tell them apart, adjusted."""
        return self.adjusted < ALPHA

    @property
    def needed(self) -> tuple[float, float] | None:
        """How many images either formula needs to see a difference of this size, or None.

        The half widths at 95 % are taken to shrink with the root of the number of images.
        """
        size, n = self.paired.difference.estimate, self.paired.difference.n
        if size == 0:
            return None
        b, c = self.paired.only_first / n, self.paired.only_second / n
        half = (self.unpaired.high - self.unpaired.low) / 2
        return n * (half / size) ** 2, 1.96**2 * (b + c - size**2) / size**2

    @property
    def changes(self) -> bool:
        """Whether the pairing changes the conclusion."""
        return self.rejected != self.apart


def differences(
    arenas: Sequence[Arena], reported: Sequence[Reported], like: Mapping[str, str]
) -> list[Difference]:
    """Every declared pair on every data set; one family. Of several seeds the first is used.

    Args:
        arenas: the Records.
        reported: the report's rows.
        like: data set -> the name it has in the report.
    """
    found = []
    for arena in arenas:
        for first, second in PAIRS:
            a, b = _taken(arena, first), _taken(arena, second)
            if a and b:
                found.append((arena, first, second, a, b))
    measured = [_compare(*a, *b) for *_, a, b in found]
    adjusted = holm([paired.p for _, paired, *_ in measured])
    far = common.family(
        {
            (i, k): pair
            for i, (*_, l2, linf) in enumerate(measured)
            for k, pair in enumerate((l2, linf))
        }
    )
    out = []
    for i, ((arena, first, second, *_), (unpaired, paired, *_), p) in enumerate(
        zip(found, measured, adjusted)
    ):
        bounds = printed(reported, like.get(arena.dataset, ""), first, second)
        l2, linf = far[i, 0], far[i, 1]
        out.append(Difference(arena.name, first, second, unpaired, paired, p, bounds, l2, linf))
    return out


def _taken(arena: Arena, name: str) -> tuple[Record, int] | None:
    """The Record of the first seed, and the number of the radius, that a name stands for."""
    if name == CUT:
        group = arena.main.get("HSJ", [])
        return (group[0], group[0].at(EPS)) if group else None
    if name == SMALL[1]:
        return (arena.low[0], -1) if arena.low else None
    group = arena.main.get("FGSM" if name == SMALL[0] else name, [])
    if not group:
        return None
    return group[0], group[0].at(LOW) if name == SMALL[0] else -1


def _compare(a: Record, at: int, b: Record, radius: int):
    n = min(len(a.label), len(b.label))
    one, other = a.right[at][:n], b.right[radius][:n]
    unpaired = unpaired_normal(int(one.sum()), n, int(other.sum()), n)
    far = [
        paired_means(distance(a, norm, True, at)[:n], distance(b, norm, True, radius)[:n])
        for norm in ("l2", "linf")
    ]
    return unpaired, paired_rates(one, other), *far


def printed(
    reported: Sequence[Reported], name: str, first: str, second: str
) -> tuple[float, float] | None:
    """The interval that the report prints for a pair, as fractions, or None."""
    condition = f"{name} / {first} - {second}"
    bounds = {row.metric: row.natural for row in reported if row.condition == condition}
    if not bounds:
        return None
    return bounds["ci95_low"], bounds["ci95_high"]


def table(found: Sequence[Difference]) -> Table:
    """One row per pair."""
    rows = []
    for d in found:
        word = "conclusion changes" if d.changes else "same conclusion"
        rows.append(
            (
                f"{d.dataset}, {d.first} − {d.second}",
                d.paired.difference.n,
                Points(d.reported),
                Points((d.unpaired.low, d.unpaired.high)),
                Points(d.paired.difference),
                f"{d.paired.only_first} / {d.paired.only_second}",
                PValue(d.paired.p),
                PValue(d.adjusted),
                *((None, None) if d.needed is None else (Fixed(k, 0) for k in d.needed)),
                Word(word, "warn" if d.changes else "plain"),
            )
        )
    return Table(
        (
            "accuracy after the attack",
            "n",
            "reported",
            "unpaired",
            "paired",
            "right after one only",
            "p",
            "p, Holm",
            "images needed, unpaired",
            "images needed, paired",
            "with the pairing",
        ),
        tuple(rows),
        "Accuracy after the first attack minus accuracy after the second, in percentage points. "
        "Reported: the interval that the report prints. Unpaired: the same formula on ours. "
        "Paired: the same images, Bonett and Price's 95 % interval, exact McNemar test, adjusted "
        f"over these {len(found)} comparisons. Images needed: how many each formula would take to "
        "see a difference of the measured size. In the last column a difference is shown where "
        f"the adjusted p is below {ALPHA:g}.",
    )


def budget_table(found: Sequence[Difference]) -> Table:
    """The same pairs by how far they moved the images."""
    return Table(
        ("distance", "n", "l2", "p, Holm, l2", "linf", "p, Holm, linf"),
        tuple(
            (
                f"{d.dataset}, {d.first} − {d.second}",
                d.l2.difference.n,
                Fixed(d.l2.difference, 3),
                PValue(d.l2.adjusted),
                Fixed(d.linf.difference, 4),
                PValue(d.linf.adjusted),
            )
            for d in found
        ),
        "Mean distance after the first attack minus mean distance after the second, channels "
        "added up as the report does, paired by image, with Student's 95 % interval over images "
        f"and its test, adjusted over the {2 * len(found)} differences of this table. "
        "Images that an attack left as they were count with the distance 0.",
    )


def sentences(found: Sequence[Difference], like_for_like: bool = True) -> str:
    """What the pairing changes, one paragraph for each conclusion that it changes.

    Args:
        found: the comparisons.
        like_for_like: whether they were made at the report's scale, so that they may speak
            against it.
    """
    changed = [d for d in found if d.changes]
    head = ""
    widths = {
        d: (d.paired.difference.high - d.paired.difference.low) / (d.unpaired.high - d.unpaired.low)
        for d in found
        if d.unpaired.high > d.unpaired.low
    }
    if widths:
        d = min(widths, key=lambda d: widths[d])
        head = (
            f"The paired interval has {100 * widths[d]:.0f} to {100 * max(widths.values()):.0f} % "
            f"of the width of the unpaired one. It is narrowest for {d.dataset}, {d.first} and "
            f"{d.second}"
        )
        if d.needed is not None:
            head += (
                f", whose difference {d.needed[1]:,.0f} images would show that way, and "
                f"{d.needed[0]:,.0f} the other"
            )
        head += (
            ". Where one of two attacks leaves next to nothing, there is nothing to agree about, "
            "and pairing cannot help. "
        )
    head += _against_the_report(found) if like_for_like else ""
    if not changed:
        return head + "No conclusion changes with the pairing here."
    head += f"The pairing changes {len(changed)} of the {len(found)} conclusions:\n\n"
    return head + "\n".join(f"- {sentence(d)}" for d in changed)


def _against_the_report(found: Sequence[Difference]) -> str:
    """Differences that have the other sign here, both beyond doubt."""
    text = ""
    for d in found:
        if d.reported is None or not d.apart:
            continue
        low, high = d.reported
        if (high < 0 < d.paired.difference.estimate) or (low > 0 > d.paired.difference.estimate):
            text += (
                f"On {d.dataset}, {d.first} minus {d.second} has the other sign than in the "
                f"report, {points_text(d.paired.difference)} points here. "
            )
    return text


def sentence(d: Difference) -> str:
    """How one conclusion reads before and after."""
    bounds = f"{100 * d.unpaired.low:+.2f} to {100 * d.unpaired.high:+.2f} points"
    counts = (
        f"On the same {d.paired.difference.n} images, {d.paired.only_first} are right after "
        f"{d.first} alone and {d.paired.only_second} after {d.second} alone"
    )
    same = f"“{d.first} and {d.second} are not different in accuracy”"
    more = d.paired.difference.estimate > 0
    apart = (
        f"“{d.second if more else d.first} leaves fewer images right than "
        f"{d.first if more else d.second}, by "
        f"{points_text(d.paired.difference).lstrip('+')} points”"
    )
    p = f"adjusted p {_p(d.adjusted)}"
    if d.apart:
        return (
            f"**{d.dataset}, {d.first} and {d.second}.** Unpaired, {bounds} contains zero, and "
            f"the sentence is {same}. {counts} ({p}), and it becomes {apart}."
        )
    return (
        f"**{d.dataset}, {d.first} and {d.second}.** Unpaired, {bounds} excludes zero, and the "
        f"sentence is {apart}. {counts} ({p}), and it becomes {same}."
    )


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def most_discordant(net: int, n: int) -> int | None:
    """The largest number of images on which outcomes may differ for McNemar to reject.

    Args:
        net: by how many images the one attack leaves more right than the other, >= 1.
        n: images.

    Returns:
        The number, or None where not even the smallest one rejects.
    """
    last = None
    # the more images change sides, the less a net change says: p grows, so halve
    low, high = 0, (n - net) // 2  # images that only the second leaves right
    while low <= high:
        middle = (low + high) // 2
        if mcnemar(net + middle, middle)[0] < ALPHA:
            last, low = net + 2 * middle, middle + 1
        else:
            high = middle - 1
    return last


def own_limit(reported: Sequence[Reported]) -> tuple[int, int, int | None]:
    """The report's images between FGSM and I-FGSM on MNIST, of how many, and `most_discordant`."""
    a, b = _printed_pair(reported)
    n = a.n or 0
    net = round((a.natural - b.natural) * n)
    return net, n, most_discordant(net, n)


def _printed_pair(reported: Sequence[Reported]) -> tuple[Reported, Reported]:
    rows = {
        row.condition: row
        for row in reported
        if row.table == "3.2.1" and row.metric == "adversarial_accuracy"
    }
    return rows["MNIST / FGSM"], rows["MNIST / I-FGSM"]


def on_the_reports_own(reported: Sequence[Reported], found: Sequence[Difference]) -> str:
    """What the pairing would say of the two accuracies that the report prints with their n."""
    a, b = _printed_pair(reported)
    net, n, limit = own_limit(reported)
    text = (
        f"The report itself prints two accuracies on MNIST, {100 * a.natural:.2f} % after FGSM and "
        f"{100 * b.natural:.2f} % after I-FGSM, {net} of {n:,} images apart, and cannot reject "
        "that they are one. How many images are right after one attack only, it does not say. "
    )
    if limit is None:
        return text + "Whatever that number, McNemar's test would not reject it either."
    text += (
        f"McNemar's test tells the two apart at {ALPHA:g} as long as these are at most "
        f"{limit:,} of the {n:,}. "
    )
    pairs = (("FGSM", "I-FGSM"), SMALL)
    ours = [d for d in found if (d.first, d.second) in pairs and d.dataset == found[0].dataset]
    for d in ours:
        discordant = (d.paired.only_first + d.paired.only_second) / d.paired.difference.n
        text += (
            f"Between our own {d.first} and {d.second} on {d.dataset} they are "
            f"{100 * discordant:.1f} % of the images. "
        )
        if discordant < net / n:
            text += "The report's must have been more, so that ours say nothing about them. "
        elif discordant <= limit / n:
            text += (
                "If the report's were as many, “we can't reject the null hypothesis” "
                "would have become “I-FGSM leaves fewer images right than FGSM”. "
            )
        else:
            text += "If the report's were as many, its conclusion would stand. "
    return text.strip()


def own_table(reported: Sequence[Reported], found: Sequence[Difference]) -> Table:
    """The report's own intervals: what McNemar's test could say of the same images.

    The middle of an interval times the number of images is by how many images the accuracies
    are apart. How many images change sides, on which the test depends, is not printed.
    """
    rows = []
    ours = {(d.dataset, d.first, d.second): d for d in found}
    for row in reported:
        if row.table != "3.2.1" or row.metric != "ci95_low":
            continue
        dataset, pair = row.condition.split(" / ")
        first, second = pair.split(" - ")
        bounds = printed(reported, dataset, first, second)
        if bounds is None:
            continue
        net = round(sum(bounds) / 2 * SPLIT)
        limit = most_discordant(abs(net), SPLIT)
        d = ours.get((dataset, first, second))
        share = None
        if d is not None:
            share = (d.paired.only_first + d.paired.only_second) / d.paired.difference.n
        rows.append(
            (
                f"{dataset}, {first} − {second}",
                Points(bounds),
                "cannot reject" if bounds[0] <= 0 <= bounds[1] else "rejected",
                net,
                limit,
                None if limit is None else Percent(limit / SPLIT, 1),
                Percent(share, 1),
            )
        )
    return Table(
        (
            "pair",
            "reported",
            "its conclusion",
            "images apart",
            "told apart up to",
            "the same, percent",
            "ours, percent",
        ),
        tuple(rows),
        f"The report's intervals on {SPLIT:,} test images: by how many images the two accuracies "
        "are apart, and on how many images at most the outcomes may differ for an exact McNemar "
        f"test, not adjusted, to reject at {ALPHA:g}. The last column is the share on which they "
        "differ between our own two attacks.",
    )


def sizes(reported: Sequence[Reported]) -> str:
    """What the printed intervals say about the number of images behind them."""
    bounds = printed(reported, "CIFAR-10", "FGSM", "I-FGSM")
    if bounds is None:
        return ""
    half = (bounds[1] - bounds[0]) / 2
    # two rates of one half have the largest variance there is
    most = int(1.96**2 * 0.5 / half**2)
    return (
        "The report puts its CIFAR-10 comparisons on “100000” examples. The interval that "
        f"it prints for FGSM and I-FGSM is {200 * half:.2f} points wide, which its formula gives "
        f"for at most {most:,} images, whatever the accuracies: the 10,000 of the test split are "
        "meant."
    )
