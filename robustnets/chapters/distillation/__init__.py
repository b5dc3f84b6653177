"""Defensive distillation: CSDS440, section 2.4, and what is left of it against those who know."""

from robustnets.chapters.chapter import Chapter

CHAPTER = Chapter(
    slug="distillation",
    title="Defensive distillation",
    question=(
        "Does a network that learns another's softened labels at a high temperature resist "
        "adversarial examples, or does it only hide its gradients?"
    ),
)
