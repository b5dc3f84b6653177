"""The interval of CSDS440, section 3.2.1, kept to print beside the paired one."""

import math

from robustnets.stats.intervals import Interval


def unpaired_normal(
    first: int, n_first: int, second: int, n_second: int, z: float = 1.96
) -> Interval:
    """Normal interval for the difference of two rates as if they came from different examples.

    Not one to rely on. On the same examples it ignores the pairing and is too wide wherever
    outcomes agree, and at rates near 0 and 1 it is too narrow (no width at all at 0 of n
    against 0 of n). `paired_rates` and `independent_rates` replace it.

    Args:
        first: successes of the first, 0 <= first <= n_first.
        n_first: its examples, >= 1.
        second: successes of the second.
        n_second: its examples, >= 1.
        z: the quantile, > 0; the report rounds that of 95 % to 1.96, and its printed
            digits need that.

    Returns:
        Rate of the first minus rate of the second; its n is the smaller one. The bounds are
        not held within [-1, 1].

    Raises:
        ValueError: for impossible counts or z.

    Source: CSDS440 comparative study, section 3.2.1.

    Example:
        >>> i = unpaired_normal(2990, 10_000, 2881, 10_000)
        >>> round(i.low, 12), round(i.high, 11)
        (-0.001721812443, 0.02352181244)
    """
    if not 0 < z < math.inf:
        raise ValueError(f"z must be finite and > 0, got {z}")
    for successes, n in ((first, n_first), (second, n_second)):
        if n < 1 or not 0 <= successes <= n:
            raise ValueError(f"successes must lie in 0..n with n >= 1, got {successes} of {n}")
    p, q = first / n_first, second / n_second
    half = z * math.sqrt(p * (1 - p) / n_first + q * (1 - q) / n_second)
    return Interval(
        p - q, p - q - half, p - q + half, min(n_first, n_second), f"unpaired normal, z = {z:g}"
    )
