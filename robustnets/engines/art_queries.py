"""ART's attacks on labels and probabilities: HopSkipJump, and pixels by differential evolution.

What is worked around, always towards what the spec asks for:
- both are given a box of width 1, and their results are mapped back;
- HopSkipJump draws its start unseeded and takes no images to begin at in turn: the start is
  found here, and every image has its own seed;
- HopSkipJump never returns where no step, however short, is a success: broken off, and the
  last success is the result;
- the differential evolution is another one than the paper's ("best1bin" with a weight that is
  drawn, and it stops where the population agrees): it is given the spec's;
- the pixel attack takes every image to 255 and back, which changes every value a little: only
  the values of pixels that were changed on purpose are taken;
- the pixel attack minimises the output of class y: it is given probabilities or margins for
  outputs, by the spec's `loss`.
Left so: both attack one image at a time; HopSkipJump returns its last step, without a bisection
after it; the pixel attack has 256 levels of colour and uniform first colours, a population
rounded down to a multiple of the genome's length, redraws what leaves the image or the box, and
looks for a success once in a generation only.

Passes are each image's own, counted where the model is called, ART's own logs included.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustnets.attacks.hop_skip_jump import BLEND
from robustnets.engines import peers
from robustnets.engines.art_model import Asked, replaced
from robustnets.engines.job import Job, Outcome

CLOSE = 1e-6  # in a box of width 1: more than a way to 255 and back changes
HALVINGS = 200  # of a step: beyond these it is no step in float32


def hop_skip_jump(job: Job, asked: Asked) -> Outcome:
    """Attack checked arrays."""
    from art.attacks.evasion import HopSkipJump as Theirs

    attack = job.attack
    seen = Seen(asked, attack.targeted)
    method = Theirs(
        asked.oracle(seen.answer),
        batch_size=max(attack.max_eval, 1),
        targeted=attack.targeted,
        norm=peers.ORDERS[attack.threat.norm],
        max_iter=attack.max_iter,
        max_eval=attack.max_eval,
        init_eval=attack.init_eval,
        init_size=1,  # never used: it gets a start that is a success
        verbose=False,
    )
    one_hot = np.eye(asked.classes, dtype=np.float32)

    def attack_one(x, y, seeds):
        unit = asked.unit(x)
        seen.label, seen.failures = y[0], 0
        start = _start(attack, asked, unit, y[0], np.random.default_rng(seeds[0]))
        if start is None:
            return x, *asked.take()
        seen.success = start
        with peers.seeded(int(seeds[0])):
            try:
                # a copy, because it writes into what it is given
                found = method.generate(unit, y=one_hot[y], x_adv_init=start[None].copy())
            except Stuck:
                found = seen.success[None]
        return asked.back(found, x), *asked.take()

    return peers.in_parts(attack_one, job, 1)


class Stuck(Exception):
    """ART asks about shorter and shorter steps without end."""


@dataclass(eq=False, slots=True)
class Seen:
    """The last success that was asked about alone, and how many failures came after it."""

    asked: Asked
    targeted: bool
    label: int = 0
    failures: int = 0
    success: Any = None

    def answer(self, images: np.ndarray) -> np.ndarray:
        """The logits of images; raises Stuck after too many single failures."""
        logits = self.asked.logits(images).numpy()
        if len(images) == 1:
            hit = (logits.argmax(axis=1)[0] == self.label) == self.targeted
            self.failures = 0 if hit else self.failures + 1
            self.success = images[0].astype(np.float32) if hit else self.success
            if self.failures > HALVINGS:
                raise Stuck
        return logits


def _start(attack, asked, unit, label, rng):
    """A success to begin at, float32 (H, W, C), as `starts.search` looks for one, or None."""

    def hit(image):
        found = asked.logits(image[None]).numpy().argmax(axis=1)[0]
        return (found == label) == attack.targeted

    given = []
    if attack.starts is not None:
        labels = np.array(attack.starts.labels)
        fits = np.flatnonzero((labels == label) == attack.targeted)
        given = list(asked.unit(attack.starts.images)[rng.permutation(fits)])
    for i in range(attack.init_size):
        point = given[i] if i < len(given) else rng.random(asked.shape, np.float32)
        if hit(point):
            break
    else:
        return None
    if attack.threat.norm == "l2":
        return point
    low, high = 0.0, 1.0
    for _ in range(BLEND):
        middle = (low + high) / 2
        low, high = (low, middle) if hit(_blend(unit[0], point, middle)) else (middle, high)
    return _blend(unit[0], point, high)


def _blend(unit, point, fraction):
    return (unit + np.float32(fraction) * (point - unit)).astype(np.float32)


def one_pixel(job: Job, asked: Asked) -> Outcome:
    """Attack checked arrays.

    Raises:
        ValueError: for a population smaller than the genome.
    """
    from art.attacks.evasion import PixelAttack, pixel_threshold

    attack = job.attack
    count = min(attack.pixels, int(attack.threat.eps))
    if count < 1:
        none = np.zeros(len(job.x), np.int32)
        return Outcome(job.x.copy(), none, none.copy())
    length = 2 + asked.shape[-1]
    per_value = attack.population // (length * count)
    if per_value * length * count < 5:
        raise ValueError(
            f"ART needs a population of at least {max(5, length * count)} for {count} pixels, "
            f"got {attack.population}; use engine='native'"
        )
    outputs = _margins if attack.loss == "margin" else _probabilities
    method = PixelAttack(
        asked.oracle(lambda images: outputs(asked.logits(images).numpy())),
        th=count,
        max_iter=attack.generations,
        targeted=attack.targeted,
    )

    def attack_one(x, y, seeds):
        evolve = functools.partial(
            _evolve, pixel_threshold.differential_evolution, attack.weight, per_value, int(seeds[0])
        )
        with replaced(pixel_threshold, "differential_evolution", evolve):
            found = method.generate(asked.unit(x), y=y)
        return asked.back(found, x, CLOSE), *asked.take()

    return peers.in_parts(attack_one, job, 1)


def _evolve(evolution, weight, per_value, seed, function, bounds, **theirs):
    """Differential evolution as the spec has it, whatever ART asks for."""
    return evolution(
        function,
        bounds,
        strategy="rand1bin",
        mutation=weight,
        recombination=1,
        popsize=per_value,
        init="random",
        tol=0,
        atol=-1,
        polish=False,
        seed=seed,
        maxiter=theirs["maxiter"],
        callback=theirs["callback"],
    )


def _margins(logits):
    """By how much each class leads the best of the others, float32 (N, K)."""
    order = np.sort(logits, axis=1)
    best, second = order[:, -1:], order[:, -2:-1]
    return logits - np.where(logits == best, second, best)


def _probabilities(logits):
    from scipy.special import softmax

    return softmax(logits, axis=1)
