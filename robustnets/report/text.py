"""Numbers in running text."""

from collections.abc import Sequence

import numpy as np

from robustnets.report.cells import Bounded, points


def percent_text(interval: Bounded, digits: int = 1) -> str:
    """An estimate with its bounds: "97.5 % (97.4 to 97.6)"; without bounds where there are none."""
    estimate, low, high = (100 * v for v in (interval.estimate, interval.low, interval.high))
    if not np.isfinite(low):
        return f"{estimate:.{digits}f} %"
    return f"{estimate:.{digits}f} % ({low:.{digits}f} to {high:.{digits}f})"


def points_text(interval: Bounded, digits: int = 2) -> str:
    """A difference of rates in percentage points: "+0.04 (−0.06 to +0.14)"."""
    text = points(interval.estimate, digits)
    if not np.isfinite(interval.low):
        return text
    return f"{text} ({points(interval.low, digits)} to {points(interval.high, digits)})"


def p_text(p: float) -> str:
    """A p-value: "p < 0.001", "p = 0.217"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def range_text(rates: Sequence[float], digits: int = 1) -> str:
    """The span of some rates: "60.4 to 77.7 %", or one number where they read alike."""
    low, high = (f"{100 * v:.{digits}f}" for v in (min(rates), max(rates)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    *head, tail = words
    return f"{', '.join(head)} {last} {tail}" if head else tail
