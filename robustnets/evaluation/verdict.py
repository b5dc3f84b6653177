"""Whether a number may be called a robust accuracy, or is an upper bound of one."""

from collections.abc import Callable, Sequence

import numpy as np

from robustnets.core.threat import ThreatModel
from robustnets.evaluation.outcome import WorstCase
from robustnets.evaluation.sanity import CHECKS, OWN_GRADIENTS, QUICK, Check, sanity_block
from robustnets.evaluation.sanity.check import graded, level_of_pair
from robustnets.evaluation.sanity.probes import by_queries
from robustnets.evaluation.subject import Subject
from robustnets.evaluation.suites import Suite
from robustnets.evaluation.threats import strongest

INFORMED = "knowing the defense helps"
FEW = 10  # examples: a verdict that hangs on so many may turn with others


def checks_of(
    subject: Subject,
    suite: Suite,
    x: np.ndarray,
    y: np.ndarray,
    found: WorstCase,
    *,
    threat: ThreatModel,
    seed: int,
    examples: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Check, ...]:
    """The sanity block, of the model as the best-informed attacker differentiates it.

    A substitute's gradients are knowingly not those of the model, and are not checked for that.

    Args:
        subject: the model.
        suite: whose tested attack is looked at.
        x, y: the examples.
        found: the worst of all attackers.
        threat: norm and radius.
        seed: of every draw.
        examples: that the attacks of the checks are run on; 0 leaves out the checks that run
            attacks.
        progress: as for `sanity_block`.
    """
    attack, source = strongest(subject, suite, suite.tested(threat))
    names = tuple(name for name, _ in CHECKS) if examples else QUICK
    if source is subject.substitute:
        names = tuple(name for name in names if name != OWN_GRADIENTS)
    return sanity_block(
        source, x, y, found, threat=threat, seed=seed, examples=examples or suite.checked,
        attack=attack, only=names, progress=progress,
    )  # fmt: skip


def informed(gray: WorstCase, others: Sequence[WorstCase]) -> Check:
    """Whether attackers who know the defense break at least what one does who does not.

    Args:
        gray: what examples crafted without the defense broke.
        others: what attackers broke who follow gradients through it.
    """
    broken = np.any([case.broken_by >= 0 for case in others], axis=0)
    blind = gray.broken_by >= 0
    number = (
        f"through the defense {broken.sum()}, without it {blind.sum()} of {len(blind)} "
        f"({(blind & ~broken).sum()} by the latter alone)"
    )
    remedy = (
        "Who does not know the defense breaks more than who does: its gradients mislead, so "
        "declare a better substitute, more draws or a loss of its own."
    )
    count = int((blind & ~broken).sum())
    return Check(INFORMED, *graded(level_of_pair(broken, blind), number, remedy, count, len(blind)))


def reasons(
    checks: Sequence[Check], recipe: tuple[bool, str], found: WorstCase, left_out: Sequence[str]
) -> tuple[str, ...]:
    """Why the number is only an upper bound, one sentence each; none: the number stands."""
    known, why = recipe
    said = [] if known else [why]
    failed = [check for check in checks if check.level == "FAIL"]
    if failed:
        said.append(_failures(failed))
    queried = [part for part in found.parts if by_queries(part.attack)]
    if not any(part.finished for part in queried):
        said.append(
            "No attack by queries was compared with those by gradients, so that gradients that "
            "mislead would not show."
        )
    if left_out or not found.finished:
        said.append("A budget left something out or cut it short.")
    return tuple(said)


def _failures(failed: Sequence[Check]) -> str:
    """Which checks fail, and whether the verdict hangs on little."""
    many = "sanity check fails" if len(failed) == 1 else "sanity checks fail"
    said = f"{len(failed)} {many}: {', '.join(check.name for check in failed)}."
    (one, *others) = failed
    if others or one.against is None:
        return said
    examples = "example" if one.against == 1 else "examples"
    said += f" The verdict rests on this one check, on {one.against} of {one.of} {examples}"
    if one.against <= FEW:
        return f"{said}, which is few: look at more of them."
    return f"{said}."
