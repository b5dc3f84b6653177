"""How robust is a model? One call, all attackers, one number with what stands behind it."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from robustnets.core.dataset import Split
from robustnets.core.seeds import derive
from robustnets.core.store import Store, store_of
from robustnets.core.threat import ThreatModel, number, refuse_whole_box
from robustnets.engines.checks import check, check_examples
from robustnets.evaluation import threats, verdict
from robustnets.evaluation.curve import Curve
from robustnets.evaluation.evaluation import Attacker, Evaluation
from robustnets.evaluation.input_scale import PYTHON, Entry, check_scale
from robustnets.evaluation.judged import judged_classes
from robustnets.evaluation.outcome import combined
from robustnets.evaluation.pieces import Carrier
from robustnets.evaluation.stages import Moment, Stages
from robustnets.evaluation.subject import Declared, subject_of
from robustnets.evaluation.suites import suite_of
from robustnets.models.accept import classifier_of
from robustnets.models.classifier import Classifier


def evaluate(
    model: keras.Model | Classifier | str | os.PathLike,
    x: Any,
    y: Any,
    *,
    eps: float | str,
    norm: str = "linf",
    low: float | None = None,
    high: float | None = None,
    any_eps: bool = False,
    suite: str = "standard",
    seed: int = 0,
    defense: keras.layers.Layer | Declared | None = None,
    surrogate: keras.Model | Classifier | Split | None = None,
    time_budget: float | None = None,
    query_budget: int | None = None,
    batch_size: int | None = None,
    store: Store | str | os.PathLike | None = None,
    progress: Callable[[Moment], None] | None = None,
    carrier: Carrier | None = None,
    class_names: Sequence[str] | None = None,
    about: Mapping[str, Any] | None = None,
    entry: Entry = PYTHON,
) -> Evaluation:
    """Attack a model as everyone would who knows little or much of it, and say what is left.

    Args:
        model: a Keras model of images, a Classifier, or the path of a saved model; a softmax
            at its end is taken off.
        x: (N, H, W, C) in [low, high], examples that the model was not trained on; float32,
            or what stands for it, see `core.arrays.as_images`.
        y: class numbers (N,) or (N, 1), their true labels.
        eps: radius in input units; a number, or a text such as "8/255".
        norm: "linf", "l2" or "l1".
        low, high: the box of valid inputs, of all channels; None: 0 and 1. Distances and eps
            are in its units. Images that the model takes in another scale are refused; who
            names the box is warned instead.
        any_eps: a linf radius as wide as the box or wider is meant.
        suite: "quick", "standard" or "autoattack"; see `suites`.
        seed: of every draw, also of the model's own generators where it draws at random.
        defense: a Keras layer to put in front of the model, or a `Declared` where `model` is
            the defended one; see `subject`.
        surrogate: another model to craft examples on, or examples to train one on, which must
            be none of x; None leaves that attacker out.
        time_budget: seconds; fewer examples are attacked, then attacks are cut down to fit, and
            the result says so.
        query_budget: most forward passes for each example by each attacker.
        batch_size: as for `engines.run`.
        store: where finished parts are kept, a Store or a folder, so that a killed run goes
            on; None keeps none.
        progress: called after each batch.
        carrier: carries attacks out in other processes, see `pieces`; None: in this one. What
            is found does not depend on it.
        class_names: one for each class; None numbers them.
        about: facts to put on the page.
        entry: how remedies are given where images have another scale.

    Returns:
        An Evaluation: `robust_accuracy`, `page()`, `save(folder)`.

    Raises:
        ValueError: for arguments that are not as above, naming the remedy.

    Example:
        >>> from robustnets import data
        >>> from robustnets.models import fc_100_100_10
        >>> test = data.load("digits").test
        >>> model = fc_100_100_10((28, 28, 1), 10, seed=0)  # untrained
        >>> x, y = test.x[:20], test.y[:20]
        >>> found = evaluate(model, x, y, eps=0.1, suite="quick", low=0, high=1)
        >>> found.robust_accuracy.estimate <= found.accuracy.estimate
        True
    """
    box = (0.0 if low is None else low, 1.0 if high is None else high)
    threat = ThreatModel(norm, number("eps", eps), *box)
    attacks = suite_of(suite, norm)
    if eps == 0:
        raise ValueError("eps must be > 0: at 0 there is nothing to attack")
    refuse_whole_box(threat, any_eps, "pass any_eps=True")
    store = store_of(store)
    bare = classifier_of(model, "model")
    limits = seed, batch_size, time_budget, query_budget
    x, y = check(attacks.curve(threat), bare, x, y, *limits, box="evaluate")
    if isinstance(surrogate, Split):
        surrogate = _checked(bare, surrogate, threat)
    names = tuple(map(str, range(bare.classes))) if class_names is None else tuple(class_names)
    if len(names) != bare.classes:
        raise ValueError(f"class_names must be {bare.classes}, one per class, got {len(names)}")
    started = time.perf_counter()
    subject = subject_of(bare, defense, x, y)
    note = check_scale(
        subject.classifier, x, y, low=threat.low, high=threat.high,
        given=low is not None or high is not None, entry=entry,
    )  # fmt: skip
    about = {**(about or {}), **({"note": note} if note else {})}
    run = Stages(subject, attacks, threat, x, y, seed, query_budget, batch_size, progress, carrier)
    run.keep_in(store, defense)
    other = run.surrogate(surrogate, store)
    rows = threats.rows_of(subject, attacks, threat, other)
    run.plan(rows, time_budget, started)
    carried = tuple(Attacker(row, *run.attacked(row, number)) for number, row in enumerate(rows))
    found = combined([a.case for a in carried if a.row.counts])
    nearest, curve = run.curve(found)
    convergence = None
    if subject.stochastic:
        convergence, nearest = run.convergence(nearest)
        curve = Curve.of(nearest, curve.epsilons, curve.attack)
    checks = run.checks(found, carried)
    known = threats.recipe(subject)
    across = np.isfinite(nearest.distance)
    drawn = derive(seed, "nearest")
    predicted = judged_classes(subject, nearest.x, run.y, across, drawn)
    left_out = run.schedule.omissions
    fewer = () if len(run.y) == len(y) else (f"{len(run.y)} of {len(y)} examples, by class",)
    return Evaluation(
        threat, suite, seed, subject, carried, nearest,
        predicted, curve, convergence, checks, known[1],
        verdict.reasons(checks, known, found, left_out), (*fewer, *left_out),
        run.seconds, names, about,
    )  # fmt: skip


def _checked(classifier: Classifier, examples: Split, threat: ThreatModel) -> Split:
    """Examples to train a surrogate on, which must be such as those that are attacked."""
    box = threat.low, threat.high
    try:
        return Split(*check_examples(classifier, examples.x, examples.y, *box, box="evaluate"))
    except ValueError as problem:
        raise ValueError(f"surrogate: {problem}") from None
