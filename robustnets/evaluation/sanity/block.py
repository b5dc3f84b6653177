"""The sanity block of an evaluation: every check, those that run no attack first."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from robustnets.core.arrays import as_labels
from robustnets.core.seeds import derive
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.sanity import (
    forward,
    gradients,
    limits,
    planted,
    stored,
    strength,
    suite,
)
from robustnets.evaluation.sanity.check import Check, Finding, Unchecked
from robustnets.evaluation.sanity.evidence import Evidence
from robustnets.evaluation.worst_case import WorstCase
from robustnets.models.accept import classifier_of
from robustnets.models.classifier import Classifier

OWN_GRADIENTS = "gradients of its own"
WITHOUT_ATTACKS: tuple[tuple[str, Callable[[Evidence], Finding]], ...] = (
    ("logits, not probabilities", forward.probabilities),
    ("deterministic forward pass", forward.deterministic),
    ("batch invariance", forward.batch_invariant),
    ("number of classes", forward.classes),
    ("zero or NaN gradients", gradients.vanishing),
    (OWN_GRADIENTS, gradients.own),
    ("saturated logits", gradients.saturated),
    ("gradients in float64", gradients.in_float64),
    ("inside the ball", stored.ball),
    ("inside the box", stored.box),
    ("outcomes reproduced", stored.reproduced),
    ("8-bit round trip", stored.in_uint8),
    ("whole suite", suite.whole),
    ("broken by queries only", suite.only_black_box),
)
CHECKS: tuple[tuple[str, Callable[[Evidence], Finding]], ...] = (
    *WITHOUT_ATTACKS,
    ("planted example found", planted.finds_planted),
    ("iterative beats single-step", strength.iterative),
    ("white-box beats black-box", strength.white_box),
    ("white-box beats noise", strength.better_than_noise),
    ("label leaking", strength.label_leaking),
    ("unbounded eps reaches 0 %", limits.unbounded),
    ("monotone in eps", limits.monotone),
    ("more steps and restarts", limits.converged),
    ("no probe beats the suite", suite.unbeaten),
)
QUICK = tuple(name for name, _ in WITHOUT_ATTACKS)


def sanity_block(
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    found: WorstCase | None,
    *,
    threat: ThreatModel,
    seed: int,
    examples: int = 64,
    attack: Any = None,
    others: Mapping[str, np.ndarray] | None = None,
    only: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Check, ...]:
    """Check an evaluation, its model and its attacks.

    Checks of stored examples look at all of them; the others at `examples` drawn from them,
    and share the attacks that they run. Differences of up to 2 examples, or 2 % where that is
    more, pass as chance; each check says in its docstring what it takes for a failure.

    Args:
        classifier: the victim.
        x: float32 (N, H, W, C), the clean examples.
        y: class numbers (N,) or (N, 1), true labels.
        found: what `worst_case` made of them; None where there is no evaluation, as of a
            model that the engines refuse.
        threat: what the evaluation declares: norm, radius and box.
        seed: of every draw.
        examples: how many the attacks of the checks are run on, which is what the block costs.
        attack: the untargeted attack to test; None: the first with steps of gradients in the
            evaluation, or PGD of 40 steps.
        others: float32 (N, H, W, C) by name, adversarial examples for x made elsewhere, such
            as transferred ones or gray-box ones: they must not beat the evaluation.
        only: names in `CHECKS`, such as `QUICK`, those that run no attack; None: all of them.
        progress: called before each check with (its name, its number, how many there are).

    Returns:
        One `Check` each, in the order of `CHECKS`. What cannot be checked is a WARN that says
        why.

    Raises:
        ValueError: for arguments that do not fit each other, or an unknown name.
    """
    names = tuple(name for name, _ in CHECKS)
    wanted = names if only is None else tuple(only)
    classifier = classifier_of(classifier)
    y = as_labels(y)
    _verify(x, y, found, threat, examples, attack, others or {}, names, wanted)
    rows = np.sort(np.random.default_rng(derive(seed, "sanity")).permutation(len(x))[:examples])
    evidence = Evidence(
        classifier,
        x[rows],
        y[rows],
        rows,
        found,
        threat,
        seed,
        attack,
        {name: made[rows] for name, made in (others or {}).items()},
    )
    chosen = [(name, check) for name, check in CHECKS if name in wanted]
    made = []
    for number, (name, check) in enumerate(chosen):
        if progress is not None:
            progress(name, number, len(chosen))
        made.append(Check(name, *_carried_out(check, evidence)))
    return tuple(made)


def _carried_out(check: Callable[[Evidence], Finding], evidence: Evidence) -> Finding:
    try:
        return check(evidence)
    except Unchecked as why:
        return Finding("WARN", f"not checked: {why}", why.remedy)


def _verify(x, y, found, threat, examples, attack, others, names, wanted):
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 1:
        raise ValueError(f"examples must be an int >= 1, got {examples!r}")
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(f"x and y must hold the same N > 0 examples, got {len(x)} and {len(y)}")
    if found is not None:
        for what, theirs, ours in (("x", found.clean, x), ("y", found.y, y)):
            if not np.array_equal(theirs, ours):
                raise ValueError(f"found must be about x and y, its clean {what} is another one")
    for name, made in others.items():
        if made.shape != x.shape:
            raise ValueError(f"others[{name!r}] must be {x.shape}, got {made.shape}")
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(f"only must hold names of {', '.join(names)}, got {unknown[0]!r}")
    if attack is not None and (attack.targeted or attack.threat != threat):
        raise ValueError(f"attack must be untargeted, in {threat}, got {attack}")
