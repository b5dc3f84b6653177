"""The MNIST CNN of the CSCE496 report.

Source: CSCE496, sec. 5.4 and table 2: kernels, filters, pooling, dropout and widths.
The report leaves the activations, the padding and the initialisation open. Chosen here: ReLU,
no padding and Glorot uniform, the last two being the defaults of Keras, with which it was made.
Its softmax is left to the loss: the model ends in logits.
"""

import keras

from robustnets.core.seeds import derive


def mnist_cnn(input_shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """Two convolutions of 5 x 5 with 32 and 64 filters, 128 dense units, logits out.

    872,714 parameters for images (28, 28, 1) of ten classes.

    Args:
        input_shape: (H, W, C) of one image, H and W >= 10.
        classes: number of logits.
        seed: of the initial weights and of the dropout.

    Returns:
        A built model, float32 (N, H, W, C) -> logits (N, classes).
    """
    layers = keras.layers

    def initial(name: str) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=derive(seed, "weights", name))

    def conv(name: str, filters: int) -> keras.layers.Layer:
        return layers.Conv2D(
            filters, 5, activation="relu", kernel_initializer=initial(name), name=name
        )

    def dense(name: str, units: int, activation: str | None) -> keras.layers.Layer:
        return layers.Dense(units, activation, kernel_initializer=initial(name), name=name)

    def dropout(name: str, rate: float) -> keras.layers.Layer:
        return layers.Dropout(rate, seed=derive(seed, "dropout", name), name=name)

    return keras.Sequential(
        [
            keras.Input(input_shape, name="images"),  # a running number would be in the digest
            conv("conv_1", 32),
            conv("conv_2", 64),
            layers.MaxPooling2D(2, name="pool"),
            dropout("dropout_1", 0.25),
            layers.Flatten(name="flatten"),
            dense("hidden", 128, "relu"),
            dropout("dropout_2", 0.5),
            dense("logits", classes, None),
        ],
        name="mnist_cnn",
    )
