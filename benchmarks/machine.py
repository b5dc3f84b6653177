"""The kind of machine and the versions that a time belongs to."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path


def cpu() -> str:
    """The processor's model and how many cores this process may use."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines()
                 if line.startswith("model name")]  # fmt: skip
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores"


def load() -> str:
    """Processes that wanted to run in the last minute, on average."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of packages that are installed or imported."""
    found = {"python": platform.python_version()}
    for package in packages:
        # TensorFlow is distributed under several names, and says its version itself
        imported = getattr(sys.modules.get(package), "__version__", None)
        found[package] = imported or importlib.metadata.version(package)
    return found
