"""`robustnets evaluate`: from a model file and examples to a page. Heavy imports come late."""

import importlib
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustnets.core.threat import ThreatModel, refuse_whole_box
from robustnets.experiments.arguments import ANY_EPS, input_range, limits, radius

if TYPE_CHECKING:
    import keras

    from robustnets.core.dataset import Split
    from robustnets.evaluation import Evaluation
    from robustnets.evaluation.evaluate import Moment
    from robustnets.evaluation.pieces import Carrier

SUFFIXES = (".keras", ".h5", ".hdf5")
SUITES = ("quick", "standard", "autoattack")
# what results on these data are usually reported for (RobustBench; Madry et al. 2018)
USUAL = {("mnist", "linf"): "0.3", ("cifar10", "linf"): "8/255", ("cifar10", "l2"): "0.5"}

CLOSING = 3.0  # seconds to write a page


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, checked as far as it can be without loading anything.

    Args:
        model: a file, or "module:function".
        data: a data set's name or a file.
        norm: of the threat.
        eps: in words; "" takes the usual one of the data, where there is one.
        suite: one of `SUITES`.
        n: how many examples.
        seed: of every draw.
        defense: "package.Layer" of a layer to put in front, or None.
        budget: minutes such as "10m", queries such as "2000", or None.
        input_range: the smallest and the largest value that the model takes, such as "-1,1", to
            which examples are scaled; None is 0 to 1.
        any_eps: a linf radius as wide as that range or wider is meant.

    Raises:
        ValueError: naming what is wrong.
        FileNotFoundError: for a model's file that is not there.
    """

    model: str
    data: str
    norm: str = "linf"
    eps: str = ""
    suite: str = "standard"
    n: int = 1000
    seed: int = 0
    defense: str | None = None
    budget: str | None = None
    input_range: str | None = None
    any_eps: bool = False

    def __post_init__(self) -> None:
        if self.suite not in SUITES:
            raise ValueError(f"suite must be one of {', '.join(SUITES)}, got {self.suite!r}")
        if self.norm == "l0":
            raise ValueError("norm must be linf, l2 or l1, got 'l0'")
        if not self.threat.eps > 0:
            raise ValueError(f"eps must be > 0, got {self.eps}")
        refuse_whole_box(self.threat, self.any_eps, ANY_EPS)
        limits(self.budget)
        file = Path(self.model).expanduser()
        if file.suffix in SUFFIXES and not file.exists():
            raise FileNotFoundError(f"there is no file {file}")
        if self.defense is not None:
            _split(self.defense)

    @property
    def threat(self) -> ThreatModel:
        """Norm and radius in the box of the model."""
        low, high = self.box
        words = self.eps or USUAL.get((self.data, self.norm), "")
        if words and not self.eps and (low, high) != (0, 1):
            raise ValueError(
                f"--eps is missing: the usual {words} is for images in [0, 1]; in "
                f"[{low:g}, {high:g}] that is {radius(words) * (high - low):.4g}"
            )
        if not words:
            raise ValueError(
                f"--eps is missing: there is no usual radius in {self.norm} for {self.data}; name "
                "one such as 8/255"
            )
        return ThreatModel(self.norm, radius(words), low, high)

    @property
    def box(self) -> tuple[float, float]:
        """The smallest and the largest value that the model takes."""
        return input_range(self.input_range)

    @property
    def plan(self) -> str:
        """What is going to be done, in one line."""
        behind = f" behind {self.defense}" if self.defense else ""
        within = f", within {self.budget}" if self.budget else ""
        words = self.eps or USUAL.get((self.data, self.norm), "")
        low, high = self.box
        scaled = "" if (low, high) == (0, 1) else f" scaled to [{low:g}, {high:g}]"
        return (
            f"evaluating {self.model}{behind} on up to {self.n} examples of {self.data}{scaled}: "
            f"{self.norm}, eps {words}, suite {self.suite}, seed {self.seed}{within}"
        )


def evaluate_model(
    request: Request,
    load: Callable[[], Any],
    *,
    data_dir: str | None = None,
    store: Any = None,
    command: Sequence[str] = (),
    progress: "Callable[[Moment], None] | None" = None,
    carrier: "Carrier | None" = None,
    started: float | None = None,
) -> "Evaluation":
    """Load, evaluate, and keep the facts that a page needs.

    Args:
        request: what was asked for.
        load: gives the Classifier.
        data_dir: folder of the data sets, or None for the default search.
        store: where parts are kept.
        command: as it was typed, for the page.
        progress: as for `evaluate`.
        carrier: as for `evaluate`.
        started: reading of `time.perf_counter` from which on a budget of time counts; None:
            from here.

    Raises:
        ValueError, FileNotFoundError: naming what is wrong and the remedy.
    """
    from robustnets.core.dataset import evenly_by_class
    from robustnets.evaluation import evaluate
    from robustnets.evaluation.input_scale import COMMAND
    from robustnets.evaluation.suites import SUITES as SPECS
    from robustnets.experiments.examples import examples_for

    begun = time.perf_counter() if started is None else started
    classifier = load()
    test = examples_for(classifier, request.data, data_dir, box=request.box)
    rows = evenly_by_class(test.y, request.n)
    x, y = test.x[rows], test.y[rows]
    trained = SPECS[request.suite].surrogate
    name = Path(request.model).name
    # a box that nobody named is not passed on: see evaluate
    box: dict[str, Any] = {}
    if request.input_range is not None:
        box = dict(zip(("low", "high"), request.box))
    allowed = limits(request.budget)
    if "time_budget" in allowed:
        spent = time.perf_counter() - begun + CLOSING
        allowed["time_budget"] = max(allowed["time_budget"] - spent, 1.0)
    return evaluate(
        classifier,
        x,
        y,
        norm=request.norm,
        eps=request.threat.eps,
        any_eps=request.any_eps,
        entry=COMMAND,
        **box,
        suite=request.suite,
        seed=request.seed,
        defense=None if request.defense is None else layer_of(request.defense),
        surrogate=training_split(request.data, data_dir, request.box) if trained else None,
        class_names=test.class_names,
        store=store,
        progress=progress,
        carrier=carrier,
        about={
            "model": name,
            "data": request.data,
            "command": shlex.join(command),
            **({} if carrier is None else {"processes": carrier.processes}),
            "chosen": "all" if len(rows) == len(test) else (
                f"{len(rows)} of {len(test)}, evenly spaced by class"
            ),
        },
        **allowed,
    )  # fmt: skip


def training_split(
    name: str, data_dir: str | None, box: tuple[float, float] = (0.0, 1.0)
) -> "Split | None":
    """What a surrogate can be trained on, scaled to a box: None for a file of x and y alone."""
    from robustnets import data
    from robustnets.core.dataset import Split
    from robustnets.experiments.examples import scaled_to

    try:
        train = data.load(name, data_dir).train
    except ValueError:
        return None
    return Split(scaled_to(train.x, box), train.y)


def layer_of(name: str) -> "keras.layers.Layer":
    """A layer by the name of its class, of an instance or of a function that makes one.

    Args:
        name: "package.module.Layer" or "package.module:Layer"; the working directory is
            searched, too.

    Raises:
        ValueError: if there is none, or it needs arguments.
    """
    import keras

    from robustnets.models.saved_model import one_line

    module, attribute = _split(name)
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except (Exception, SystemExit) as problem:  # whatever code of its own raises
        raise ValueError(
            f"cannot import the defense's module {module!r}: {one_line(problem)}"
        ) from problem
    if found is None:
        raise ValueError(f"module {module!r} has no {attribute!r}")
    if isinstance(found, keras.layers.Layer):
        return found
    try:
        layer = found()
    except TypeError as problem:
        raise ValueError(
            f"{name} cannot be made without arguments ({one_line(problem)}); name a function "
            "without arguments that returns the layer, or an instance of it"
        ) from problem
    except (Exception, SystemExit) as problem:
        raise ValueError(
            f"{name} failed with {type(problem).__name__}: {one_line(problem)}"
        ) from problem
    if not isinstance(layer, keras.layers.Layer):
        raise ValueError(f"{name} is no Keras layer but {type(layer).__name__}")
    return layer


def _split(name: str) -> tuple[str, str]:
    module, _, attribute = name.replace(":", ".").rpartition(".")
    if not module or not attribute:
        raise ValueError(f"a defense is named package.Layer, got {name!r}")
    return module, attribute
