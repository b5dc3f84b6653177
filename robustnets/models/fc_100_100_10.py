"""FC-100-100-10, the fully connected network of the thesis.

Source: the thesis, section 3.1, after Bhagoji et al. 2017, arXiv:1704.02654.
The thesis leaves the activation and the initialisation open; the code published
with Bhagoji et al. offers sigmoid (its default) and ReLU hidden units and keeps its
library's Glorot-uniform initialisation. Chosen here: sigmoid, Glorot uniform.
"""

import keras

from robustnets.core.seeds import derive


def fc_100_100_10(input_shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """Two hidden layers of 100 sigmoid units, logits out.

    Args:
        input_shape: (H, W, C) of one image.
        classes: number of logits.
        seed: of the initial weights.

    Returns:
        A built model, float32 (N, H, W, C) -> logits (N, classes).
    """

    def dense(name: str, units: int, activation: str | None) -> keras.layers.Layer:
        initial = keras.initializers.GlorotUniform(seed=derive(seed, "weights", name))
        return keras.layers.Dense(units, activation, kernel_initializer=initial, name=name)

    return keras.Sequential(
        [
            keras.Input(input_shape, name="images"),  # a running number would be in the digest
            keras.layers.Flatten(name="flatten"),
            dense("hidden_1", 100, "sigmoid"),
            dense("hidden_2", 100, "sigmoid"),
            dense("logits", classes, None),
        ],
        name="fc_100_100_10",
    )
