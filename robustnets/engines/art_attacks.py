"""ART's attacks that look for a success: DeepFool and Carlini-Wagner; see `art_queries` too.

What is worked around, always towards what the spec asks for:
- its DeepFool multiplies its steps by the width of the box, and its Carlini-Wagner measures
  distances in input units where the spec measures them in a box of width 1: both are given a
  box of width 1, and their results are mapped back, values that did not change bit for bit;
- its DeepFool with few candidates takes those of all images of a batch together, and one image at
  a time loses its way (a quarter of the digits fail that succeed with all classes): refused;
- its Carlini-Wagner takes a c that it has not tried yet for too small, and so never halves
  anything: it is asked for one round at a time, and c is chosen here;
- it calls a Carlini-Wagner example a success where rounding hides the margin: asked again.
Left so: DeepFool has no steps in the box, applies the overshoot once, after the last
step, and goes on until all examples of a batch are across; Carlini-Wagner searches along the
gradient where the spec has Adam, and does not give up rounds.

Passes are counted where the model is called, ART's own logs included, and are the mean of a
batch: in DeepFool because every image takes part until the last one is done, in Carlini-Wagner
because ART does not tell whose they were.
"""

from typing import Any

import numpy as np

from robustnets.attacks.carlini_wagner import CarliniWagner
from robustnets.attacks.deepfool import DeepFool
from robustnets.attacks.hop_skip_jump import HopSkipJump
from robustnets.attacks.one_pixel import OnePixel
from robustnets.engines import art_queries, peers
from robustnets.engines.art_model import Asked
from robustnets.engines.job import Job, Outcome


def supports(attack: Any) -> bool:
    """Whether ART has the same attack, one of these four."""
    kind = type(attack)
    if kind is DeepFool:
        return attack.threat.norm == "l2" and attack.candidates is None
    if kind is CarliniWagner:
        return attack.inside == CarliniWagner(attack.threat).inside
    return kind in (HopSkipJump, OnePixel) and attack.budget is None


def generate(job: Job) -> Outcome:
    """Attack checked arrays with one of the four; ART is imported already."""
    import tensorflow as tf

    # TensorFlow warns of gradients taken inside of a tape, which ART does
    log = tf.get_logger()
    level = log.level
    log.setLevel("ERROR")
    try:
        with np.errstate(invalid="ignore", divide="ignore"):
            return _TRANSLATIONS[type(job.attack)](job, Asked(job))
    finally:
        log.setLevel(level)


def _deepfool(job: Job, asked: Asked) -> Outcome:
    from art.attacks.evasion import DeepFool as Theirs

    attack = job.attack
    method = Theirs(
        asked.estimator(),
        max_iter=attack.steps,
        epsilon=float(attack.overshoot),
        nb_grads=asked.classes,
        batch_size=job.batch_size,
        verbose=False,
    )

    def attack_part(x, y, seeds):
        return asked.back(method.generate(asked.unit(x)), x), *asked.take()

    return peers.in_parts(attack_part, job, job.batch_size)


def _carlini_wagner(job: Job, asked: Asked) -> Outcome:
    from art.attacks.evasion import CarliniL2Method

    attack = job.attack
    method = CarliniL2Method(
        asked.estimator(),
        confidence=float(attack.confidence),
        targeted=attack.targeted,
        learning_rate=float(attack.rate),
        binary_search_steps=1,
        max_iter=attack.steps,
        batch_size=job.batch_size,
        verbose=False,
    )
    one_hot = np.eye(asked.classes, dtype=np.float32)

    def one_round(x, y, c):
        method.initial_const = c
        return asked.back(method.generate(asked.unit(x), y=one_hot[y]), x), *asked.take()

    return peers.in_rounds(one_round, job)


_TRANSLATIONS = {
    DeepFool: _deepfool,
    CarliniWagner: _carlini_wagner,
    HopSkipJump: art_queries.hop_skip_jump,
    OnePixel: art_queries.one_pixel,
}
