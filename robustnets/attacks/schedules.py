"""When Auto-PGD judges its steps, and how.

Source: Croce & Hein 2020, arXiv:2003.01690, sec. 3.1 (linf, l2); Croce & Hein 2021,
arXiv:2103.01208, sec. 3 (l1).
"""

from typing import Any, NamedTuple

import numpy as np
from keras import ops

RISING = 0.75  # rho: share of steps that must raise the loss
RADII = (3.0, 2.0, 1.0)  # l1: times eps, for 30 %, 30 % and 40 % of the steps


class Plan(NamedTuple):
    """What happens at each look at the iterate of one restart; arrays of one length.

    `begins`: whether it is a starting point. `windows`: at a checkpoint, the number of steps
    since the last one, else 0. `radii`: of the ball that it lies in, times eps.
    """

    begins: np.ndarray
    windows: np.ndarray
    radii: np.ndarray


def plan(steps: int, sparse: bool, large_radii: bool) -> Plan:
    """The looks of one restart, one more than steps in each of its balls.

    Args:
        steps: of the restart.
        sparse: checkpoints as in l1, at every 4 % of the steps in one ball.
        large_radii: whether the steps are shared by `RADII`.
    """
    shares = [steps]
    if large_radii:
        shares = [steps * 3 // 10, steps * 3 // 10, steps - 2 * (steps * 3 // 10)]
    begins, windows, radii = [], [], []
    for count, radius in zip(shares, RADII if large_radii else (1.0,)):
        every = max(count * 4 // 100, 1)
        marks = range(every, count + 1, every) if sparse else checkpoints(count)
        before = 0
        for look in range(count + 1):
            begins.append(look == 0)
            radii.append(radius)
            windows.append(look - before if look in marks else 0)
            before = look if look in marks else before
    return Plan(np.array(begins), np.array(windows, np.int32), np.array(radii, np.float32))


def checkpoints(steps: int) -> tuple[int, ...]:
    """The steps after which the step size is judged (2003.01690, sec. 3.1).

    Args:
        steps: of one restart.

    Example:
        >>> checkpoints(100)
        (22, 41, 57, 70, 80, 87, 93, 99)
    """
    # in hundredths, which have no rounding errors
    found, before, now = [], 0, 22
    while now <= 100:
        found.append(-(-now * steps // 100))
        before, now = now, now + max(now - before - 3, 6)
    return tuple(sorted(set(found)))


def stalls(risen: Any, window: Any, higher: Any, slowed: Any) -> Any:
    """Whether the step size is halved at a checkpoint: condition 1 or 2 of 2003.01690, sec. 3.1.

    Args:
        risen: int32 (N,), steps since the last checkpoint that raised the loss.
        window: int32 (N,), steps since the last checkpoint.
        higher: bool (N,), whether the highest loss rose since then.
        slowed: bool (N,), whether the step size was halved then.

    Returns:
        bool (N,).
    """
    few = ops.cast(risen, "float32") < RISING * ops.cast(window, "float32")
    return ops.logical_or(few, ops.logical_not(ops.logical_or(higher, slowed)))


def look_up(column: Any, state: dict[str, Any], ahead: int = 0) -> Any:
    """The entry (N,) of a plan's column for each example, or that of its next look."""
    place = ops.minimum(state["taken"] + ahead, len(column) - 1)
    return ops.take(ops.convert_to_tensor(column), place, axis=0)
