"""The unit test of an attack: a network of the same inputs, in which a way to win was planted.

Source: Zimmermann et al. 2022, arXiv:2206.13991.
Deviations: the way is planted in a network of one hidden unit over the same input space, not in
the readout of the model's own features.
"""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from robustnets import engines
from robustnets.attacks import Noise
from robustnets.core.seeds import derive
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.sanity.check import Finding, Unchecked, graded
from robustnets.evaluation.sanity.evidence import Evidence
from robustnets.evaluation.sanity.probes import by_gradient, named, probe
from robustnets.models.classifier import Classifier

EXAMPLES = 16
SHARE = 0.9  # of the best that the ball allows: what an attack must reach
MISSED = 1  # examples that an attack may miss


def finds_planted(e: Evidence) -> Finding:
    """The evaluation's attacks with gradients find what was planted in 16 examples.

    FAIL if all of them together miss more than one, WARN if one alone does, or if noise finds
    more than one, which would make the test too easy.
    """
    attacks = [a for a in e.attacks if by_gradient(a)] or [e.under_test]
    if e.threat.norm == "l0":
        raise Unchecked("gradients find nothing planted in l0", "")
    if e.threat.eps == 0:
        raise Unchecked("eps is 0", "")
    seed = derive(e.seed, "sanity", "planted")
    victim, x, y = plant(e.threat, e.classifier.image_shape, e.classifier.classes, seed)

    def hits(attack: Any) -> np.ndarray:
        attack = replace(attack, threat=e.threat)
        return engines.run(attack, victim, x, y, seed=seed, attack_wrong=True).success

    hit = [hits(attack) for attack in attacks]
    lucky = e.threat.norm in Noise.norms and hits(probe("noise", e.threat)).sum() > MISSED
    missed = [name for name, rows in zip(map(named, attacks), hit) if (~rows).sum() > MISSED]
    level = "WARN" if missed or lucky else "PASS"
    if (~np.any(hit, axis=0)).sum() > MISSED:
        level = "FAIL"
    # several attackers may use attacks that differ in their steps alone
    counts = dict.fromkeys(f"{named(a)} {rows.sum()}" for a, rows in zip(attacks, hit))
    number = ", ".join(counts)
    remedy = f"Missed by {', '.join(dict.fromkeys(missed))}: check step size, steps, box and norm."
    if lucky:
        remedy = "Noise finds it too: eps is large for this test to tell anything."
    left = int((~np.any(hit, axis=0)).sum())
    return graded(level, f"of {len(x)}: {number}", remedy, left, len(x))


def plant(
    threat: ThreatModel, shape: tuple[int, ...], classes: int, seed: int
) -> tuple[Classifier, np.ndarray, np.ndarray]:
    """A network that is right on all examples, and wrong at 90 % of the best change of each.

    The score is linear; a tanh squashes it, so that gradients differ by orders of magnitude
    between here and there. All classes but the first two are out of reach.

    Args:
        threat: norm "linf", "l2" or "l1".
        shape: (H, W, C).
        classes: K >= 2.
        seed: of weights and examples.

    Returns:
        The network; x, float32 (16, H, W, C), around the middle of the box; y, all 0.
    """
    rng = np.random.default_rng(seed)
    wide = threat.high - threat.low
    size = int(np.prod(shape))
    w = rng.uniform(0.5, 1.5, size) * rng.choice([-1.0, 1.0], size)
    x = threat.low + wide * rng.uniform(0.4, 0.6, (EXAMPLES, size))
    score = x @ w
    x -= np.outer(score - score.mean(), w) / (w @ w)  # all scores are alike
    room = np.where(w > 0, threat.high - x, x - threat.low)
    needed = SHARE * min(reach(np.abs(w), row, threat) for row in room)
    scale = 3 / needed
    # a convolution, because compiling loops over dense layers with XLA takes seconds
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(1, shape[:2], activation="tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(classes),
        ]
    )
    ends = np.full(classes, -20.0)
    ends[:2] = 0
    slopes = np.zeros(classes)
    slopes[:2] = -5, 5
    weights = (
        (scale * w).reshape(*shape, 1),
        np.array([-scale * (score.mean() + needed)]),
        slopes[None],
        ends,
    )
    model.set_weights([part.astype(np.float32) for part in weights])
    images = x.reshape(-1, *shape).astype(np.float32)
    return Classifier(model), images, np.zeros(EXAMPLES, np.int64)


def reach(w: np.ndarray, room: np.ndarray, threat: ThreatModel) -> float:
    """The most that sum(w * d) can be for 0 <= d <= room in the ball.

    Args:
        w: float (d,), > 0.
        room: float (d,), >= 0, how far the box lets each value move.
        threat: norm "linf", "l2" or "l1".

    Example:
        >>> round(reach(np.array([3.0, 1.0]), np.array([0.4, 0.4]), ThreatModel("l1", 0.5)), 6)
        1.3
    """
    if threat.norm == "linf":
        return float(w @ np.minimum(room, threat.eps))
    if threat.norm == "l1":
        order = np.argsort(-w)
        before = np.cumsum(room[order]) - room[order]
        return float(w[order] @ np.clip(threat.eps - before, 0, room[order]))
    low, high = 0.0, float((room / w).max())
    for _ in range(60):
        middle = (low + high) / 2
        if np.linalg.norm(np.minimum(middle * w, room)) <= threat.eps:
            low = middle
        else:
            high = middle
    return float(w @ np.minimum(low * w, room))
