"""Robust accuracy over the radius, and the smallest perturbation known for each example."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from robustnets.attacks.balls import distances
from robustnets.core.seeds import derive
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.outcome import WorstCase
from robustnets.stats.intervals import Interval, rate

HALVINGS = 8  # of the way from a clean example to its adversarial one


@dataclass(frozen=True, eq=False, slots=True)
class Nearest:
    """The nearest adversarial example known for each of N examples.

    Args:
        x: float32 (N, H, W, C); the example itself where it is wrong as it stands, or none
            is known.
        distance: float64 (N,) in the norm of the threat; 0 where wrong as it stands, infinite
            where none is known.
    """

    x: np.ndarray
    distance: np.ndarray

    def with_case(self, case: WorstCase, threat: ThreatModel) -> "Nearest":
        """The same with what a result found, where that is nearer."""
        far = np.where(case.broken_by >= 0, distances(case.clean, case.x)[threat.norm], np.inf)
        # float32 may put an example that is on the edge of the ball a hair outside
        edge = (far > threat.eps) & (far <= threat.eps + threat.slack)
        far = np.where(edge, threat.eps, far)
        nearer = far < self.distance
        x = self.x.copy()
        x[nearer] = case.x[nearer]
        return Nearest(x, np.where(nearer, far, self.distance))

    def with_rows(self, rows: np.ndarray, case: WorstCase, threat: ThreatModel) -> "Nearest":
        """The same with what a result found for some of the examples.

        Args:
            rows: int (M,), their numbers.
            case: of these M examples.
            threat: norm and radius of the result.
        """
        found = Nearest(self.x[rows], self.distance[rows]).with_case(case, threat)
        x, distance = self.x.copy(), self.distance.copy()
        x[rows], distance[rows] = found.x, found.distance
        return Nearest(x, distance)

    def robust(self, eps: float) -> np.ndarray:
        """bool (N,): no adversarial example within the radius is known."""
        return self.distance > eps

    @classmethod
    def of(cls, case: WorstCase, threat: ThreatModel) -> "Nearest":
        """What a single result found."""
        start = cls(case.clean.copy(), np.where(case.right, np.inf, 0.0))
        return start.with_case(case, threat)


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """Robust accuracy at E radii.

    Args:
        epsilons: float64 (E,), increasing, 0 first.
        robust: bool (E, N), never rising along the radii.
        attack: what was run at each radius.
    """

    epsilons: np.ndarray
    robust: np.ndarray
    attack: Any

    @classmethod
    def of(cls, nearest: Nearest, epsilons: np.ndarray, attack: Any) -> "Curve":
        """Read off what is known of each example."""
        return cls(epsilons, np.stack([nearest.robust(eps) for eps in epsilons]), attack)

    @property
    def rates(self) -> list[Interval]:
        """The robust accuracy at each radius."""
        return [rate(int(row.sum()), len(row)) for row in self.robust]


def refine(
    nearest: Nearest,
    clean: np.ndarray,
    threat: ThreatModel,
    radii: Sequence[float],
    attack_at: Callable[[ThreatModel], Any],
    attack_all: Callable[[Any, np.ndarray, int], WorstCase | None],
    seed: int,
    minimal: Any | None = None,
    wrong: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> tuple[Nearest, Curve]:
    """Look for nearer examples, and read the curve off what is known.

    What succeeds at one radius succeeds at every larger one, so that the curve never rises.

    Args:
        nearest: what is known so far.
        clean: float32 (N, H, W, C), the examples as they stand.
        threat: norm and radius of the evaluation.
        radii: of the curve, as shares of eps.
        attack_at: threat -> the attack at one radius.
        attack_all: (attack, row numbers, seed) -> what it makes of these examples, or None
            where time has run out.
        seed: of every draw.
        minimal: an attack that looks for the smallest perturbation, or None.
        wrong: (images float32 (M, H, W, C), row numbers) -> bool (M,), whether the model is
            wrong about them; with it, examples are drawn back towards the clean ones. None for
            a model whose answers change.
    """
    if minimal is not None:
        rows = np.flatnonzero(nearest.distance > 0)
        nearest = _attacked(nearest, rows, minimal, attack_all, derive(seed, "minimal"))
    if wrong is not None:
        nearest = drawn_back(nearest, clean, threat.norm, wrong)
    grid = sorted(threat.eps * share for share in radii)
    for eps in grid:
        rows = np.flatnonzero(nearest.robust(eps))
        attack = attack_at(replace(threat, eps=eps))
        # at the radius of the evaluation the whole suite has been at work
        if eps != threat.eps:
            nearest = _attacked(nearest, rows, attack, attack_all, derive(seed, "curve", eps))
            if wrong is not None:
                nearest = drawn_back(nearest, clean, threat.norm, wrong)
    return nearest, Curve.of(nearest, np.array([0.0, *grid]), attack_at(threat))


def drawn_back(
    nearest: Nearest,
    clean: np.ndarray,
    norm: str,
    wrong: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Nearest:
    """Halve the way back to the clean example, again and again, as long as the model is wrong.

    Args:
        nearest: what is known.
        clean: float32 (N, H, W, C).
        norm: of the distance.
        wrong: as for `refine`.
    """
    rows = np.flatnonzero((nearest.distance > 0) & np.isfinite(nearest.distance))
    if len(rows) == 0:
        return nearest
    start, way = clean[rows], nearest.x[rows] - clean[rows]
    low, high = np.zeros(len(rows), np.float32), np.ones(len(rows), np.float32)
    best = nearest.x[rows].copy()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        moved = start + middle[:, None, None, None] * way
        hit = wrong(moved, rows)
        best[hit] = moved[hit]
        low, high = np.where(hit, low, middle), np.where(hit, middle, high)
    x, distance = nearest.x.copy(), nearest.distance.copy()
    shorter = distances(start, best)[norm]
    part = shorter < distance[rows]
    x[rows[part]], distance[rows[part]] = best[part], shorter[part]
    return Nearest(x, distance)


def _attacked(nearest, rows, attack, attack_all, seed) -> Nearest:
    case = attack_all(attack, rows, seed) if len(rows) else None
    if case is None:
        return nearest
    return nearest.with_rows(rows, case, attack.threat)
