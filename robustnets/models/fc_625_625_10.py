"""FC-625-625-10, the fully connected network of Lacok's report.

Source: Lacok 2016, "Neural Networks on MNIST" and the appendix: widths, ReLU, dropout of the
inputs and of both hidden layers, no biases, weights `randn * 0.01`, so that 0.01 is a standard
deviation. The dropout is inverted, as Keras' is. Its softmax is left to the loss: the model ends
in logits.
"""

import keras

from robustnets.core.seeds import derive


def fc_625_625_10(input_shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """Two hidden layers of 625 ReLU units without biases, dropout 0.2 / 0.5 / 0.5, logits out.

    886,875 parameters for images (28, 28, 1) of ten classes.

    Args:
        input_shape: (H, W, C) of one image.
        classes: number of logits.
        seed: of the initial weights and of the dropout.

    Returns:
        A built model, float32 (N, H, W, C) -> logits (N, classes).
    """

    def dense(name: str, units: int, activation: str | None) -> keras.layers.Layer:
        initial = keras.initializers.RandomNormal(stddev=0.01, seed=derive(seed, "weights", name))
        return keras.layers.Dense(
            units, activation, use_bias=False, kernel_initializer=initial, name=name
        )

    def dropout(name: str, rate: float) -> keras.layers.Layer:
        return keras.layers.Dropout(rate, seed=derive(seed, "dropout", name), name=name)

    return keras.Sequential(
        [
            keras.Input(input_shape, name="images"),  # a running number would be in the digest
            keras.layers.Flatten(name="flatten"),
            dropout("dropout_1", 0.2),
            dense("hidden_1", 625, "relu"),
            dropout("dropout_2", 0.5),
            dense("hidden_2", 625, "relu"),
            dropout("dropout_3", 0.5),
            dense("logits", classes, None),
        ],
        name="fc_625_625_10",
    )
