"""Several comparisons at once: a declared family, and its adjusted p-values."""

from collections.abc import Sequence

from statsmodels.stats.multitest import multipletests


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment over a declared family.

    Args:
        p_values: raw p-values in [0, 1], any order.

    Returns:
        Adjusted p-values, in the same order.

    Source: Holm 1979 (statsmodels computes it).

    Example:
        >>> holm([0.01, 0.04])
        [0.02, 0.04]
    """
    if not p_values:
        return []
    return [float(p) for p in multipletests(list(p_values), method="holm")[1]]
