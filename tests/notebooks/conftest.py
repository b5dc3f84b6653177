"""The notebooks and what executes them are not installed: find them from here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))
