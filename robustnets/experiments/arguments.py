"""Words of the command line that several commands share; imports nothing heavy."""

import math
from typing import Any


def radius(text: str) -> float:
    """A finite number, or a fraction such as "8/255".

    Raises:
        ValueError: for anything else.
    """
    try:
        # not by way of fractions.Fraction, which takes forever for 1e999999999
        above, slash, below = text.partition("/")
        found = float(above) / (float(below) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"eps must be a number or a fraction such as 8/255, got {text!r}")
    return found


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
