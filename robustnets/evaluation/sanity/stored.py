"""Checks of the examples as they are stored, all N of them.

Source: Carlini et al. 2019, arXiv:1902.06705, sec. 4; Croce & Hein 2020, arXiv:2003.01690 (what
the authors' code prints in the end).
"""

import numpy as np
from scipy import stats

from robustnets.attacks.balls import distances, pixels
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.sanity.check import Finding, Unchecked, graded, level_of_count
from robustnets.evaluation.sanity.evidence import Evidence, wrong, wrong_times
from robustnets.evaluation.worst_case import WRONG, WorstCase

CHANCE = 0.001  # that an outcome turns although nothing changed but the draws
LOST = 0.1  # share of the successes that rounding to 8 bits may undo


def ball(e: Evidence) -> Finding:
    """FAIL if any stored example is farther from its clean one than eps and rounding."""
    found = _found(e)
    moved = lengths(found.clean, found.x, e.threat)
    outside = np.count_nonzero(~(moved <= _radius(e.threat)))
    number = f"{outside} of {len(moved)} outside; farthest {moved.max():.6g} of {e.threat.eps:.6g}"
    remedy = "The attack leaves its ball: project its examples, and count success after that."
    return graded("FAIL" if outside else "PASS", number, remedy, int(outside), len(moved))


def box(e: Evidence) -> Finding:
    """FAIL if any stored value is outside the box, or not a number."""
    found, low, high = _found(e), e.threat.low, e.threat.high
    inside = ((found.x >= low) & (found.x <= high)).reshape(len(found.x), -1).all(axis=1)
    number = f"{(~inside).sum()} of {len(found.x)} outside [{low:g}, {high:g}]"
    remedy = "The attack leaves the box of valid inputs: clip, and count success after that."
    count = int((~inside).sum())
    return graded("FAIL" if count else "PASS", number, remedy, count, len(found.x))


def reproduced(e: Evidence) -> Finding:
    """The model, asked again, is right where the evaluation says so and wrong where it does.

    FAIL if more than 2 examples and 2 % are not as stored, WARN for any. For a model that draws
    at random, outcomes that fresh draws turn by chance are as stored.
    """
    found = _found(e)
    clean = _contradicted(e, found.clean, found.broken_by == WRONG)
    broken = (found.broken_by >= 0) & _contradicted(e, found.x, np.ones(len(found.y), bool))
    number = f"{clean.sum()} clean and {broken.sum()} broken ones are not, of {len(found.y)}"
    remedy = "Stored outcomes do not come back: is this the same model, in inference mode?"
    count, n = int((clean | broken).sum()), len(found.y)
    return graded(level_of_count(count, n), number, remedy, count, n)


def _contradicted(e: Evidence, x: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """bool (N,): whose fresh evaluations say clearly the opposite of what is stored.

    Of an example that is wrong in as large a share of draws as a success needs, so few wrong
    evaluations, or for the opposite so many, come up with a probability of less than `CHANCE`.
    """
    found = _found(e)
    times, share = found.evaluations, found.needed / found.evaluations
    counts = wrong_times(e.classifier, x, found.y, times)
    if times == 1:
        return (counts == 1) != stored
    few = stats.binom.cdf(counts, times, share) < CHANCE
    many = stats.binom.sf(counts - 1, times, share) < CHANCE
    return np.where(stored, few, many)


def in_uint8(e: Evidence) -> Finding:
    """Whether adversarial examples are still adversarial as images of 8 bits.

    WARN if rounding undoes more than 10 % of the successes, and more than 2: they are then no
    images that anybody could send. It does not make a robust accuracy too high.
    """
    found = _found(e)
    broken = found.broken_by >= 0
    if not broken.any():
        raise Unchecked("nothing was broken", "")
    images = rounded(found.x[broken], e.threat)
    lost = int((~wrong(e.classifier, images, found.y[broken], found)).sum())
    level = "WARN" if lost > max(2, LOST * broken.sum()) else "PASS"
    number = f"{broken.sum() - lost} of {broken.sum()} successes are left"
    remedy = "Successes hang on fractions of a grey level: report those of rounded images too."
    return graded(level, number, remedy)


def rounded(x: np.ndarray, threat: ThreatModel) -> np.ndarray:
    """The nearest images of 256 levels between the ends of the box: float32 (N, H, W, C)."""
    wide = threat.high - threat.low
    levels = np.round((x.astype(np.float64) - threat.low) / wide * 255)
    return (threat.low + levels / 255 * wide).astype(np.float32)


def lengths(clean: np.ndarray, x: np.ndarray, threat: ThreatModel) -> np.ndarray:
    """How far each example was moved: (N,). In l0 pixels count, which are fewer than values."""
    return pixels(clean, x) if threat.norm == "l0" else distances(clean, x)[threat.norm]


def inside(clean: np.ndarray, x: np.ndarray, threat: ThreatModel) -> np.ndarray:
    """bool (N,): who is in the ball, up to rounding, and in the box."""
    flat = x.reshape(len(x), -1)
    boxed = ((flat >= threat.low) & (flat <= threat.high)).all(axis=1)
    return boxed & (lengths(clean, x, threat) <= _radius(threat))


def _radius(threat: ThreatModel) -> float:
    return threat.eps + threat.slack


def _found(e: Evidence) -> WorstCase:
    if e.found is None:
        raise Unchecked("there is no evaluation", "Run one.")
    return e.found
