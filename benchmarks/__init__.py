"""Speed, side by side in one process: `python -m benchmarks --help`."""

BENCHMARKS = ("epoch", "stable-weights", "fgsm", "startup", "attacks")
