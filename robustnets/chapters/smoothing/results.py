"""The Records of the smoothing chapter by what they measure, and the rates taken of them."""

from collections.abc import Sequence

import numpy as np

from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.core.record import Record
from robustnets.report.seeds import mean_rate, share
from robustnets.stats.intervals import Interval, mean
from robustnets.stats.paired import PairedMeans, PairedRates, paired_means, paired_rates

EPS, STEP = 0.3, 0.05  # of FGSM and I-FGSM, section 2.1.2
WINDOWS = (3, 5, 7)
# listing 3 takes what is outside the image for 0, ART mirrors it
BORDERS = {"mean": "constant", "0.5mean": "constant", "median": "reflect", "rmin": "constant"}
EVEN = (2, 4)
SWAPPED = (3, 7)  # windows at which the other border is tried
TABLE_KINDS = {"mean": "constant", "0.5mean": "constant", "median": "reflect"}
SMOOTHINGS = (("mean", 3, "constant"), ("median", 3, "reflect"))
TABLE_EPS = (2 / 255, 8 / 255)
ATTACKS = {
    "FGSM": "FGSM",
    "BIM": "I-FGSM",
    "HopSkipJump": "HSJ",
    "DeepFool": "DeepFool",
    "DynamicDeepFool": "D-DeepFool",
}
ROWS = {**ATTACKS, "PGD": "PGD"}
MEAN, MEDIAN = (spec[:2] for spec in SMOOTHINGS)
EIGHT = TABLE_EPS[-1]
FOUR = ("FGSM", "BIM", "HopSkipJump", "DeepFool")  # whose mean gain the report states
DISTANCES = ("linf", "l2", "linf_channels", "l2_channels")
NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "digits": "digits"}
IMAGENET = "imagenet"

# kind and window, and the border where it is not the kind's own in `BORDERS`
Smoothing = tuple[str, int] | tuple[str, int, str] | None
Key = tuple[str, str, Smoothing, str]


def is_photographs(dataset: str) -> bool:
    """Whether a data set has photographs, and not digits."""
    return dataset not in ("mnist", "digits")


def radius(dataset: str) -> float:
    """The linf radius at which PGD and HopSkipJump are counted: 8/255 for photographs."""
    return 8 / 255 if is_photographs(dataset) else 0.1


def title(dataset: str) -> str:
    """A data set's name for readers."""
    if dataset == IMAGENET:
        return "ImageNet (ResNet-50)"
    if dataset.startswith("tiny_imagenet"):
        classes = dataset.partition("-")[2]
        return "Tiny ImageNet" + (f" ({classes} classes)" if classes else "")
    return NAMES.get(dataset, dataset)


def smoothing_of(record: Record) -> Smoothing:
    """(kind, window), with the border where it is an unusual one; None for the bare network."""
    defense = record.cell["network"]["defense"]
    if defense is None:
        return None
    spec = defense["layer"]
    usual = spec["border"] == BORDERS[spec["kind"]]
    named = (spec["kind"], spec["window"])
    return named if usual else (*named, spec["border"])


def key_of(record: Record) -> Key:
    """(data set, attack, smoothing, knowledge); targeted PGD is "targeted"."""
    cell = record.cell
    attack = cell["attack"]
    name = "targeted" if attack.get("targeted") else attack["type"]
    return cell["network"]["dataset"]["name"], name, smoothing_of(record), cell["knowledge"]


class Results:
    """The chapter's Records, each list in the order of the training seeds."""

    def __init__(self, records: Sequence[Record]):
        self.groups: dict[Key, list[Record]] = {}
        for record in sorted(records, key=lambda r: r.cell["network"]["seed"]):
            self.groups.setdefault(key_of(record), []).append(record)
        order = ["digits", "mnist", "cifar10"]
        found = {key[0] for key in self.groups}
        self.data = sorted(
            found, key=lambda d: (order.index(d) if d in order else 9, d == IMAGENET, d)
        )
        self.names = [d for d in self.data if (d, "FGSM", None, "white-box") in self.groups]
        self.photographs = [
            d for d in self.data if (d, "targeted", None, "white-box") in self.groups
        ]

    def of(self, dataset: str, attack: str, smoothing: Smoothing, knowledge: str) -> list[Record]:
        """The Records of one configuration."""
        return self.groups[dataset, attack, smoothing, knowledge]

    def bare(self, dataset: str, attack: str) -> list[Record]:
        """The attack on the network without a smoothing."""
        return self.of(dataset, attack, None, through(attack))


def through(attack: str) -> str:
    """How an attack that knows of the smoothing goes through it."""
    return "black-box" if attack == "HopSkipJump" else "white-box"


def right(record: Record, eps: float | None = None) -> np.ndarray:
    """bool (N,): right after the attack, at a radius or at the largest."""
    return record.right[-1 if eps is None else record.at(eps)]


def accuracy(group: Sequence[Record], eps: float | None = None) -> Interval:
    """Accuracy after the attack, over all examples."""
    return share([right(r, eps) for r in group])


def clean(group: Sequence[Record]) -> Interval:
    """Accuracy before the attack."""
    return share([r.correct for r in group])


def confidence(group: Sequence[Record], eps: float | None) -> Interval:
    """Mean probability of the true class, before (None) or after the attack, over examples."""
    values = []
    for record in group:
        p = record.probabilities(None if eps is None else record.at(eps))
        values.append(p[np.arange(len(p)), record.label])
    return mean_rate(np.mean(values, axis=0))


def gains(r: Results, dataset: str, smoothing: Smoothing) -> np.ndarray:
    """Accuracy after smoothing minus before, averaged over `FOUR` attacks and the seeds.

    Returns:
        float64 (N,), per example, of the examples that all four attacks were run on.
    """
    n = min(len(r.bare(dataset, attack)[0].label) for attack in FOUR)
    out = []
    for attack in FOUR:
        gray = r.of(dataset, attack, smoothing, "gray-box")
        for before, after in zip(r.bare(dataset, attack), gray):
            out.append(right(after)[:n].astype(float) - right(before)[:n])
    return np.mean(out, axis=0)


def gain(r: Results, dataset: str, smoothing: Smoothing) -> Interval:
    """The mean of `gains` with its interval over examples."""
    return mean(gains(r, dataset, smoothing))


def budget(group: Sequence[Record], norm: str) -> Interval:
    """Mean distance over all attacked examples, channels added up as the report does it."""
    values = []
    for record in group:
        name = f"{norm}_channels" if f"{norm}_channels" in record.arrays else norm
        values.append(record.arrays[name][-1].astype(np.float64))
    return mean(np.mean(values, axis=0))


def worst_of(r: Results, dataset: str, smoothing: Smoothing, eps: float) -> list[np.ndarray]:
    """bool (n,) per seed: who stands against all linf attackers within eps, the worst for each.

    Of the examples that all of them attacked.
    """
    groups = [r.of(dataset, "PGD", smoothing, "white-box")]
    groups.append(r.of(dataset, "HopSkipJump", smoothing, "black-box"))
    if smoothing is not None:
        groups.append(r.of(dataset, "PGD", smoothing, "gray-box"))
        groups.append(r.of(dataset, "HopSkipJump", smoothing, "gray-box"))
    n = min(len(group[0].label) for group in groups)
    return [
        np.all([right(x, eps)[:n] & x.correct[:n] for x in records], axis=0)
        for records in zip(*groups)
    ]


def worst(r: Results, dataset: str, smoothing: Smoothing, eps: float) -> tuple[Interval, int]:
    """The accuracy that `worst_of` leaves, and over how many examples."""
    hits = worst_of(r, dataset, smoothing, eps)
    return share(hits), len(hits[0])


def paired(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> PairedRates | PairedMeans:
    """Rate of the first minus that of the second: by example for one seed, else by seed.

    Args:
        first, second: bool (N,) per training seed.
    """
    if len(first) == 1:
        return paired_rates(first[0], second[0])
    return paired_means([o.mean() for o in first], [o.mean() for o in second])


CLEAN, GAIN, WORST = "no attack", "mean of four attacks, gray-box", "worst of all attackers"
Asked = tuple[str, Smoothing, str]


def first(r: Results, dataset: str) -> int:
    """How many images all linf attackers of `worst` attacked."""
    return len(worst_of(r, dataset, None, radius(dataset))[0])


def worth(r: Results) -> dict[Asked, Contrast]:
    """What a smoothing gains and costs, (data set, smoothing, what of the three): one family.

    Clean accuracy behind it minus without; accuracy averaged over four attacks that do not know
    of it, smoothed minus not; accuracy under the worst of all linf attackers, behind it minus
    without. Paired by image for one training seed, by seed for several, the mean over four
    attacks always by image.
    """
    pairs: dict[Asked, PairedRates | PairedMeans] = {}
    for name in r.names:
        bare = [x.correct for x in r.bare(name, "FGSM")]
        for smoothing in (MEAN, MEDIAN):
            gray = [x.correct for x in r.of(name, "FGSM", smoothing, "gray-box")]
            pairs[name, smoothing, CLEAN] = paired(gray, bare)
            gained = gains(r, name, smoothing)
            pairs[name, smoothing, GAIN] = paired_means(gained, np.zeros(len(gained)))
            pairs[name, smoothing, WORST] = paired(
                *(worst_of(r, name, front, radius(name)) for front in (smoothing, None))
            )
    return common.family(pairs)


def said(smoothing: Smoothing) -> str:
    """A smoothing in words."""
    return "no smoothing" if smoothing is None else " ".join(map(str, smoothing[:2]))


def eps_of(dataset: str) -> str:
    """The radius of a data set in words."""
    value = radius(dataset)
    return f"{value:g}" if value == 0.1 else "8/255"


def size(group: Sequence[Record]) -> str:
    """Of the images that were kept."""
    pictures = group[0].pictures.get("adversarial")
    return "few" if pictures is None else f"{pictures.shape[2]} x {pictures.shape[3]}"
