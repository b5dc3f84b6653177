"""The chapters: a question each, the Cells that answer it, its tables and figures."""

import importlib

from robustnets.chapters.chapter import Chapter

CHAPTERS = ("stopping", "filters", "regularization", "evasion", "smoothing", "distillation")
SCALES = ("demo", "quick", "full")


def chapter(slug: str) -> Chapter:
    """A chapter by its name.

    Raises:
        ValueError: for an unknown name.
    """
    if slug not in CHAPTERS:
        raise ValueError(f"no chapter {slug!r}; there are {', '.join(CHAPTERS)}")
    return importlib.import_module(f"robustnets.chapters.{slug}").CHAPTER
