"""Words of the command line that several commands share; imports nothing heavy."""

from fractions import Fraction
from typing import Any


def radius(text: str) -> float:
    """A number, or a fraction such as "8/255".

    Raises:
        ValueError: for anything else.
    """
    try:
        return float(Fraction(text.replace(" ", "")))
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"eps must be a number or a fraction such as 8/255, got {text!r}"
        ) from None


def limits(budget: str | None) -> dict[str, Any]:
    """What a budget in words means for `worst_case`: minutes ("10m", "0.5m") or queries ("2000").

    Raises:
        ValueError: for anything else.
    """
    if budget is None:
        return {}
    try:
        if budget.endswith("m"):
            return {"time_budget": 60 * float(budget[:-1])}
        return {"query_budget": int(budget)}
    except ValueError:
        raise ValueError(f"budget must be minutes such as 10m or queries, got {budget!r}") from None
