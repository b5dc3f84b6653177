"""What the chapter `distillation` measures."""

from dataclasses import dataclass
from typing import Any

from robustnets.chapters.distillation import attacks as attacks
from robustnets.chapters.distillation import precision as precision
from robustnets.chapters.distillation.results import EPSILONS

TREATMENTS = ("soft", "removed", "hard")


@dataclass(frozen=True, slots=True)
class Part:
    """The chapter's numbers on one data set.

    Args:
        dataset, n_train, n_test: as of a `DatasetRef`.
        model: a name in `MODELS`.
        epochs, batch_size: of every network.
        optimizer: "Adam", with its usual rate; or (learning rate, momentum) of plain SGD.
        temperatures: increasing. The last is the report's: all treatments of misclassified
            examples are trained there, the others have the paper's alone.
        swept: test examples of the other temperatures, and of gray-box and teachers.
        slow: test examples of attacks with many steps; 0 leaves those out.
        nearest: test examples of Carlini and Wagner's attack, the slowest of them; 0 leaves it
            out.
    """

    dataset: str
    n_train: int | None
    n_test: int | None
    model: str
    epochs: int
    batch_size: int
    optimizer: str | tuple[float, float]
    temperatures: tuple[float, ...]
    swept: int | None
    slow: int
    nearest: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Data sets and training seeds; the other temperatures are trained for the first few seeds."""

    parts: tuple[Part, ...]
    seeds: int
    swept_seeds: int


# At the small scales Adam takes the place of SGD: a loss at temperature 100 has a hundredth of
# the gradient, over which SGD needs some thousand steps before anything is learned. `full` has
# the paper's numbers, but for the halving of rates every ten epochs on CIFAR-10.
MNIST, CIFAR10 = "papernot_mnist_cnn", "papernot_cifar10_cnn"


_ALL = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0)


SCALES = {
    "demo": Scale(
        (Part("digits", None, None, "fc_100_100_10", 50, 25, "Adam", (5.0, 20.0), None, 100, 50),),
        seeds=1,
        swept_seeds=1,
    ),
    "quick": Scale(
        (
            Part("mnist", 15_000, None, MNIST, 5, 128, "Adam", (10.0, 40.0, 100.0), 2000, 300, 200),
            Part("cifar10", 6000, 2000, CIFAR10, 10, 64, "Adam", (100.0,), None, 100, 0),
        ),
        seeds=1,
        swept_seeds=1,
    ),
    "full": Scale(
        (
            Part("mnist", None, None, MNIST, 50, 128, (0.1, 0.5), _ALL, None, 1000, 1000),
            Part("cifar10", None, None, CIFAR10, 50, 128, (0.01, 0.9), _ALL, None, 1000, 1000),
        ),
        seeds=5,
        swept_seeds=1,
    ),
}


def _parts(scale: str, dataset: str | None) -> tuple[Part, ...]:
    """The parts of a scale, or the one of a data set; another one takes the first part's place."""
    from dataclasses import replace

    parts = SCALES[scale].parts
    if dataset is None:
        return parts
    own = [part for part in parts if part.dataset == dataset]
    model = {"mnist": MNIST, "cifar10": CIFAR10}.get(dataset, "fc_100_100_10")
    return tuple(own) or (replace(parts[0], dataset=dataset, model=model),)


def cells(
    scale: str, dataset: str | None = None, seeds: int | None = None, engine: str = "native"
) -> tuple:
    """Every network attacked through its softmax, its logits and its logits at temperature.

    The first two, where gradients vanish, are attacked in float64, too. Attacks with many
    steps are made on the undefended network, on the teacher of the report's temperature and on
    its student.
    """
    s = SCALES[scale]
    out: list[Any] = []
    # the part whose networks take longest is begun first, so that no worker waits for it
    for part in reversed(_parts(scale, dataset)):
        for seed in range(seeds or s.seeds):
            out += _of(part, seed, seed < s.swept_seeds, engine)
    return tuple(out)


def _of(part: Part, seed: int, swept: bool, engine: str) -> list[Any]:
    from dataclasses import replace

    from robustnets.attacks import FGSM
    from robustnets.core.threat import ThreatModel
    from robustnets.defenses import Distillation, Tempered
    from robustnets.experiments.cell import Cell, DatasetRef, Network
    from robustnets.models import InFloat64, ScaledLogits, SoftmaxOutput
    from robustnets.training import SGD, Adam, FixedEpochs, Training

    own = part.optimizer
    optimizer = Adam() if isinstance(own, str) else SGD(*own, nesterov=False)
    training = Training((FixedEpochs(part.epochs),), optimizer, part.batch_size)
    ref = DatasetRef(part.dataset, part.n_train, part.n_test)
    bare = Network(ref, part.model, training, training.rules[0], seed)
    fast = FGSM(ThreatModel("linf", EPSILONS[0]))
    top = part.temperatures[-1]

    def attacked(network, knowledge="white-box", view=None, examples=None) -> Cell:
        return Cell(network, fast, EPSILONS, engine, knowledge, examples=examples, view=view)

    out = [attacked(bare, view=SoftmaxOutput()), attacked(bare)]
    for treatment in TREATMENTS:
        student = replace(bare, defense=Distillation(top, treatment))
        out += [attacked(student, view=SoftmaxOutput()), attacked(student)]
        out.append(attacked(student, "adaptive", ScaledLogits(top)))
    teacher = replace(bare, defense=Tempered(top))
    student = replace(bare, defense=Distillation(top))
    out.append(attacked(student, "gray-box", examples=part.swept))
    networks = [(teacher, top)]
    for t in part.temperatures[:-1] if swept else ():
        networks.append((replace(bare, defense=Distillation(t)), t))
        if t != 1:
            networks.append((replace(bare, defense=Tempered(t)), t))
    for network, t in networks:
        for knowledge, view in (
            ("white-box", SoftmaxOutput()),
            ("white-box", None),
            ("adaptive", ScaledLogits(t)),
        ):
            out.append(attacked(network, knowledge, view, part.swept))
    # in the precision that float32 lacks, on as many images
    again = [(bare, None), (student, None), *((network, part.swept) for network, _ in networks)]
    for network, examples in again:
        for view in (SoftmaxOutput(), None):
            out.append(attacked(network, view=InFloat64(view), examples=examples))
    if part.slow and swept:
        out += _slow(part, bare, student, engine)
    return out


def _slow(part: Part, bare: Any, student: Any, engine: str) -> list[Any]:
    from robustnets.attacks import PGD, CarliniWagner, Square
    from robustnets.chapters.distillation.results import L2_RADII
    from robustnets.core.threat import ThreatModel
    from robustnets.experiments.cell import Cell
    from robustnets.models import ScaledLogits, SoftmaxOutput

    linf = ThreatModel("linf", EPSILONS[0])
    pgd, square = PGD(linf, steps=20), Square(linf, budget=500)
    # few steps need to be long ones, or saturated pixels do not leave the edge of the box
    near = CarliniWagner(ThreatModel("l2", L2_RADII[-1]), steps=100, rounds=5, rate=0.1, first=0.1)
    top = part.temperatures[-1]
    out = []
    for network, views in (
        (bare, (("white-box", SoftmaxOutput()), ("white-box", None))),
        (
            student,
            (
                ("white-box", SoftmaxOutput()),
                ("white-box", None),
                ("adaptive", ScaledLogits(top)),
            ),
        ),
    ):
        for knowledge, view in views:
            out.append(
                Cell(network, pgd, EPSILONS, engine, knowledge, examples=part.slow, view=view)
            )
        # the margin does not fade, whatever the scale; divided, its weight means the same
        knowledge, view = views[-1]
        if part.nearest:
            out.append(
                Cell(network, near, L2_RADII, engine, knowledge, examples=part.nearest, view=view)
            )
        out.append(Cell(network, square, EPSILONS, engine, "black-box", examples=part.slow))
    return out
