"""The Records of the evasion chapter by what they measure, and rates over them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from robustnets.core.record import Record
from robustnets.report import reported
from robustnets.report.reported import Reported
from robustnets.report.seeds import mean_rate
from robustnets.stats.intervals import Interval, mean, rate

EPS = 0.3  # linf radius of FGSM and its kind in the report's comparison
LOW = 0.1  # a radius at which FGSM and I-FGSM leave something to compare
STEP = 0.05  # of the iterated attacks, as the report found it
TARGET = 7  # the class of MNIST's first test image, which the report's call names
HSJ = ((8, 100, 10), (32, 100, 10), (64, 1000, 100))  # max_iter, max_eval, init_eval
NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
# the attacks that the report compares, in its order, and the one that only section 2.5 has
ATTACKS = ("FGSM", "I-FGSM", "HSJ", "DeepFool", "D-DeepFool", "One Pixel")


def attack_of(record: Record) -> str:
    """The attack in the report's words; "" without one."""
    spec = record.cell["attack"]
    if spec is None:
        return ""
    name = {
        "FGSM": "FGSM",
        "BIM": "I-FGSM",
        "HopSkipJump": "HSJ",
        "DeepFool": "DeepFool",
        "DynamicDeepFool": "D-DeepFool",
        "OnePixel": "One Pixel",
    }[spec["type"]]
    if spec.get("targeted"):
        return {"FGSM": "T-FGSM", "I-FGSM": "IT-FGSM"}[name]
    return name


def setting_of(record: Record) -> str:
    """max_iter / max_eval / init_eval of HopSkipJump."""
    spec = record.cell["attack"]
    return f"{spec['max_iter']}/{spec['max_eval']}/{spec['init_eval']}"


def stops(record: Record) -> bool:
    """Whether an iterated attack stops at the boundary; other attacks have no such choice."""
    return record.cell["attack"].get("stop_at_boundary", True)


@dataclass
class Arena:
    """The Records of one data set, each list in the order of the training seeds.

    Args:
        dataset: its name.
        clean: of the network that nobody attacks.
        main: by attack, those with most examples.
        low: of I-FGSM at the radius LOW.
        jumps: by setting, those of HopSkipJump, shortest first.
        targeted: by (attack, target), of all radii.
        peers: by (attack, whether it stops at the boundary, target), those of each engine on the
            same examples, the native one first.
    """

    dataset: str
    clean: list[Record] = field(default_factory=list)
    main: dict[str, list[Record]] = field(default_factory=dict)
    low: list[Record] = field(default_factory=list)
    jumps: dict[str, list[Record]] = field(default_factory=dict)
    targeted: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    peers: dict[tuple[str, bool, str], list[Record]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it is written."""
        return NAMES.get(self.dataset, self.dataset)

    @property
    def channels(self) -> bool:
        """Whether images have several channels, so that there are two forms of a distance."""
        return any("l2_channels" in g[0].arrays for g in self.main.values())


def arenas(records: Sequence[Record]) -> list[Arena]:
    """The Records of each data set, the report's first."""
    names = sorted(
        {r.cell["network"]["dataset"]["name"] for r in records},
        key=lambda name: (name not in NAMES, list(NAMES).index(name) if name in NAMES else 0, name),
    )
    return [
        _arena(name, [r for r in records if r.cell["network"]["dataset"]["name"] == name])
        for name in names
    ]


def _arena(name: str, records: Sequence[Record]) -> Arena:
    arena = Arena(name)
    ordered = sorted(
        records,
        key=lambda r: (r.cell["network"]["seed"], r.cell["engine"] != "native", r.cell["engine"]),
    )
    engines: dict[str, list[Record]] = {}
    for record in ordered:
        if record.cell["attack"] is not None:
            engines.setdefault(_of_all_engines(record), []).append(record)
        else:
            arena.clean.append(record)
    for group in engines.values():
        first = group[0]
        attack = attack_of(first)
        if len({r.cell["engine"] for r in group}) > 1:
            key = attack, stops(first), str(first.cell["target"])
            arena.peers[key] = [r for r in group if r.cell["network"]["seed"] == 0]
        elif first.cell["target"] is not None and stops(first):
            where = attack, str(first.cell["target"])
            arena.targeted.setdefault(where, []).extend(group)
        elif attack == "I-FGSM" and stops(first) and first.epsilons[-1] == LOW:
            arena.low = group
        elif stops(first):
            found = arena.main.get(attack, [])
            if not found or len(first.label) > len(found[0].label):
                arena.main[attack] = group
            if attack == "HSJ":
                arena.jumps[setting_of(first)] = group
    arena.main = {a: arena.main[a] for a in ATTACKS if a in arena.main}
    arena.targeted = dict(sorted(arena.targeted.items(), key=lambda item: _place(item[0])))
    arena.peers = dict(sorted(arena.peers.items(), key=lambda item: _place(item[0])))
    arena.jumps = dict(
        sorted(arena.jumps.items(), key=lambda item: [int(n) for n in item[0].split("/")])
    )
    return arena


def _place(key: tuple) -> tuple:
    """Where an attack stands in a table: the report's order, each before its targeted form."""
    names = ("FGSM", "T-FGSM", "I-FGSM", "IT-FGSM", "DeepFool", "HSJ", "One Pixel")
    return (names.index(key[0]), *map(str, key[1:]))


def _of_all_engines(record: Record) -> str:
    cell = record.cell
    return repr((sorted(cell["attack"].items(), key=str), cell["epsilons"], cell["target"],
                 cell["examples"]))  # fmt: skip


Outcome = Callable[[Record], np.ndarray]


def share(group: Sequence[Record], outcome: Outcome, among: Outcome | None = None) -> Interval:
    """The rate of an outcome: over examples with one training seed, over seeds with several.

    Args:
        group: one Record per training seed.
        outcome: Record -> bool (N,).
        among: Record -> bool (N,), the examples that count; None counts all.
    """
    hits, counted = [], []
    for record in group:
        of = np.ones(len(record.label), bool) if among is None else among(record)
        hits.append(int((outcome(record) & of).sum()))
        counted.append(int(of.sum()))
    if len(group) == 1:
        return rate(hits[0], max(counted[0], 1))
    return mean_rate(np.array(hits) / np.maximum(counted, 1))


def accuracy_before(group: Sequence[Record]) -> Interval:
    """Right before the attack."""
    return share(group, lambda r: r.correct)


def accuracy_after(group: Sequence[Record], radius: int = -1) -> Interval:
    """Right after the attack, as the report counts: over all examples."""
    return share(group, lambda r: r.right[radius])


def success(group: Sequence[Record], radius: int = -1) -> Interval:
    """Turned wrong, of those that were right."""
    return share(group, lambda r: r.fooled[radius], lambda r: r.correct)


def distance(record: Record, norm: str, summed: bool = False, radius: int = -1) -> np.ndarray:
    """float64 (N,): how far each example was moved.

    Args:
        record: with its arrays.
        norm: "l2" or "linf".
        summed: add the channels' distances up, as section 3.1.3 has it.
        radius: the number of a radius.
    """
    name = f"{norm}_channels" if summed and f"{norm}_channels" in record.arrays else norm
    return record.arrays[name][radius].astype(float)


def mean_distance(group: Sequence[Record], norm: str, summed: bool = False) -> Interval:
    """Mean `distance`: over examples with one training seed, over seeds with several."""
    if len(group) == 1:
        return mean(distance(group[0], norm, summed))
    return mean([distance(record, norm, summed).mean() for record in group])


def seconds_each(group: Sequence[Record]) -> float:
    """Wall time of the attack for one example at one radius, compilation included."""
    return float(np.mean([r.about["attack_seconds"] / len(r.label) / _runs(r) for r in group]))


def _runs(record: Record) -> int:
    """How many radii an attack was run for; one that looks for the nearest error ran once."""
    return len(record.epsilons) if record.cell["attack"]["type"] in ("FGSM", "BIM") else 1


def reported_rows() -> list[Reported]:
    """The report's numbers."""
    return reported.load("csds440", "evasion")
