"""Networks that come trained, and which do not."""

import keras

from robustnets.data.imagenet import HOW_WEIGHTS
from robustnets.defenses import Defense
from robustnets.experiments.cell import Network
from robustnets.layers import FilterSpec, prepend
from robustnets.models.imagenet_resnet50 import imagenet_resnet50, named_weights, weights_digest
from robustnets.training import AsGiven, Pretrained, Training
from robustnets.training.spec import single_rule

NAME = "imagenet_resnet50"


def given_model(
    network: Network, training: Pretrained, image_shape: tuple[int, ...]
) -> keras.Model:
    """The network with the weights that the user names.

    Raises:
        ValueError: for another network, or if the file that is named now is another than the Cell
            was made with.
    """
    if network.model != NAME:
        raise ValueError(f"{network.model} does not come trained; {NAME} does")
    path = named_weights()
    if path is None or weights_digest(path) != training.weights:
        raise ValueError(f"the weights {training.weights} are not those of {path}; {HOW_WEIGHTS}")
    return imagenet_resnet50(path, image_shape[0])


def behind_a_layer(model: keras.Model, defense: Defense) -> keras.Model:
    """The network, whose weights are shared, behind what a defense puts in front.

    Raises:
        ValueError: for a defense that trains, or that is fitted to a training split.
    """
    recipe = defense.recipe
    if recipe.front is None or isinstance(recipe.front, FilterSpec) or recipe.trains:
        raise ValueError(f"{defense.label} trains or is fitted; {NAME} is given")
    return prepend(model, recipe.front.layer())


def trajectory(network: Network) -> Training:
    """How a network is trained that stops by its own rule alone, where it is no undefended one.

    Raises:
        ValueError: for a network that comes trained.
    """
    training, rule = network.training, network.rule
    if isinstance(training, Pretrained) or isinstance(rule, AsGiven):
        raise ValueError(f"{network.model} comes trained and is not trained again")
    return training if network.defense is None else single_rule(training, rule)
