"""How much of each row is timed."""

from dataclasses import dataclass
from pathlib import Path

# a short call that follows another way's takes up to a third longer than one that follows its own
SHORT = 10.0  # seconds
IN_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of the attack benchmarks.

    Args:
        rounds: timed calls of each side; those of heavy peers are one.
        train: training images.
        epochs: of training, or None for each network's own.
        test: test images, from which those are taken that the network gets right.
        most: attacked examples, or None for each row's own number.
        quick: use each row's settings for a quick look.
        job: examples of the job that counts the compilation in.
        memory: numbers of examples whose memory is compared.
        limit: seconds after which a peer is given up.
        data_dir: folder with the data, or None for the default search.
    """

    rounds: int
    train: int
    epochs: int | None
    test: int
    most: int | None
    quick: bool
    job: int
    memory: tuple[int, ...]
    limit: float
    data_dir: Path | None = None


FULL = Scale(3, 10_000, None, 4_000, None, False, 1_000, (1_000, 10_000, 50_000), 1_800.0)
QUICK = Scale(1, 1_000, 10, 200, 8, True, 20, (100, 200), 60.0)
