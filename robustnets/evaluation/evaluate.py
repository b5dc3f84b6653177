"""How robust is a model? One call, all attackers, one number with what stands behind it."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from robustnets.core.dataset import Split
from robustnets.core.store import Store
from robustnets.core.threat import ThreatModel
from robustnets.engines.checks import check
from robustnets.evaluation import threats, verdict
from robustnets.evaluation.curve import Curve
from robustnets.evaluation.evaluation import Attacker, Evaluation
from robustnets.evaluation.judged import judged_classes
from robustnets.evaluation.outcome import combined
from robustnets.evaluation.pieces import Carrier
from robustnets.evaluation.stages import Moment, Stages
from robustnets.evaluation.subject import Declared, subject_of
from robustnets.evaluation.suites import suite_of
from robustnets.models.classifier import Classifier


def evaluate(
    model: keras.Model | Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    eps: float,
    norm: str = "linf",
    suite: str = "standard",
    seed: int = 0,
    defense: keras.layers.Layer | Declared | None = None,
    surrogate: keras.Model | Classifier | Split | None = None,
    time_budget: float | None = None,
    query_budget: int | None = None,
    batch_size: int | None = None,
    store: Store | None = None,
    progress: Callable[[Moment], None] | None = None,
    carrier: Carrier | None = None,
    class_names: Sequence[str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Attack a model as everyone would who knows little or much of it, and say what is left.

    Args:
        model: a Keras model of images, or a Classifier; a softmax at its end is taken off.
        x: float32 (N, H, W, C) in [0, 1], examples that the model was not trained on.
        y: int (N,), their true labels.
        eps: radius in input units.
        norm: "linf", "l2" or "l1".
        suite: "quick", "standard" or "autoattack"; see `suites`.
        seed: of every draw.
        defense: a Keras layer to put in front of the model, or a `Declared` where `model` is
            the defended one; see `subject`.
        surrogate: another model to craft examples on, or examples to train one on, which must
            be none of x; None leaves that attacker out.
        time_budget: seconds; fewer examples are attacked, then attacks are cut down to fit, and
            the result says so.
        query_budget: most forward passes for each example by each attacker.
        batch_size: as for `engines.run`.
        store: where finished parts are kept, so that a killed run goes on; None keeps none.
        progress: called after each batch.
        carrier: carries attacks out in other processes, see `pieces`; None: in this one. What
            is found does not depend on it, but for a model that draws at random.
        class_names: one for each class; None numbers them.
        about: facts to put on the page.

    Returns:
        An Evaluation: `robust_accuracy`, `page()`, `save(folder)`.

    Raises:
        ValueError: for arguments that are not as above, naming the remedy.

    Example:
        >>> from robustnets import data
        >>> from robustnets.models import fc_100_100_10
        >>> test = data.load("digits").test
        >>> model = fc_100_100_10((28, 28, 1), 10, seed=0)  # untrained
        >>> found = evaluate(model, test.x[:20], test.y[:20], eps=0.1, suite="quick")
        >>> found.robust_accuracy.estimate <= found.accuracy.estimate
        True
    """
    threat = ThreatModel(norm, eps)
    attacks = suite_of(suite, norm)
    if eps == 0:
        raise ValueError("eps must be > 0: at 0 there is nothing to attack")
    bare = model if isinstance(model, Classifier) else Classifier(model)
    y = np.asarray(y)
    check(attacks.curve(threat), bare, x, y, seed, batch_size, time_budget, query_budget)
    names = tuple(map(str, range(bare.classes))) if class_names is None else tuple(class_names)
    if len(names) != bare.classes:
        raise ValueError(f"class_names must be {bare.classes}, one per class, got {len(names)}")
    y = y.astype(np.int64)
    started = time.perf_counter()
    subject = subject_of(bare, defense, x, y)
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
    left_out = run.schedule.omissions
    fewer = () if len(run.y) == len(y) else (f"{len(run.y)} of {len(y)} examples, by class",)
    return Evaluation(
        threat, suite, seed, subject, carried, nearest,
        judged_classes(subject, nearest.x, run.y, np.isfinite(nearest.distance)), curve,
        convergence, checks, known[1],
        verdict.reasons(checks, known, found, left_out), (*fewer, *left_out),
        run.seconds, names, dict(about or {}),
    )  # fmt: skip
