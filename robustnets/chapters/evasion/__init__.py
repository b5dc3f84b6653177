"""Evasion attacks side by side: CSDS440, sections 2.1, 2.5, 3.1 and 3.2."""

from robustnets.chapters.chapter import Chapter

CHAPTER = Chapter(
    slug="evasion",
    title="Evasion attacks side by side",
    question=(
        "Which of eight evasion attacks takes most of a network's accuracy, at what budget and "
        "price, and do their differences outlast a comparison on the same images?"
    ),
)
