"""Spatial smoothing as a defense: CSDS440, sections 2.2 (table 3) and 3.3.2 (figures 23 to 26)."""

from robustnets.chapters.chapter import Chapter

CHAPTER = Chapter(
    slug="smoothing",
    title="Spatial smoothing",
    question=(
        "Does replacing each pixel by a mean or median of its neighbours bring adversarial "
        "images back, and does it still when the attacker knows about it?"
    ),
)
