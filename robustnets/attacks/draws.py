"""Random numbers of one example: a function of its seed and a counter, not of its batch.

A counter-based generator: the i-th number of (seed, stream, step) is a hash of the four, so
that nothing is carried from draw to draw, examples may leave and join a batch between two
draws, and both backends give the same numbers. The hash is lowbias32 of Chris Wellons' "Hash
function prospector" (2018), applied to the counter twice with a key of 64 bits between.

Not for secrets.
"""

import math
from typing import Any

from keras import ops

from robustnets import backend

GOLDEN, ODD = 0x9E3779B9, 0x85EBCA6B  # odd: multiplying by them permutes 32-bit integers


def bits(seeds: Any, shape: tuple[int, ...], stream: int, step: Any = 0) -> Any:
    """Random 32-bit integers.

    Args:
        seeds: int32 (N,), one per example.
        shape: of what is drawn for each example.
        stream: static int >= 0, what the draw is for; streams are independent.
        step: int, or int32 (N,), the how-manyth draw of this stream; steps are independent.

    Returns:
        uint32 (N, *shape), uniform over all 2^32 values.
    """
    own = _mix(ops.cast(seeds, "uint32") + _constant(stream * GOLDEN + 1))
    now = ops.cast(step, "uint32") * _constant(ODD) + _constant(stream * ODD + 7)
    first = _mix(ops.bitwise_xor(own, now))
    second = _mix(first * _constant(GOLDEN) + own)
    counter = ops.cast(ops.arange(math.prod(shape), dtype="int32"), "uint32") * _constant(GOLDEN)
    once = _mix(ops.bitwise_xor(counter[None], first[:, None]))
    return ops.reshape(_mix(once + second[:, None]), (-1, *shape))


def uniform(seeds: Any, shape: tuple[int, ...], stream: int, step: Any = 0) -> Any:
    """Uniform numbers in the open interval (0, 1), odd multiples of 2^-24; see `bits`.

    Returns:
        float32 (N, *shape), the same bits on every backend.
    """
    # 23 bits and a half are what float32 holds without rounding up to 1
    high = ops.cast(ops.right_shift(bits(seeds, shape, stream, step), _constant(9)), "float32")
    return (high + 0.5) * 2.0**-23


def signs(seeds: Any, shape: tuple[int, ...], stream: int, step: Any = 0) -> Any:
    """-1.0 or 1.0 with equal chance; see `bits`. float32 (N, *shape)."""
    high = ops.right_shift(bits(seeds, shape, stream, step), _constant(31))
    return ops.cast(high, "float32") * 2.0 - 1.0


def normal(seeds: Any, shape: tuple[int, ...], stream: int, step: Any = 0) -> Any:
    """Standard normal numbers, by Box and Muller (1958); see `bits`.

    Returns:
        float32 (N, *shape), between -5.8 and 5.8, equal on both backends up to rounding.
    """
    count = math.prod(shape)
    half = (count + 1) // 2

    @backend.fused
    def both(seeds, step):
        pairs = uniform(seeds, (2, half), stream, step)
        radius = ops.sqrt(-2.0 * ops.log(pairs[:, 0]))
        cosine, sine = _circle(pairs[:, 1])
        flat = ops.concatenate([radius * cosine, radius * sine], axis=1)
        return ops.reshape(flat[:, :count], (-1, *shape))

    return both(seeds, ops.convert_to_tensor(step, "int32"))


def _circle(turn: Any) -> tuple[Any, Any]:
    """Cosine and sine of 2 pi times a number in (0, 1), to 5e-7.

    Taylor series of half the angle, less pi / 2: XLA computes them several times faster on a
    CPU than its own cosine.
    """
    half = math.pi * (turn - 0.5)
    square = half * half
    sine = half * _series(square, 1)
    cosine = _series(square, 0)
    # the angle less pi has both signs turned
    return sine * sine - cosine * cosine, -2.0 * sine * cosine


def _series(square: Any, first: int) -> Any:
    """The sum of (-1)^k square^k / (2 k + first)! over k up to 6, by Horner's rule."""
    total = ops.zeros_like(square)
    for k in range(6, -1, -1):
        total = total * square + (-1.0) ** k / math.factorial(2 * k + first)
    return total


def _mix(h: Any) -> Any:
    h = ops.bitwise_xor(h, ops.right_shift(h, _constant(16))) * _constant(0x7FEB352D)
    h = ops.bitwise_xor(h, ops.right_shift(h, _constant(15))) * _constant(0x846CA68B)
    return ops.bitwise_xor(h, ops.right_shift(h, _constant(16)))


def _constant(value: int) -> Any:
    return ops.convert_to_tensor(value % 2**32, dtype="uint32")
