"""The floor: what the bare passes through the network cost, and nothing else."""

from collections.abc import Callable
from typing import Any

import numpy as np

from robustnets.models import Classifier

CALLS = 8  # in a row, so that one wait for the device counts for little


class Bare:
    """Compiled passes over batches that are on the device already.

    Args:
        classifier: the network.
        x: float32 (B, H, W, C), a batch.
        y: int (B,).
        queries: examples in a batch that is only asked about; made by repeating x.
        xla: how to compile on TensorFlow.
    """

    def __init__(
        self, classifier: Classifier, x: np.ndarray, y: np.ndarray, queries: int, xla: bool
    ):
        import keras

        from robustnets import backend
        from robustnets.attacks.losses import cross_entropy

        self.batch, self.queries = len(x), queries
        logits = backend.compiled(classifier.logits, xla)
        gradient = backend.compiled(
            lambda x, y: backend.value_and_grad(lambda z: cross_entropy(classifier.logits(z), y))(
                x
            )[1],
            xla,
        )
        tensor = keras.ops.convert_to_tensor
        many = tensor(np.resize(x, (queries, *x.shape[1:])))
        some, labels = tensor(x), tensor(y.astype(np.int32))
        self.forward = _in_a_row(lambda: logits(many))
        self.both = _in_a_row(lambda: gradient(some, labels))

    def seconds(
        self, forward: float, both: float, passes: tuple[int, int], all_steps: bool
    ) -> float:
        """What an attack's passes cost at least, see `least`.

        Args:
            forward, both: seconds of `CALLS` calls of each.
            passes: (forward, backward) of all examples together.
            all_steps: whether the attack runs all its steps.
        """
        one, pair = forward / CALLS / self.queries, both / CALLS / self.batch
        return least(one, pair, passes, all_steps)


def least(forward: float, both: float, passes: tuple[int, int], all_steps: bool) -> float:
    """Seconds of so many passes.

    Args:
        forward: seconds of a forward pass of one example in a batch.
        both: seconds of a forward and the backward pass that belongs to it.
        passes: (forward, backward) of all examples together.
        all_steps: count a forward and a backward pass for each backward one and no more: the
            passes that only look at the result are the attack's own.
    """
    asked, pulled = passes
    if all_steps:
        return pulled * both
    together = min(asked, pulled)
    # several backward passes may share a forward one
    backward = max(both - forward, 0.0)
    return together * both + (asked - together) * forward + (pulled - together) * backward


def _in_a_row(call: Callable[[], Any]) -> Callable[[], None]:
    import keras

    def run() -> None:
        for _ in range(CALLS):
            last = call()
        keras.ops.convert_to_numpy(last[:1])

    return run
