"""The two convolutional networks of defensive distillation, for MNIST and for CIFAR-10.

Source: Papernot et al. 2016, arXiv:1511.04508, table I (layers and widths; both columns have the
same layers, so one function makes both) and table II (dropout 0.5 in the dense layers).
The paper leaves padding and initialisation open. Chosen here: no padding, with one dropout
between the two dense layers, as in the code published with Carlini & Wagner 2017
(arXiv:1608.04644), who repeat these networks, and Glorot uniform, the default of Keras. The
last softmax, with its temperature, is left to the loss: the models end in logits.
"""

import keras

from robustnets.core.seeds import derive


def papernot_mnist_cnn(input_shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """Four convolutions of 3 x 3 with 32, 32, 64 and 64 filters, twice 200 dense units, logits out.

    312,202 parameters for images (28, 28, 1) of ten classes.

    Args:
        input_shape: (H, W, C) of one image, H and W >= 16.
        classes: number of logits.
        seed: of the initial weights and of the dropout.

    Returns:
        A built model, float32 (N, H, W, C) -> logits (N, classes).
    """
    return _network("papernot_mnist_cnn", input_shape, classes, seed, (32, 64), 200)


def papernot_cifar10_cnn(input_shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """Four convolutions of 3 x 3 with 64, 64, 128 and 128 filters, twice 256 dense units.

    1,147,978 parameters for images (32, 32, 3) of ten classes. Arguments and result as for
    `papernot_mnist_cnn`.
    """
    return _network("papernot_cifar10_cnn", input_shape, classes, seed, (64, 128), 256)


def _network(
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    seed: int,
    filters: tuple[int, int],
    units: int,
) -> keras.Model:
    layers = keras.layers

    def initial(layer: str) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=derive(seed, "weights", layer))

    def conv(layer: str, filters: int) -> keras.layers.Layer:
        return layers.Conv2D(
            filters, 3, activation="relu", kernel_initializer=initial(layer), name=layer
        )

    def dense(layer: str, units: int, activation: str | None) -> keras.layers.Layer:
        return layers.Dense(units, activation, kernel_initializer=initial(layer), name=layer)

    few, many = filters
    return keras.Sequential(
        [
            keras.Input(input_shape, name="images"),  # a running number would be in the digest
            conv("conv_1", few),
            conv("conv_2", few),
            layers.MaxPooling2D(2, name="pool_1"),
            conv("conv_3", many),
            conv("conv_4", many),
            layers.MaxPooling2D(2, name="pool_2"),
            layers.Flatten(name="flatten"),
            dense("hidden_1", units, "relu"),
            layers.Dropout(0.5, seed=derive(seed, "dropout", "dropout"), name="dropout"),
            dense("hidden_2", units, "relu"),
            dense("logits", classes, None),
        ],
        name=name,
    )
