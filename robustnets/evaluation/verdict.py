"""Whether a number may be called a robust accuracy, or is an upper bound of one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from robustnets.core.threat import ThreatModel
from robustnets.evaluation.doubts import doubts
from robustnets.evaluation.outcome import WorstCase
from robustnets.evaluation.subject import Subject


def checks_of(
    subject: Subject, x: np.ndarray, y: np.ndarray, found: WorstCase, threat: ThreatModel, seed: int
) -> tuple[Any, ...]:
    """The sanity block: each check has `name`, `level`, `number` and `remedy`."""
    del x, y, threat, seed
    return doubts(subject.classifier, found)


def reasons(
    checks: Sequence[Any], recipe: tuple[bool, str], found: WorstCase, left_out: Sequence[str]
) -> tuple[str, ...]:
    """Why the number is only an upper bound, one sentence each; none: the number stands."""
    known, why = recipe
    said = [] if known else [why]
    failed = [check.name for check in checks if check.level == "FAIL"]
    if failed:
        many = "sanity check fails" if len(failed) == 1 else "sanity checks fail"
        said.append(f"{len(failed)} {many}: {', '.join(failed)}.")
    if left_out or not found.finished:
        said.append("A budget left attacks out or cut them short.")
    return tuple(said)
