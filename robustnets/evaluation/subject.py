"""What is evaluated: a model, its defense, what the defense declares and what is found of it.

Source: Athalye et al. 2018, arXiv:1802.00420, sec. 3 and 4 (gradients that are shattered or
random, and what to put in their place); Tramer et al. 2020, arXiv:2002.08347 (adaptive attacks).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from robustnets.attacks.losses import Loss, check_loss
from robustnets.evaluation.behaviour import (
    PASSES,
    at_inference,
    disagreement,
    layer_gradient,
    margin_gradient,
    zero_share,
)
from robustnets.layers import prepend, with_gradient_of
from robustnets.models.accept import classifier_of
from robustnets.models.classifier import Classifier

EXAMPLES = 64  # that are looked at
SAME = 1e-5  # largest difference of normalised outputs between passes of a model that draws nothing
HIDDEN = 0.5  # share of examples without a gradient from which on it counts as hidden


@dataclass(frozen=True, eq=False, slots=True)
class Declared:
    """What the author of a defense says of it. None: it is found out.

    A Keras layer declares by attributes of the same names, all of them optional:
    `differentiable` and `stochastic`, bools; `substitute`, a method from tensor to tensor whose
    gradient stands for the layer's own; `adaptive_loss`, a loss of one's own.

    Args:
        without: the model without the defense, for examples crafted in ignorance of it.
        differentiable: gradients through the defense lead somewhere.
        stochastic: two forward passes may differ.
        substitute: a model of the same inputs and classes that gradients are taken of in place
            of the defended one's.
        adaptive_loss: what an attacker who knows the defense climbs; see
            `attacks.losses.check_loss`.
        name: of the defense.
    """

    without: Classifier | None = None
    differentiable: bool | None = None
    stochastic: bool | None = None
    substitute: Classifier | None = None
    adaptive_loss: Loss | None = None
    name: str = "the defense"

    def __post_init__(self) -> None:
        for name in ("differentiable", "stochastic"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, bool):
                raise ValueError(f"{name} must be True, False or None, got {value!r}")
        if self.adaptive_loss is not None:
            check_loss(self.adaptive_loss)


@dataclass(frozen=True, slots=True)
class Trait:
    """One property of a defense.

    Args:
        name: such as "draws at random".
        declared: what its author says, in words; "" for nothing.
        found: what was measured, in words.
        used: what the attacks take to be true, in words.
        contradicted: what was found is worse than what was declared.
    """

    name: str
    declared: str
    found: str
    used: str
    contradicted: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """A model to evaluate, as the attacks take it.

    Args:
        classifier: the victim, defense included.
        without: the model without its defense, or None.
        stochastic: two forward passes may differ.
        differentiable: its own gradients lead somewhere.
        substitute: what gradients are taken of in its place, or None.
        loss: the defense's own, or None.
        traits: what was declared, found and used.
        defense: its name, "" for none.
    """

    classifier: Classifier
    without: Classifier | None
    stochastic: bool
    differentiable: bool
    substitute: Classifier | None
    loss: Loss | None
    traits: tuple[Trait, ...]
    defense: str = ""


def subject_of(
    model: keras.Model | Classifier,
    defense: keras.layers.Layer | Declared | None,
    x: np.ndarray,
    y: np.ndarray,
) -> Subject:
    """Put the defense in front, and find out what it does.

    Args:
        model: to be defended by a layer; with `Declared`, the defended one.
        defense: a layer to put in front, what is said about the defense inside, or None.
        x: float32 (N, H, W, C), the first of which are looked at.
        y: int (N,), their labels.

    Raises:
        ValueError: for a defense that is neither, or does not fit the model; for a model whose
            draws compiling would freeze.
    """
    classifier = classifier_of(model, "model")
    x, y = x[:EXAMPLES], y[:EXAMPLES]
    if isinstance(defense, keras.layers.Layer):
        layer, bare = defense, classifier
        classifier = defended(bare, layer)
        chance = classifier.randomness  # first: it refuses draws that would be frozen
        declared = declared_by(layer, bare)
        front = at_inference(layer, classifier.image_shape)
        gradient = zero_share(layer_gradient(front), x, y)
        function: Callable = functools.partial(front, training=False)
    elif defense is None or isinstance(defense, Declared):
        layer, declared = None, defense or Declared()
        chance = classifier.randomness
        gradient = zero_share(margin_gradient(classifier), x, y)
        function = classifier.logits
    else:
        raise ValueError(
            "defense must be a Keras layer to put in front of the model, a Declared, or None, got "
            f"{defense!r}" + ("; make an instance of it" if isinstance(defense, type) else "")
        )
    with classifier.seeded(0):  # afterwards as if nobody had looked
        apart = disagreement(function, x)
    moved = bool(chance.states)
    stochastic = bool(declared.stochastic) or apart > SAME or bool(chance)
    hidden = gradient >= HIDDEN
    differentiable = declared.differentiable is not False and not hidden
    substitute, how = declared.substitute, "the declared substitute"
    if substitute is None and not differentiable and layer is not None:
        substitute, how = _identity(bare, layer), "the identity (BPDA)"
    traits = (
        _draws(declared.stochastic, apart, moved, stochastic),
        _gradient(declared.differentiable, gradient, len(x), differentiable),
        Trait(
            "gradient that stands for its own",
            "yes" if declared.substitute is not None else "",
            "needed" if not differentiable else "not needed",
            how if substitute is not None else "none" if not differentiable else "its own",
        ),
        Trait(
            "loss of its own",
            "" if declared.adaptive_loss is None else loss_name(declared.adaptive_loss),
            "",
            "none" if declared.adaptive_loss is None else loss_name(declared.adaptive_loss),
        ),
    )
    name = "" if defense is None else layer.name if layer is not None else declared.name
    return Subject(
        classifier, declared.without, stochastic, differentiable, substitute,
        declared.adaptive_loss, traits, name,
    )  # fmt: skip


def defended(bare: Classifier, layer: keras.layers.Layer) -> Classifier:
    """The model with a layer in front.

    Raises:
        ValueError: for a layer that does not fit.
    """
    return Classifier(prepend(bare.model, layer))


def substitute_of(bare: Classifier, layer: keras.layers.Layer) -> Classifier:
    """What gradients of the defended model are taken of where the layer's own lead nowhere."""
    declared = declared_by(layer, bare).substitute
    return _identity(bare, layer) if declared is None else declared


def declared_by(layer: keras.layers.Layer, bare: Classifier) -> Declared:
    """What a layer in front of a model declares; see `Declared`.

    Raises:
        ValueError: for a `substitute` that cannot be called, or another attribute of a wrong kind.
    """
    substitute = getattr(layer, "substitute", None)
    if substitute is not None and not callable(substitute):
        raise ValueError(
            f"{layer.name}.substitute must be a method of a tensor, got {substitute!r}"
        )
    through = None if substitute is None else _through(bare, layer, substitute, "substitute")
    return Declared(
        bare,
        getattr(layer, "differentiable", None),
        getattr(layer, "stochastic", None),
        through,
        getattr(layer, "adaptive_loss", None),
        layer.name,
    )


def _identity(bare: Classifier, layer: keras.layers.Layer) -> Classifier:
    return _through(bare, layer, lambda x: x, "identity")


def _through(bare: Classifier, layer: Any, substitute: Callable, name: str) -> Classifier:
    """The defended model, differentiated as if the layer were its substitute."""
    images = keras.Input(bare.image_shape, name="images")
    filtered = with_gradient_of(substitute, layer)(images)
    name = f"{layer.name}_{name}_{bare.model.name}"
    return Classifier(keras.Model(images, bare.model(filtered), name=name))


def _draws(declared: bool | None, apart: float, moved: bool, used: bool) -> Trait:
    found = f"{PASSES} passes differ by up to {apart:.1e}" if apart > SAME else (
        f"{PASSES} passes agree"
    )  # fmt: skip
    if moved:
        found += "; it uses its random generator"
    return Trait(
        "draws at random", _said(declared), found, "yes" if used else "no",
        declared is False and used,
    )  # fmt: skip


def _gradient(declared: bool | None, share: float, n: int, used: bool) -> Trait:
    found = f"gradient zero or missing on {share:.0%} of {n} examples"
    return Trait(
        "differentiable", _said(declared), found, "yes" if used else "no",
        declared is True and not used,
    )  # fmt: skip


def _said(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def loss_name(loss: Loss) -> str:
    """What a loss is called on a page."""
    return loss if isinstance(loss, str) else type(loss).__name__
