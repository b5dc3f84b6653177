"""One integer seed, split by name, so that every draw says what it is for."""

import hashlib


def derive(seed: int, *names: object) -> int:
    """Derive an independent seed for a named purpose.

    Args:
        seed: the parent seed.
        names: what the draws are for, such as "shuffle", 3.

    Returns:
        int in [0, 2**31), the same on every machine and Python version.

    Example:
        >>> derive(0, "shuffle", 1) == derive(0, "shuffle", 1) != derive(0, "shuffle", 2)
        True
    """
    text = "/".join([str(int(seed)), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
