"""How a network is trained and when training stops, as frozen specs."""

from dataclasses import dataclass, replace
from typing import ClassVar

from robustnets.core.spec import digest


@dataclass(frozen=True, slots=True)
class SGD:
    """Stochastic gradient descent with Nesterov momentum.

    The defaults are those of the code published with Bhagoji et al. 2017
    (arXiv:1704.02654), to which the thesis points for its network.
    """

    learning_rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = True

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be > 0, got {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1), got {self.momentum}")


@dataclass(frozen=True, slots=True)
class RMSProp:
    """RMSProp; the defaults are those of Lacok 2016, appendix.

    Args:
        learning_rate: > 0.
        rho: of the running mean of squared gradients, in [0, 1).
        epsilon: added for numerical stability, > 0.
    """

    learning_rate: float = 0.001
    rho: float = 0.9
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epsilon"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
        if not 0 <= self.rho < 1:
            raise ValueError(f"rho must lie in [0, 1), got {self.rho}")


@dataclass(frozen=True, slots=True)
class Adam:
    """Adam with the defaults of Kingma and Ba 2015, arXiv:1412.6980, sec. 2.

    Args:
        learning_rate: > 0.
    """

    learning_rate: float = 0.001

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be > 0, got {self.learning_rate}")


Optimizer = SGD | RMSProp | Adam


@dataclass(frozen=True, slots=True)
class FixedEpochs:
    """Stop after a fixed number of epochs."""

    epochs: int

    def __post_init__(self) -> None:
        _positive("epochs", self.epochs)


@dataclass(frozen=True, slots=True)
class EarlyStop:
    """Stop when validation accuracy has not improved for `patience` epochs.

    Source: the thesis, section 3.2 (Keras' EarlyStopping).
    """

    patience: int = 60

    def __post_init__(self) -> None:
        _positive("patience", self.patience)


@dataclass(frozen=True, slots=True)
class StableWeights:
    """Stop when, over `patience` epochs, no weight's standard deviation reaches `max_std`.

    Source: the thesis, section 3.3 (`robustnets.callbacks.StopOnStableWeights`).
    """

    patience: int = 60
    max_std: float = 0.5

    def __post_init__(self) -> None:
        _positive("patience", self.patience)
        if not self.max_std > 0:
            raise ValueError(f"max_std must be > 0, got {self.max_std}")


@dataclass(frozen=True, slots=True)
class AsGiven:
    """No stop: the network came trained."""


Rule = FixedEpochs | EarlyStop | StableWeights


@dataclass(frozen=True, slots=True)
class Training:
    """One trajectory, and the rules whose stops are read off it.

    Rules that differ only in when they stop share the trajectory: it runs until the
    last of them has fired, and the weights at each stop are kept.

    Args:
        rules: at least one; the same rule twice is refused.
        optimizer: the update rule.
        batch_size: examples per step; an epoch drops the incomplete last batch.
        validation: share in (0, 1) of the training split held out from its end; one
            sixth leaves MNIST's customary 50,000 and 10,000.
        reduce_lr_patience: divide the learning rate by 10 when validation accuracy has
            not improved for so many epochs; None never does. The thesis, section 3.1.
        max_epochs: where the trajectory ends even if a rule has not fired.
        l1: added to the loss: so many times the sum of the absolute kernels, >= 0.
        l2: added to the loss: so many times the sum of the squared kernels, >= 0.

    Raises:
        ValueError: naming the field.
    """

    rules: tuple[Rule, ...]
    optimizer: Optimizer = SGD()
    batch_size: int = 500
    validation: float = 1 / 6
    reduce_lr_patience: int | None = None
    max_epochs: int = 2_000
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        if not self.rules or len(set(self.rules)) != len(self.rules):
            raise ValueError(f"rules must be distinct and at least one, got {self.rules}")
        for field in ("batch_size", "max_epochs"):
            _positive(field, getattr(self, field))
        if not 0 < self.validation < 1:
            raise ValueError(f"validation must be a share in (0, 1), got {self.validation}")
        if self.reduce_lr_patience is not None:
            _positive("reduce_lr_patience", self.reduce_lr_patience)
        for field in ("l1", "l2"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} must be >= 0, got {getattr(self, field)}")
        for rule in self.rules:
            if isinstance(rule, FixedEpochs) and rule.epochs > self.max_epochs:
                raise ValueError(f"{rule} lies beyond max_epochs {self.max_epochs}")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """No training: the weights come from a file.

    Args:
        weights: digest of that file.
    """

    weights: str
    rules: ClassVar[tuple[AsGiven]] = (AsGiven(),)


def single_rule(training: Training, rule: Rule) -> Training:
    """The same training with one rule alone, for a network that shares no trajectory."""
    return replace(training, rules=(rule,))


def rule_key(rule: Rule) -> str:
    """A short stable name of a rule, for arrays in a checkpoint."""
    return f"{type(rule).__name__}-{digest(rule)}"


def _positive(name: str, value: int) -> None:
    if not (isinstance(value, int) and value >= 1):
        raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
