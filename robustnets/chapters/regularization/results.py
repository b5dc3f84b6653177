"""The Records of the chapter on penalties by what they measure, and what is computed from them."""

import math
from collections.abc import Sequence

import numpy as np

from robustnets.core.record import Record
from robustnets.report.seeds import as_rate, mean_rate, share
from robustnets.stats.intervals import Interval, mean, next_value

Pair = tuple[float, float]  # l1, l2

NONE: Pair = (0.0, 0.0)
CHOSEN: Pair = (1e-4, 1e-4)  # the pair of which the report prints its table 2
WEAK, STRONG = 0.10, 0.25  # the report's two radii

NAMES = {NONE: "no penalty", CHOSEN: "L1 = L2 = 0.0001"}
ALPHA = 0.05
EPOCHS = 50  # the report's
# what a Record measures; "free" leaves pixel values where the attack puts them, as the report
# does, "box" keeps them in [0, 1]
FREE, FREE_NOISE = "fgsm, free", "noise, free"
BOX, BOX_NOISE = "fgsm, box", "noise, box"
ROUNDED = "fgsm, free, plain cross entropy"
LENT = "fgsm, free, crafted without the penalty"
ITERATED, DEEPFOOL, CARLINI = "pgd, box", "deepfool", "carlini-wagner"
ASKED = "square, box"


def measured(record: Record) -> str:
    """Which of the names above a Record has."""
    attack = record.cell["attack"]
    if record.cell["network"]["defense"] is not None:
        return LENT
    free = attack.get("threat", {}).get("low", 0.0) < 0
    if attack["type"] == "PGD":
        return ROUNDED if free else ITERATED
    return {
        "FGSM": FREE if free else BOX,
        "Noise": FREE_NOISE if free else BOX_NOISE,
        "DeepFool": DEEPFOOL,
        "CarliniWagner": CARLINI,
        "Square": ASKED,
    }[attack["type"]]


def penalties(record: Record) -> Pair:
    """L1 and L2 penalty of the network that was tested."""
    network = record.cell["network"]
    defense = network["defense"]
    training = network["training"] if defense is None else defense["training"]
    return training["l1"], training["l2"]


def kept(record: Record) -> tuple[str, ...]:
    """Arrays of a Record that the page needs beyond its predictions."""
    kind = measured(record)
    if kind in (DEEPFOOL, CARLINI):
        return ("l2",)
    if kind == ROUNDED:
        return ("linf",)
    if penalties(record) not in (NONE, CHOSEN) or kind in (BOX, BOX_NOISE, ASKED):
        return ()
    confidence = ("adversarial_confidence",)
    return ("clean_confidence", *confidence) if kind == FREE else confidence


class Results:
    """The chapter's Records by penalty and by what they measure, in the order of the seeds."""

    def __init__(self, records: Sequence[Record]):
        self.groups: dict[tuple[Pair, str], list[Record]] = {}
        for record in sorted(records, key=lambda r: r.cell["network"]["seed"]):
            self.groups.setdefault((penalties(record), measured(record)), []).append(record)
        self.seeds = len(self.of(NONE, FREE))
        self.n = len(self.of(NONE, FREE)[0].label)
        network = self.of(NONE, FREE)[0].cell["network"]
        self.like_for_like = (
            network["dataset"]["name"] == "mnist"
            and network["dataset"]["n_train"] is None
            and network["rule"]["epochs"] == EPOCHS
        )
        grid = sorted({pair for pair, _ in self.groups} - {NONE}, reverse=True)
        self.grid: list[Pair] = grid
        self.grid_seeds = min((len(self.of(pair, FREE)) for pair in grid), default=self.seeds)

    def of_the_grid(self) -> "Results":
        """The Records of those training seeds for which all penalties were trained."""
        seeds = set.intersection(
            *({r.cell["network"]["seed"] for r in self.of(pair, FREE)} for pair in self.grid)
        )
        records = [r for group in self.groups.values() for r in group]
        return Results([r for r in records if r.cell["network"]["seed"] in seeds])

    def of(self, pair: Pair, kind: str) -> list[Record]:
        """The Records of one network under one attack, one per training seed."""
        return self.groups[pair, kind]

    def errors(
        self, pair: Pair, kind: str, eps: float | None = None, first: int | None = None
    ) -> list[np.ndarray]:
        """bool (N,) per seed: wrong at a radius, or before the attack (None).

        Args:
            pair: the penalties.
            kind: what was measured.
            eps: the radius.
            first: only so many examples.
        """
        return [
            (~r.correct if eps is None else ~r.right[r.at(eps)])[:first]
            for r in self.of(pair, kind)
        ]

    def confidences(self, pair: Pair, kind: str, eps: float | None = None) -> list[np.ndarray]:
        """float (N,) per seed: softmax of the predicted class, at a radius or before (None)."""
        return [
            r.arrays["clean_confidence"]
            if eps is None
            else r.arrays["adversarial_confidence"][r.at(eps)]
            for r in self.of(pair, kind)
        ]

    def distances(self, pair: Pair, kind: str) -> list[np.ndarray]:
        """float (N,) per seed: L2 distance to the nearest adversarial example found.

        Zero where the network was wrong to begin with, infinite where the attack failed.
        """
        return [
            np.where(
                r.correct, np.where(r.fooled[0], r.arrays["l2"][0].astype(float), math.inf), 0.0
            )
            for r in self.of(pair, kind)
        ]

    @property
    def unit(self) -> str:
        """What intervals and tests are over."""
        return "test examples" if self.seeds == 1 else "training seeds"


def percent_of(outcomes: Sequence[np.ndarray], digits: int = 1) -> str:
    """A rate for running text: "12.3 %"."""
    return f"{100 * share(outcomes).estimate:.{digits}f} %"


def average(values: Sequence[np.ndarray]) -> Interval:
    """A mean over examples with its interval, over examples or over seeds likewise."""
    if len(values) == 1:
        return mean(values[0].astype(float))
    return mean_rate(np.array([v.mean(dtype=float) for v in values]))


def one_run(values: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """The interval for one new training run; None where a single run cannot give it."""
    if len(values) == 1:
        return None
    return as_rate(next_value(np.array([v.mean(dtype=float) for v in values])))


def risk_at(confidence: np.ndarray, wrong: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """Error among the most confident share of the examples, for each share.

    Examples of one confidence are taken in random order: the expected error is given.

    Args:
        confidence: float (N,).
        wrong: bool (N,).
        coverage: float (C,) in (0, 1].

    Returns:
        float64 (C,).

    Source: El-Yaniv & Wiener 2010 (risk-coverage curve).

    Example:
        >>> risk_at(np.array([.9, .8, .8, .1]), np.array([0, 1, 0, 1]), np.array([.25, .5, 1]))
        array([0.  , 0.25, 0.5 ])
    """
    levels, where, count = np.unique(-confidence, return_inverse=True, return_counts=True)
    found = np.bincount(where, weights=wrong.astype(float), minlength=len(levels))
    share_kept = np.append(0.0, count.cumsum()) / len(wrong)
    errors = np.append(0.0, found.cumsum()) / len(wrong)
    return np.interp(coverage, share_kept, errors) / coverage


def threshold_keeping(confidence: np.ndarray, kept_share: float) -> float:
    """The largest confidence that at least so large a share of the examples reaches."""
    refused = math.floor((1 - kept_share) * len(confidence) + 1e-9)
    return float(np.sort(confidence)[refused])
