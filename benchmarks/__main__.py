"""`python -m benchmarks`: time, keep every repetition, write the page."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import BENCHMARKS, attacks, machine, scale
from benchmarks.attacks import page as attacks_page
from benchmarks.measured import Measured
from robustnets.report.page import Page, write_page
from robustnets.report.table import Table

LEAD = (
    "Speed, side by side: what is compared runs in one process, in turn, A B A B, so that a "
    "machine that slows down slows down for both. A ratio is that of two times from one round; "
    "median, smallest and largest are given, and every repetition is kept in `runs/`."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that were named; the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    chosen = options.names or list(BENCHMARKS)
    for name in set(chosen) - set(BENCHMARKS):
        parser.error(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    rows = options.rows.split(",") if options.rows else list(attacks.NAMES)
    for name in set(rows) - set(attacks.NAMES):
        parser.error(f"no row {name!r}; there are {', '.join(attacks.NAMES)}")
    size = replace(scale.QUICK if options.quick else scale.FULL, data_dir=options.data_dir)
    load = machine.load()
    if set(chosen) - {"startup"}:
        from robustnets.experiments.quiet import quiet_backend

        quiet_backend()
    for name in chosen:
        if name == "attacks":
            kept = options.out / "runs" / "attacks"
            attacks.run(rows, options.quick, kept, options.cache, options.data_dir, _say)
            continue
        module = importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
        measured = module.run(size, _progress(name))
        machine_facts = {"scale": "quick" if options.quick else "full", "CPU": machine.cpu(),
                         "load before": load}  # fmt: skip
        replace(measured, facts={**measured.facts, **machine_facts}).save(options.out / "runs")
        sys.stderr.write("\n")
    readme = write(options.out)
    sys.stdout.write(readme.read_text())
    return 0


def write(folder: Path) -> Path:
    """Write the page from every benchmark and row kept in `folder/runs`, and `results.csv`.

    Returns:
        The path of README.md.
    """
    kept = [folder / "runs" / f"{name}.json" for name in BENCHMARKS]
    attack_runs = folder / "runs" / "attacks"
    all_measured = [Measured.load(path) for path in kept if path.is_file()]
    every = [m.facts for m in (*all_measured, *attacks_page.load(attack_runs))]
    facts = {name: sorted({facts[name] for facts in every}) for name in ("CPU", "scale")}
    sections = (*(m.section() for m in all_measured), *attacks_page.sections(attack_runs))
    page = Page("benchmarks", "Speed, side by side", LEAD, sections, facts)
    rows = [
        (m.name, side, i, value)
        for m in all_measured
        for side, values in m.seconds.items()
        for i, value in enumerate(values)
    ]
    rows += attacks_page.times(attack_runs)
    Table(("benchmark", "what", "round", "seconds"), tuple(rows)).to_csv(folder / "results.csv")
    return write_page(page, folder)[1]


def _progress(name: str):
    def show(done: int, total: int) -> None:
        sys.stderr.write(f"\r{name}: {done} of {total}")
        sys.stderr.flush()

    return show


def _say(what: str) -> None:
    sys.stderr.write(f"\rattacks: {what}\033[K")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"one or more of: {', '.join(BENCHMARKS)}; default: all",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("reports/benchmarks"), help="folder of the page"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument(
        "--data-dir", type=Path, help="folder with mnist.npz; default: ROBUSTNETS_DATA"
    )
    parser.add_argument(
        "--rows",
        metavar="NAME,NAME",
        help=f"rows of `attacks`, each kept by itself: {', '.join(attacks.NAMES)}; default: all",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("build/bench-cache"),
        help="folder of the networks that `attacks` trains once",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
