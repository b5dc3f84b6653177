"""From a Classifier and adversarial examples to a Record."""

from robustnets.evaluation.measure import measure

__all__ = ["measure"]
