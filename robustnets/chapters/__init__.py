"""The chapters: a question each, the Cells that answer it, its tables and figures.

A chapter is a module with SLUG, TITLE, QUESTION, `cells(scale, dataset, seeds, engine)`,
`page(records)` and `entry(records)`, and `kept(record)` where its page needs arrays of a Record
beyond the predictions. Reports are made from Records alone, so a chapter
module imports nothing that loads a deep-learning library; `cells` does so when called.
"""

import importlib
from types import ModuleType

CHAPTERS = ("stopping", "filters", "regularization", "evasion", "smoothing", "distillation")
SCALES = ("demo", "quick", "full")


def chapter(slug: str) -> ModuleType:
    """The chapter's module.

    Raises:
        ValueError: for an unknown name.
    """
    if slug not in CHAPTERS:
        raise ValueError(f"no chapter {slug!r}; there are {', '.join(CHAPTERS)}")
    return importlib.import_module(f"robustnets.chapters.{slug}")
