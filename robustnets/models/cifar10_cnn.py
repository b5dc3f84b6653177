"""The CIFAR-10 CNN of the CSDS440 report.

Source: CSDS440, sec. 2.5, figure 5, the summary of its "custom Keras classifier".
The summary fixes kernels (from the numbers of parameters), filters, padding (from the shapes)
and widths; activations, dropout rates and initialisation are not in it. Its layers are those of
`cifar10_cnn.py` of the Keras 2 examples, whose ReLU, rates 0.25, 0.25 and 0.5 and Glorot uniform
are taken here; table 3 of CSCE496 has the same rates. The last activation is left to the loss:
the model ends in logits.
"""

import keras

from robustnets.core.seeds import derive


def cifar10_cnn(input_shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """Four convolutions of 3 x 3 with 32, 32, 64 and 64 filters, 512 dense units, logits out.

    1,250,858 parameters for images (32, 32, 3) of ten classes.

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

    def conv(name: str, filters: int, padding: str) -> keras.layers.Layer:
        return layers.Conv2D(
            filters,
            3,
            padding=padding,
            activation="relu",
            kernel_initializer=initial(name),
            name=name,
        )

    def dense(name: str, units: int, activation: str | None) -> keras.layers.Layer:
        return layers.Dense(units, activation, kernel_initializer=initial(name), name=name)

    def dropout(name: str, rate: float) -> keras.layers.Layer:
        return layers.Dropout(rate, seed=derive(seed, "dropout", name), name=name)

    return keras.Sequential(
        [
            keras.Input(input_shape, name="images"),  # a running number would be in the digest
            conv("conv_1", 32, "same"),
            conv("conv_2", 32, "valid"),
            layers.MaxPooling2D(2, name="pool_1"),
            dropout("dropout_1", 0.25),
            conv("conv_3", 64, "same"),
            conv("conv_4", 64, "valid"),
            layers.MaxPooling2D(2, name="pool_2"),
            dropout("dropout_2", 0.25),
            layers.Flatten(name="flatten"),
            dense("hidden", 512, "relu"),
            dropout("dropout_3", 0.5),
            dense("logits", classes, None),
        ],
        name="cifar10_cnn",
    )
