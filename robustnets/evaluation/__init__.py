"""From a Classifier and adversarial examples to a Record, and to a number that can be believed."""

from robustnets.evaluation.evaluate import evaluate
from robustnets.evaluation.evaluation import Evaluation
from robustnets.evaluation.measure import measure
from robustnets.evaluation.subject import Declared

__all__ = ["Declared", "Evaluation", "evaluate", "measure"]
