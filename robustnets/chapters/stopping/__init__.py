"""When to stop training: the seven configurations of the thesis, section 3.4."""

from robustnets.chapters.chapter import Chapter

CHAPTER = Chapter(
    slug="stopping",
    title="When to stop training",
    question=(
        "Can a heuristic decide when a network has learned, without losing accuracy against a "
        "fixed 500 epochs?"
    ),
)
