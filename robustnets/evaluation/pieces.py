"""What one process does at a time: an attack on some of the examples.

The examples of an attack do not depend on each other, and each draws by its number in the whole
set. So an attack falls into pieces that may be carried out anywhere and in any order, and that are
put together into what one process would have found. How they are cut depends on how many examples
stand, never on how many processes there are: the same pieces, with the same batches inside, give
the same bytes.
"""

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from robustnets import backend, engines
from robustnets.models.classifier import Classifier

MANY = 16  # pieces that an attack on many examples falls into, at least
SMALL = 32  # examples: on a CPU a batch of so many is about as fast as a larger one
BATCHES = 4  # in the largest piece


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """An attack on some examples.

    Args:
        attack: its spec.
        x: float32 (M, H, W, C), as they stand.
        y: int64 (M,), true labels.
        numbers: int (M,), their places in the whole set.
        seed: of every draw.
        batch_size: as for `engines.run`.
        query_budget: forward passes that are left for each example, or None.
        until: reading of `time.time` after which no new work starts, or None.
    """

    attack: Any
    x: np.ndarray
    y: np.ndarray
    numbers: np.ndarray
    seed: int
    batch_size: int
    query_budget: int | None = None
    until: float | None = None


ROLES = ("victim", "without", "substitute", "surrogate")

Found = dict[str, Any]
Show = Callable[[int, int], None]
# (pieces, show) -> (place of a piece, what was found or None where time was up), in any order;
# show is called with (place, examples done)
Carry = Callable[[Sequence[Piece], Show], Iterator[tuple[int, Found | None]]]


class Carrier(Protocol):
    """Carries pieces out in other processes, which come by the models on their own.

    Attributes:
        processes: how many work side by side.
    """

    processes: int

    def __call__(self, role: str, source: Classifier) -> Carry:
        """How attacks crafted on a model are carried out.

        Args:
            role: what the model is in the evaluation, one of `ROLES`.
            source: the model, as this process has it.
        """


def cut(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Cut row numbers into pieces that all take batches of one size, so that one is compiled.

    Args:
        rows: int (M,).
        batch_size: the largest batch that fits in memory.

    Returns:
        int arrays in order; the last one takes what is left over, fewer than two pieces.
    """
    if len(rows) == 0:
        return []
    most = BATCHES * batch_size
    # an accelerator wants large batches
    length = most if backend.on_accelerator() else max(SMALL, _power_of_two(len(rows) // MANY))
    length = min(length, most)
    starts = [i * length for i in range(1, max(1, len(rows) // length))]
    return np.split(rows, starts)


def _power_of_two(n: int) -> int:
    """The largest that is at most n, or 1."""
    return 2 ** int(math.log2(max(n, 1)))


def carry_out(
    piece: Piece, source: Classifier, show: Callable[[int], None] = lambda done: None
) -> Found | None:
    """Attack the examples of a piece.

    Args:
        piece: what is to be done.
        source: the model that examples are crafted on.
        show: called with the number of examples done, after each batch.

    Returns:
        "x", "success" by the source, "forward" and "backward", one for each example;
        "seconds"; and "late", whether the time may have cut it short. None where the time was
        up before it began.
    """
    left = None if piece.until is None else piece.until - time.time()
    if left is not None and left <= 0:
        return None
    made = engines.run(
        piece.attack, source, piece.x, piece.y, seed=piece.seed, numbers=piece.numbers,
        batch_size=piece.batch_size, attack_wrong=True, time_budget=left,
        query_budget=piece.query_budget, progress=lambda done, _: show(done),
    )  # fmt: skip
    return {
        "x": made.x,
        "success": made.success,
        "forward": made.forward,
        "backward": made.backward,
        "seconds": np.float64(made.seconds),
        "late": piece.until is not None and time.time() > piece.until,
    }


def one_by_one(source: Classifier) -> Carry:
    """Carry pieces out in this process, in order."""

    def carry(pieces: Sequence[Piece], show: Show) -> Iterator[tuple[int, Found | None]]:
        for place, piece in enumerate(pieces):
            yield place, carry_out(piece, source, functools.partial(show, place))

    return carry
