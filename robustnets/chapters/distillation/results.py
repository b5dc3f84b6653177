"""The Records of the distillation chapter by what they measure, and their rates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustnets.core.record import Record
from robustnets.report.cells import Points, Word
from robustnets.report.seeds import mean_rate, share
from robustnets.report.text import percent_text, points_text
from robustnets.stats.intervals import Interval, rate
from robustnets.stats.paired import paired_means, paired_rates

EPSILONS = (0.1, 0.2)  # of the report's figures 1 and 2
EPS = EPSILONS[0]
L2_RADII = tuple(round(0.25 * i, 2) for i in range(1, 17))
VIEWS = ("softmax", "logits", "logits / T")
NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}


@dataclass(frozen=True, slots=True)
class Key:
    """What a Record measures.

    Args:
        dataset: its name.
        network: "undefended", "teacher" or "distilled".
        temperature: at which the network was trained.
        treatment: "soft", "removed" or "hard"; "" where nothing was distilled.
        attack: the type of its spec.
        view: "softmax", "logits" or "logits / T".
        knowledge: of the Cell.
        double: whether the attack saw the network in float64.
    """

    dataset: str
    network: str
    temperature: float
    treatment: str
    attack: str
    view: str
    knowledge: str
    double: bool = False


NETWORKS = {None: "undefended", "Tempered": "teacher", "Distillation": "distilled"}
KINDS = {None: "logits", "SoftmaxOutput": "softmax", "ScaledLogits": "logits / T"}


def key_of(record: Record) -> Key:
    """The Key of a Record of the chapter."""
    cell = record.cell
    defense, view = cell["network"]["defense"] or {}, cell["view"] or {}
    double = view.get("type") == "InFloat64"
    if double:
        view = view["view"] or {}
    return Key(
        cell["network"]["dataset"]["name"],
        NETWORKS[defense.get("type")],
        float(defense.get("temperature", 1.0)),
        defense.get("misclassified", ""),
        cell["attack"]["type"],
        KINDS[view.get("type")],
        cell["knowledge"],
        double,
    )


class Results:
    """The chapter's Records by Key, each list in the order of the training seeds."""

    def __init__(self, records: Sequence[Record]):
        self.groups: dict[Key, list[Record]] = {}
        for record in sorted(records, key=lambda r: r.cell["network"]["seed"]):
            self.groups.setdefault(key_of(record), []).append(record)
        named = [record.cell["network"]["dataset"]["name"] for record in records]
        # the report's order, whatever the order of the files
        order = ("mnist", "cifar10")
        self.datasets: list[str] = sorted(
            set(named), key=lambda n: (order.index(n) if n in order else -1, n)
        )

    @property
    def main(self) -> str:
        """The data set of the sweep over temperatures and of the slow attacks."""
        return self.datasets[0]

    def top(self, dataset: str) -> float:
        """The report's temperature, the highest."""
        return max(k.temperature for k in self.groups if k.dataset == dataset)

    def temperatures(self, dataset: str) -> list[float]:
        """All temperatures of students, increasing."""
        return sorted(
            {
                k.temperature
                for k in self.groups
                if k.dataset == dataset and k.network == "distilled"
            }
        )

    def find(self, dataset: str, **wanted: Any) -> list[Record]:
        """The Records of the one Key that has these values; none where there is no such Key.

        Those of float64 are found only where `double` is asked for.

        Raises:
            ValueError: if several have.
        """
        wanted = {"double": False, **wanted}
        found = [
            key
            for key in self.groups
            if key.dataset == dataset and all(getattr(key, k) == v for k, v in wanted.items())
        ]
        if len(found) > 1:
            raise ValueError(f"{wanted} names several groups: {found}")
        return self.groups[found[0]] if found else []

    def undefended(self, dataset: str, view: str, attack: str = "FGSM") -> list[Record]:
        """The undefended network, attacked through a view by gradients."""
        return self.find(
            dataset, network="undefended", attack=attack, view=view, knowledge="white-box"
        )

    def student(self, dataset: str, view: str, treatment: str = "soft", t: float | None = None):
        """A distilled network under FGSM through a view; at the report's temperature, or at t."""
        return self.find(
            dataset,
            network="distilled",
            temperature=self.top(dataset) if t is None else t,
            treatment=treatment,
            attack="FGSM",
            view=view,
            knowledge="adaptive" if view == "logits / T" else "white-box",
        )

    def swept(self, dataset: str) -> Iterator[tuple[str, float, dict[str, list[Record]]]]:
        """(network, temperature, Records by view) of all that was made at a temperature."""
        bare = {view: self.undefended(dataset, view) for view in ("softmax", "logits")}
        yield "undefended", 1.0, {**bare, "logits / T": []}
        for network in ("teacher", "distilled"):
            for t in self.temperatures(dataset):
                if network == "distilled":
                    groups = {v: self.student(dataset, v, t=t) for v in VIEWS}
                else:
                    groups = {v: self.teacher(dataset, v, t) for v in VIEWS}
                if groups["logits"]:
                    yield network, t, groups

    def in_float64(self, dataset: str, network: str, t: float, view: str) -> list[Record]:
        """FGSM in float64 on the undefended network, a teacher or a student of all soft labels."""
        treatment = "soft" if network == "distilled" else ""
        return self.find(
            dataset, network=network, temperature=t, treatment=treatment, view=view, double=True
        )

    def teacher(self, dataset: str, view: str, t: float) -> list[Record]:
        """A teacher under FGSM through a view."""
        return self.find(dataset, network="teacher", temperature=t, attack="FGSM", view=view)


def clean(group: Sequence[Record]) -> Interval:
    """Clean accuracy."""
    return share([r.correct for r in group])


def robust(group: Sequence[Record], eps: float) -> Interval:
    """Share of all examples that are right before and after the attack."""
    return share([r.robust[r.at(eps)] for r in group])


def untouched(group: Sequence[Record]) -> Interval:
    """Of the rightly classified examples, how many have a gradient of exactly zero.

    FGSM leaves an example as it is where its gradient is zero, and only there, unless the
    gradient points out of the box in every pixel.
    """
    last = [(r.about["untouched"][-1], int(r.correct.sum())) for r in group]
    if len(group) == 1:
        return rate(*last[0])
    return mean_rate(np.array([zero / right for zero, right in last]))


def all_attacks(groups: Sequence[Sequence[Record]], eps: float) -> tuple[np.ndarray, int]:
    """Who withstands every one of several attacks, on the examples that all were made on.

    Args:
        groups: Records of one network under different attacks; the first seed is taken.
        eps: a radius of all of them.

    Returns:
        bool (n,), and n.
    """
    first = [group[0] for group in groups]
    n = min(len(record.label) for record in first)
    stands = np.all([record.robust[record.at(eps)][:n] for record in first], axis=0)
    return stands, n


def name(dataset: str) -> str:
    """A data set as text."""
    return NAMES.get(dataset, dataset)


@dataclass(frozen=True, slots=True)
class Paired:
    """A difference of rates on the same examples, or over the same seeds, and its p-value."""

    difference: Interval
    p: float

    @property
    def cell(self) -> Points:
        """For a table."""
        return Points(self.difference, 1)


def paired(first: Sequence[Record], second: Sequence[Record], eps: float | None = None) -> Paired:
    """Robust accuracy at eps of the first minus that of the second; None: clean accuracy.

    Records are matched by their training seed, and where one was made on fewer examples the
    first so many of the other count. One seed: the example is the unit; several: the seed.
    """
    others = {r.cell["network"]["seed"]: r for r in second}
    pairs = [(r, others[s]) for r in first if (s := r.cell["network"]["seed"]) in others]
    rows = []
    for pair in pairs:
        n = min(len(r.label) for r in pair)
        rows.append([(r.correct if eps is None else r.robust[r.at(eps)])[:n] for r in pair])
    if len(rows) == 1:
        rates = paired_rates(rows[0][0], rows[0][1])
        return Paired(rates.difference, rates.p)
    means = paired_means([a.mean() for a, _ in rows], [b.mean() for _, b in rows])
    return Paired(means.difference, means.p)


# words


def percent(interval: Interval) -> str:
    """A rate for running text."""
    return percent_text(interval)


def gap(pair: Paired) -> str:
    """A difference in points, with its sign and interval, for running text."""
    return points_text(pair.difference, 1)


def count(n: int, thing: str) -> str:
    """So many of a thing."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def word(pair: Paired, p: float) -> Word:
    """The verdict on a difference whose adjusted p-value is p."""
    if p >= 0.05 or pair.difference.estimate == 0:
        return Word("no difference shown")
    return Word("higher", "good") if pair.difference.estimate > 0 else Word("lower", "bad")


def claims(r: Results) -> str:
    """What the tests of a page are about."""
    if len(r.undefended(r.main, "logits")) == 1:
        return "Exact McNemar tests: claims about these checkpoints, not about the method."
    return "Paired t tests over training seeds."
