"""The two convolutional networks that the chapters on CSDS440 share: trained once, used by all.

Source: CSDS440, section 3.1.1: an MNIST and a CIFAR-10 network, pretrained. The report does not
say how; the architectures here are those of `models.mnist_cnn` and `models.cifar10_cnn`, and the
optimiser (Adam with its defaults), the batches and the epochs were chosen here and not tuned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMES = ("mnist", "cifar10")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one of the networks is trained at one scale.

    Args:
        data: what it is trained on.
        model: its builder's name.
        epochs, batch_size: of the training.
    """

    data: str
    model: str
    epochs: int
    batch_size: int


VALIDATION = 0.05
_DIGITS = Recipe("digits", "fc_100_100_10", 40, 25)  # a dense network: seconds, not minutes
RECIPES: Mapping[str, Mapping[str, Recipe]] = {
    "demo": {"mnist": _DIGITS, "cifar10": _DIGITS},
    "quick": {
        "mnist": Recipe("mnist", "mnist_cnn", 3, 64),
        "cifar10": Recipe("cifar10", "cifar10_cnn", 8, 64),
    },
    "full": {
        "mnist": Recipe("mnist", "mnist_cnn", 12, 128),
        "cifar10": Recipe("cifar10", "cifar10_cnn", 50, 128),
    },
}


def network(name: str, scale: str, seed: int, dataset: str | None = None) -> Any:
    """One of the networks, undefended, as a `Network` of `robustnets.experiments.cell`.

    Args:
        name: "mnist" or "cifar10". At demo scale both are one dense network on the digits.
        scale: "demo", "quick" or "full".
        seed: of the training.
        dataset: trained on this instead, whole.

    Raises:
        ValueError: for an unknown name or scale.
    """
    from robustnets.experiments.cell import DatasetRef, Network
    from robustnets.training import Adam, FixedEpochs, Training

    if scale not in RECIPES:
        raise ValueError(f"scale must be one of {', '.join(RECIPES)}, got {scale!r}")
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    recipe = RECIPES[scale][name]
    ref = DatasetRef(dataset or recipe.data)
    rule = FixedEpochs(recipe.epochs)
    training = Training((rule,), Adam(), recipe.batch_size, VALIDATION, max_epochs=recipe.epochs)
    return Network(ref, recipe.model, training, rule, seed)


def setup(record_cell: Mapping[str, Any]) -> str:
    """How the network of a Record was trained, in a sentence for a page.

    Args:
        record_cell: `Record.cell`.
    """
    n = record_cell["network"]
    ref, training = n["dataset"], n["training"]
    examples = (
        "the whole training split" if ref["n_train"] is None else f"{ref['n_train']:,} images"
    )
    return (
        f"`{n['model']}` on {ref['name']}: {examples}, the last {training['validation']:.0%} held "
        f"out, {n['rule']['epochs']} epochs of Adam with learning rate "
        f"{training['optimizer']['learning_rate']:g} in batches of {training['batch_size']}"
    )
