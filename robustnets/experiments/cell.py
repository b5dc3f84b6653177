"""One configuration of everything: data, network, defense, attack, seed."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from robustnets.core.schemas import FILTERS, NETWORKS, RECORDS, schemas
from robustnets.core.spec import digest, quiet, to_dict
from robustnets.training import AsGiven, Pretrained, Rule, Training

KNOWLEDGE = ("none", "gray-box", "white-box", "adaptive", "black-box", "transfer")


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """Which examples: a data set's name or `.npz` file, and how many of each split.

    Args:
        name: "mnist", "digits", … or the path of an `.npz`.
        n_train: the first so many training examples; None takes all.
        n_test: the first so many test examples; None takes all.
    """

    name: str
    n_train: int | None = None
    n_test: int | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A trained network, defended or not.

    Args:
        dataset: what it is trained on.
        model: a name in `robustnets.models.MODELS`, or "imagenet_resnet50", which comes trained.
        training: its trajectory, or `Pretrained` where the model comes trained.
        rule: the stop that is read off the trajectory, one of `training.rules`.
        seed: of the initial weights and of the order of the examples.
        defense: a spec of `robustnets.defenses`, or None.

    Raises:
        ValueError: if the rule is not among the trajectory's.
    """

    dataset: DatasetRef
    model: str
    training: Training | Pretrained
    rule: Rule | AsGiven
    seed: int
    defense: Any = None

    def __post_init__(self) -> None:
        if self.rule not in self.training.rules:
            raise ValueError(f"{self.rule} is not among the rules of {self.training}")


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement.

    Args:
        network: the network under evaluation.
        attack: a spec of `robustnets.attacks`, or None for clean accuracy alone.
        epsilons: radii, increasing; the attack's own `threat.eps` is replaced by each.
        engine: a name in `robustnets.engines.ENGINES`.
        knowledge: "white-box", the attack sees the defense; "gray-box", it sees the same
            network without the defense; "adaptive", it is made for the defense;
            "black-box", it asks for outputs alone; "transfer", its examples are crafted on
            `source`; "none" without an attack.
        pictured: how many adversarial examples are kept as pictures.
        examples: only the first so many test examples are measured; None takes all.
        target: what a targeted attack is to reach: one class for all, or "random", drawn for
            each example by the network's seed among the classes that are wrong.
        probabilities: the Record keeps those of every class, and all else about each example.
        view: how the attack sees the network that it differentiates, one of
            `robustnets.models.VIEWS`; None: its logits as they are. What is measured stays the
            network itself.
        source: another network, on which the examples of a transfer attack are crafted.

    Raises:
        ValueError: naming the field; for a white-box or adaptive attack on a defense that draws at
            random without an expectation over its draws, or on one without a gradient without a
            substitute for it.
    """

    kind: ClassVar[str] = "attack"

    network: Network
    attack: Any = None
    epsilons: tuple[float, ...] = ()
    engine: str = "native"
    knowledge: str = "none"
    pictured: int = 0
    examples: int | None = None
    target: int | str | None = None
    probabilities: bool = False
    view: Any = None
    source: Network | None = quiet(None)

    def __post_init__(self) -> None:
        if self.knowledge not in KNOWLEDGE:
            raise ValueError(f"knowledge must be one of {KNOWLEDGE}, got {self.knowledge!r}")
        if (self.attack is None) != (self.knowledge == "none"):
            raise ValueError("knowledge is 'none' exactly where there is no attack")
        if (self.attack is None) != (not self.epsilons):
            raise ValueError(f"an attack needs radii and nothing else does, got {self.epsilons}")
        if list(self.epsilons) != sorted(set(self.epsilons)):
            raise ValueError(f"epsilons must increase, got {self.epsilons}")
        if self.knowledge == "gray-box" and self.network.defense is None:
            raise ValueError("gray-box needs a defense to be kept from the attack")
        if (self.source is not None) != (self.knowledge == "transfer"):
            raise ValueError(
                "a transfer attack needs a source and no other has one, got "
                f"knowledge {self.knowledge!r} and source {self.source}"
            )
        if self.source is not None and self.source.dataset.name != self.network.dataset.name:
            raise ValueError(
                f"the source must be trained on {self.network.dataset.name}, as the network is, "
                f"got {self.source.dataset.name}"
            )
        if self.view is not None:
            self._check_view()
        if self.network.defense is not None and self.knowledge in ("white-box", "adaptive"):
            self._check_declared()
        if self.examples is not None and self.examples < 1:
            raise ValueError(f"examples must be >= 1, got {self.examples}")
        whole = isinstance(self.target, int) and not isinstance(self.target, bool)
        if not (self.target in (None, "random") or (whole and int(self.target or 0) >= 0)):
            raise ValueError(f"target must be None, a class or 'random', got {self.target!r}")
        if (self.target is not None) != bool(getattr(self.attack, "targeted", False)):
            raise ValueError(
                f"a targeted attack needs a target and no other has one, got {self.target!r}"
            )
        if not isinstance(self.probabilities, bool):
            raise ValueError(f"probabilities must be a bool, got {self.probabilities!r}")

    @property
    def crafted_on(self) -> Network:
        """The network that the attack differentiates or asks."""
        if self.knowledge == "gray-box":
            return replace(self.network, defense=None)
        return self.network if self.source is None else self.source

    @property
    def networks(self) -> tuple[Network, ...]:
        """Every network that the measurement needs."""
        return tuple(dict.fromkeys((self.network, self.crafted_on)))

    def _check_declared(self) -> None:
        """Hold the attack to what the defense says of itself."""
        recipe, label = self.network.defense.recipe, self.network.defense.label
        if recipe.stochastic and getattr(self.attack, "expectation", 1) < 2:
            raise ValueError(
                f"{label} draws at random: a {self.knowledge} attack needs an expectation over its "
                f"draws (EOT), such as PGD(..., expectation=20), got {self.attack}"
            )
        if not recipe.differentiable and not getattr(self.view, "substitutes", False):
            raise ValueError(
                f"{label} has no gradient to follow: a {self.knowledge} attack needs a substitute "
                f"for it (BPDA), view=Substitute(), got view={self.view}"
            )

    def _check_view(self) -> None:
        from robustnets.models import VIEWS  # loads Keras, which Cells alone do not need

        if self.attack is None:
            raise ValueError("a view needs an attack that looks through it")
        if not isinstance(self.view, VIEWS):
            names = ", ".join(view.__name__ for view in VIEWS)
            raise ValueError(f"view must be one of {names}, got {self.view!r}")

    def key(self, fingerprint: str, backend: str) -> str:
        """The digest under which the Record is stored."""
        return digest(self, fingerprint, backend, *schemas(FILTERS, NETWORKS, RECORDS))


def describe(network: Network) -> str:
    """A short label for a progress line."""
    if isinstance(network.training, Pretrained):
        defense = "" if network.defense is None else f", {network.defense.label}"
        return f"{network.model} as given{defense}"
    plateau = " + plateau" if network.training.reduce_lr_patience else ""
    defense = ""
    if network.defense is not None:
        defense = f", {network.defense.label}"
    penalty = "".join(
        f", {name} {getattr(network.training, name):g}"
        for name in ("l1", "l2")
        if getattr(network.training, name)
    )
    return f"{network.model}{plateau}{penalty}{defense}, seed {network.seed}"


def describe_cell(cell: Cell) -> str:
    """A short label for a plan."""
    rule = cell.network.rule
    settings = ", ".join(f"{k} {v}" for k, v in to_dict(rule).items() if k != "type")
    text = f"{describe(cell.network)}, {type(rule).__name__} {settings}"
    if cell.attack is None:
        return text
    name = f"{type(cell.attack).__name__} {cell.attack.threat.norm}"
    if cell.target is not None:
        name += f" to class {cell.target}" if cell.target != "random" else " to random classes"
    seen = "" if cell.view is None else f" through {cell.view.label}"
    return f"{text}, {name} at {len(cell.epsilons)} radii{seen}, {cell.knowledge}, {cell.engine}"
