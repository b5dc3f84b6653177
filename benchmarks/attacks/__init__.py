"""Every attack beside every peer that has it: `python -m benchmarks attacks --rows NAME,NAME`."""

from collections.abc import Callable, Sequence
from pathlib import Path

# in the order of the page; nothing heavy is imported for them
ROWS = (
    *("pgd-fc", "pgd-m", "pgd-c", "pgd-early-c", "bim-c", "pgd-l2-c", "pgd-l1-c"),
    *("deepfool-fc", "deepfool-m", "deepfool-c"),
    *("cw-fc", "cw-m", "cw-search-fc"),
    *("hsj-fast-fc", "hsj-fast-m", "hsj-full-fc", "hsj-full-m", "hsj-full-c"),
    *("lbfgs-m", "lbfgs-c", "nes-m", "nes-spent-m"),
    *("apgd-m", "apgd-c", "square-m", "one-pixel-c"),
    *("compiler-pgd-fc", "compiler-deepfool-fc", "compiler-carliniwagner-fc"),
    *("compiler-hopskipjump-fc", "compiler-lbfgs-fc"),
    *("compiler-pgd-m", "compiler-deepfool-m", "compiler-carliniwagner-m"),
    *("compiler-hopskipjump-m", "compiler-lbfgs-m"),
)
WHOLE = ("autoattack-m", "autoattack-a")
MEMORY = ("memory-pgd-fc", "memory-deepfool-fc", "memory-pgd-c")
NAMES = (*ROWS, *WHOLE, *MEMORY)


def run(
    names: Sequence[str],
    quick: bool,
    folder: Path,
    cache: Path,
    data_dir: Path | None,
    say: Callable[[str], None],
) -> None:
    """Measure these rows, each kept as `folder/NAME.json` as soon as it is done.

    Args:
        names: of `NAMES`.
        quick: few images and small settings, to see that it runs.
        folder: of the results.
        cache: folder of the trained networks.
        data_dir: folder with the data, or None for the default search.
        say: called with what is being done.
    """
    from dataclasses import replace

    from benchmarks.attacks import auto_attack, memory, scale
    from benchmarks.attacks.measure import measure
    from benchmarks.attacks.rows import ROWS as DECLARED

    size = replace(scale.QUICK if quick else scale.FULL, data_dir=data_dir)
    for name in names:
        if name in MEMORY:
            memory.measure(name, size, say).save(folder)
        elif name in WHOLE:
            auto_attack.measure(name, size, cache, say).save(folder)
        else:
            measure(DECLARED[name], size, cache, say).save(folder)
