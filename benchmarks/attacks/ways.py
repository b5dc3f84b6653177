"""What all ways to attack have in common, and the native one."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from robustnets import backend, engines
from robustnets.engines import native
from robustnets.models import Classifier

# (x, y) -> attacked x: from NumPy to NumPy
Attacked = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Way:
    """One library's way to carry an attack out on one network.

    Args:
        attacked: float32 (N, H, W, C) and int64 (N,) -> float32 (N, H, W, C).
        passes: -> (forward, backward) passes of the last call, None where nobody counted.
    """

    def __init__(
        self,
        attacked: Attacked,
        passes: Callable[[], tuple[int | None, int | None]] = lambda: (None, None),
    ):
        self.attacked = attacked
        self.passes = passes


def ours(classifier: Classifier, attack: Any, batch: int) -> Way:
    """The native engine."""
    spent: list[int] = [0, 0]

    def attacked(x, y):
        found = engines.run(attack, classifier, x, y, batch_size=batch)
        spent[:] = int(found.forward.sum()), int(found.backward.sum())
        return found.x

    return Way(attacked, lambda: (spent[0], spent[1]))


def with_the_other_compiler(classifier: Classifier, attack: Any, batch: int) -> Way:
    """The native engine made to choose XLA where it chooses a graph, and the other way round."""
    way = ours(classifier, attack, batch)

    def attacked(x, y):
        other = not native.uses_xla(attack, classifier)
        with mock.patch.object(native, "uses_xla", return_value=other):
            return way.attacked(x, y)

    return Way(attacked, way.passes)


def compiler_of(classifier: Classifier, attack: Any) -> str:
    """What the native engine compiles with: "XLA" or "graph"."""
    if backend.name() == "jax":
        return "XLA"
    # asked for by name: an engine without the choice compiles plain graphs
    uses_xla = getattr(native, "uses_xla", None)
    return "XLA" if uses_xla is not None and uses_xla(attack, classifier) else "graph"


def counted_logits(classifier: Classifier) -> tuple[Callable[[Any], Any], Callable[[], int]]:
    """The logits as one graph that takes any number of examples, for peers.

    Returns:
        tensor (N, H, W, C) -> tensor (N, K), and how many examples it was asked about since
        this was last asked.
    """
    import tensorflow as tf

    count = tf.Variable(0, dtype=tf.int64)

    @tf.function(
        input_signature=[tf.TensorSpec((None, *classifier.image_shape), tf.float32)],
        autograph=False,
    )
    def logits(x):
        count.assign_add(tf.shape(x, out_type=tf.int64)[0])
        return classifier.logits(x)

    def asked() -> int:
        number = int(count.numpy())
        count.assign(0)
        return number

    return logits, asked


def in_parts(attack_part: Attacked, batch: int) -> Attacked:
    """Apply it to `batch` examples at a time."""

    def attacked(x, y):
        starts = range(0, len(x), batch)
        return np.concatenate([attack_part(x[i : i + batch], y[i : i + batch]) for i in starts])

    return attacked
