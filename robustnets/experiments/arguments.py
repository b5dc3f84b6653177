"""Words of the command line that several commands share; imports nothing heavy."""

import math
from typing import Any

from robustnets.core.threat import number

ANY_EPS = "give --any-eps"  # how the commands are told that a radius beyond the box is meant


def radius(text: str) -> float:
    """A finite number, or a fraction such as "8/255".

    Raises:
        ValueError: for anything else.
    """
    return float(number("eps", text))


def input_range(text: str | None) -> tuple[float, float]:
    """The smallest and the largest value that a model's inputs take: "-1,1"; None is 0 to 1.

    Raises:
        ValueError: for anything else.

    Example:
        >>> input_range("-1,1"), input_range("0, 255"), input_range(None)
        ((-1.0, 1.0), (0.0, 255.0), (0.0, 1.0))
    """
    if text is None:
        return 0.0, 1.0
    parts = text.strip().strip("[]()").split(",")
    try:
        low, high = (float(number("input range", part)) for part in parts)
    except ValueError:
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"the input range must be the smallest and the largest value, such as -1,1 or 0,255, "
            f"got {text!r}"
        )
    return low, high


def limits(budget: str | None) -> dict[str, Any]:
    """What a budget in words means for `worst_case`: minutes ("10m", "0.5m") or queries ("2000").

    Raises:
        ValueError: for anything else, and for a budget of nothing.
    """
    if budget is None:
        return {}
    of_time = budget.endswith("m")
    try:
        amount = float(budget[:-1]) if of_time else int(budget)
    except ValueError:
        raise ValueError(f"budget must be minutes such as 10m or queries, got {budget!r}") from None
    if of_time and not (math.isfinite(amount) and amount > 0):
        raise ValueError(f"a budget of time must be finite and > 0m, got {budget!r}")
    if not of_time and amount < 2:
        raise ValueError(f"a budget of queries must be >= 2, got {budget!r}")
    return {"time_budget": 60 * amount} if of_time else {"query_budget": amount}
