"""Penalties on the weights as a defense: Lacok 2016, and whether the boundary moves."""

from robustnets.chapters.chapter import Chapter

CHAPTER = Chapter(
    slug="regularization",
    title="Penalties on the weights as a defense",
    question=(
        "Does an L1 and L2 penalty on the weights make a network harder to fool, or only its "
        "gradient harder to use?"
    ),
)
