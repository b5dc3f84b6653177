"""Several comparisons at once: a declared family, and its adjusted p-values."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from statsmodels.stats.multitest import multipletests

Key = TypeVar("Key", bound=Hashable)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment over a declared family.

    Args:
        p_values: raw p-values in [0, 1], any order.

    Returns:
        Adjusted p-values, in the same order.

    Raises:
        ValueError: for a p-value outside [0, 1], NaN included.

    Source: Holm 1979 (statsmodels computes it).

    Example:
        >>> holm([0.01, 0.04])
        [0.02, 0.04]
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"a p-value lies in [0, 1], got {p}")
    if not p_values:
        return []
    return [float(p) for p in multipletests(list(p_values), method="holm")[1]]


@dataclass(frozen=True, slots=True)
class Adjusted(Generic[Key]):
    """One comparison of a family.

    Args:
        comparison: which one.
        p: its raw p-value.
        adjusted: its p-value after Holm's adjustment.
        family: how many comparisons were declared.
    """

    comparison: Key
    p: float
    adjusted: float
    family: int


def adjust(declared: Sequence[Key], p_values: Mapping[Key, float]) -> list[Adjusted[Key]]:
    """Adjust over a family that was declared before its p-values were seen.

    A comparison that is left out, or added, after the fact makes the adjustment worthless, so
    the p-values must be those of the declared comparisons, all of them and no others.

    Args:
        declared: the comparisons, each once.
        p_values: the raw p-value of each.

    Returns:
        In the order of the declaration.

    Raises:
        ValueError: for a repeated, a missing or an undeclared comparison, or no p-value.

    Example:
        >>> [(a.comparison, a.p, a.adjusted) for a in adjust(["A", "B"], {"B": 0.01, "A": 0.04})]
        [('A', 0.04, 0.04), ('B', 0.01, 0.02)]
    """
    if len(set(declared)) != len(declared):
        raise ValueError(f"each comparison is declared once, got {list(declared)}")
    missing = [key for key in declared if key not in p_values]
    extra = [key for key in p_values if key not in set(declared)]
    if missing or extra:
        raise ValueError(
            "the family is what was declared: "
            f"p-values are missing for {missing} and were not declared for {extra}"
        )
    adjusted = holm([p_values[key] for key in declared])
    return [
        Adjusted(key, p_values[key], p, len(declared))
        for key, p in zip(declared, adjusted, strict=True)
    ]
