"""`python -m benchmarks.suite`: carry out what is missing, write the page."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.suite.names import NETWORKS


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry the runs of the named networks out and write the page; the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    chosen = options.networks.split(",") if options.networks else list(NETWORKS)
    for name in set(chosen) - set(NETWORKS):
        parser.error(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    if not options.page:
        from robustnets.experiments.quiet import quiet_backend

        quiet_backend()
        from benchmarks.attacks import scale
        from benchmarks.suite import runs

        size = replace(scale.QUICK if options.quick else scale.FULL, data_dir=options.data_dir)
        for name in chosen:
            runs.carry_out(runs.SETTINGS[name], size, options.out, options.cache, _say)
    from benchmarks.suite.page import load, page
    from robustnets.report.page import write_page

    readme = write_page(page(load(options.out)), options.out)[1]
    sys.stdout.write(f"page: {readme}\n")
    return 0


def _say(what: str) -> None:
    sys.stderr.write(f"\r{what}\033[K")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.suite", description=__doc__)
    parser.add_argument(
        "--networks", metavar="NAME,NAME", help=f"of: {', '.join(NETWORKS)}; default: all"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("reports/suite"), help="folder of the Records and the page"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument(
        "--page", action="store_true", help="write the page from what is kept, compute nothing"
    )
    parser.add_argument("--data-dir", type=Path, help="folder of data; default: ROBUSTNETS_DATA")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("build/bench-cache"),
        help="folder of trained networks and of finished parts of the suite",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
