"""Whether a number may be called a robust accuracy, or is an upper bound of one."""

from collections.abc import Callable, Sequence

import numpy as np

from robustnets.core.threat import ThreatModel
from robustnets.evaluation.outcome import WorstCase
from robustnets.evaluation.sanity import QUICK, Check, headline_holds, sanity_block
from robustnets.evaluation.sanity.check import graded, level_of_pair
from robustnets.evaluation.subject import Subject
from robustnets.evaluation.suites import Suite
from robustnets.evaluation.threats import strongest

INFORMED = "knowing the defense helps"


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
    return sanity_block(
        source, x, y, found, threat=threat, seed=seed, examples=examples or suite.checked,
        attack=attack, only=None if examples else QUICK, progress=progress,
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
    return Check(INFORMED, *graded(level_of_pair(broken, blind), number, remedy))


def reasons(
    checks: Sequence[Check], recipe: tuple[bool, str], found: WorstCase, left_out: Sequence[str]
) -> tuple[str, ...]:
    """Why the number is only an upper bound, one sentence each; none: the number stands."""
    known, why = recipe
    said = [] if known else [why]
    if not headline_holds(checks):
        failed = [check.name for check in checks if check.level == "FAIL"]
        many = "sanity check fails" if len(failed) == 1 else "sanity checks fail"
        said.append(f"{len(failed)} {many}: {', '.join(failed)}.")
    if left_out or not found.finished:
        said.append("A budget left something out or cut it short.")
    return tuple(said)
