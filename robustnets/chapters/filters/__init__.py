"""Linear filters as a defense: the thesis, sections 3.5 to 3.10, and what white-box does."""

from robustnets.chapters.chapter import Chapter

CHAPTER = Chapter(
    slug="filters",
    title="Linear filters as a defense",
    question=(
        "Does projecting images onto a few principal components stop adversarial examples, and "
        "does it still when the attacker knows about it?"
    ),
)
