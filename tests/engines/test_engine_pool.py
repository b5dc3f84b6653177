"""Examples that finish leave the batch; nothing but the time taken may show it."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest
from keras import ops

from robustnets.attacks import BIM, FGSM, PGD, Noise, balls
from robustnets.attacks.base import carry_out, check, loop
from robustnets.core.threat import ThreatModel
from robustnets.engines import pool, run
from robustnets.models import Classifier

LINF = ThreatModel("linf", 0.15)
EARLY = BIM(LINF, step=0.01, steps=20, stop_at_boundary=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Countdown:
    """Takes as many steps as an example's label says, adding 0.01 to every value in each."""

    norms: ClassVar[tuple[str, ...]] = ("linf",)
    minimal: ClassVar[bool] = True
    targeted: ClassVar[bool] = False
    early: ClassVar[bool] = True
    chunk: ClassVar[int] = 2

    threat: ThreatModel

    def __post_init__(self):
        check(self)

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        return carry_out(self, logits, x, y, seeds, eps)

    def start(self, logits, x, y, seeds, eps):
        return {"x": x, "y": y, "taken": ops.zeros_like(y), "rank": seeds}

    def advance(self, logits, state, steps):
        def step(s):
            going = ops.cast(ops.logical_not(self.done(s)), "int32")
            return {**s, "taken": s["taken"] + going}

        return loop(step, self.done, state, steps)

    def done(self, state):
        return state["taken"] >= state["y"]

    def result(self, state):
        up = 0.01 * ops.cast(state["taken"], "float32")
        x = balls.move(state["x"], balls.per_example(up, state["x"]) + 0 * state["x"], 0.0, 1.0)
        return {"x": x, "forward": state["taken"], "backward": state["y"]}


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1637], digits[1][1500:1637]


@pytest.mark.parametrize("size", [1, 3, 16, 40, 500])
@pytest.mark.parametrize(("trace", "graph"), [(0.0, False), (1e99, False), (0.0, True)])
def test_every_example_gets_its_own_work_whatever_the_batch(size, trace, graph, monkeypatch):
    """With and without smaller batches at the tail, rows find their way home."""
    from tiny_models import dense_classifier

    monkeypatch.setattr(pool, "TRACE", trace)
    rng = np.random.default_rng(size)
    x = rng.uniform(0, 0.5, (40, 5, 4, 3)).astype(np.float32)
    y = rng.integers(0, 23, 40)
    seen = []
    classifier = dense_classifier(23)
    classifier.graph_only = graph
    out = run(
        Countdown(ThreatModel("linf", 1.0)),
        classifier,
        x,
        y,
        batch_size=size,
        attack_wrong=True,
        progress=lambda *a: seen.append(a),
    )
    np.testing.assert_allclose(
        out.x - x, np.broadcast_to(0.01 * y[:, None, None, None], x.shape), atol=1e-6
    )
    assert out.forward.tolist() == out.backward.tolist() == y.tolist()
    assert seen == sorted(seen)
    assert seen[-1] == (40, 40)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("attack", [EARLY, Noise(LINF, draws=9)])
def test_compaction_does_not_change_results(
    attack, graph, trained_classifier, held_out, monkeypatch
):
    classifier = Classifier(trained_classifier.model)
    classifier.graph_only = graph
    whole = run(attack, classifier, *held_out, batch_size=500)
    assert len(set(whole.forward)) > 2, "some must finish early for this to say anything"
    monkeypatch.setattr(pool, "TRACE", 0.0)
    for size in (5, 32):
        part = run(attack, classifier, *held_out, batch_size=size)
        np.testing.assert_allclose(part.x, whole.x, rtol=0, atol=1e-6)
        assert part.forward.tolist() == whole.forward.tolist()
        assert part.success.tolist() == whole.success.tolist()
    again = run(attack, classifier, *held_out, batch_size=32)
    assert again.x.tobytes() == part.x.tobytes()


def test_a_second_run_traces_nothing(held_out):
    from tiny_models import dense_classifier

    class Counting(type(dense_classifier(7))):
        traces = 0

        def logits(self, x):
            self.traces += 1
            return super().logits(x)

    x, y = held_out
    classifier = Counting(dense_classifier(10, shape=x.shape[1:]).model)
    run(EARLY, classifier, x, y, batch_size=50)
    traces = classifier.traces
    for eps in (0.0, 0.1, 0.3):
        attack = dataclasses.replace(EARLY, threat=ThreatModel("linf", eps))
        run(attack, classifier, x, y, batch_size=50)
    assert classifier.traces == traces


def test_a_grid_of_radii_equals_one_run_for_each(trained_classifier, held_out):
    epsilons = (0.0, 0.05, 0.15)
    for attack in (FGSM(LINF), EARLY):
        grid = run(attack, trained_classifier, *held_out, epsilons=epsilons)
        assert len(grid) == 3
        for eps, found in zip(epsilons, grid):
            spec = dataclasses.replace(attack, threat=ThreatModel("linf", eps))
            alone = run(spec, trained_classifier, *held_out)
            np.testing.assert_array_equal(found.x, alone.x)
            np.testing.assert_array_equal(found.success, alone.success)
    with pytest.raises(ValueError, match="at least one radius"):
        run(EARLY, trained_classifier, *held_out, epsilons=())


def test_a_minimal_attack_runs_once_and_is_cut_to_each_radius(trained_classifier, held_out):
    x, y = held_out
    seen = []
    grid = run(
        Countdown(LINF),
        trained_classifier,
        x,
        y,
        epsilons=(0.0, 0.02, 1.0),
        attack_wrong=True,
        progress=lambda *a: seen.append(a),
    )
    assert seen[-1] == (len(x), len(x))
    for eps, found in zip((0.0, 0.02, 1.0), grid):
        moved = np.minimum(np.minimum(0.01 * y, eps)[:, None, None, None], 1 - x)
        np.testing.assert_allclose(found.x - x, moved, atol=1e-6)
        predicted = trained_classifier.predict(found.x).argmax(axis=1)
        assert found.success.tolist() == (predicted != y).tolist()
    assert grid[0].x.tobytes() == x.tobytes()


def test_examples_already_wrong_are_left_alone_unless_asked(trained_classifier, held_out):
    x, y = held_out
    wrong = trained_classifier.predict(x).argmax(axis=1) != y
    assert 0 < wrong.sum() < len(x)
    attack = FGSM(LINF)
    spared = run(attack, trained_classifier, x, y)
    assert spared.x[wrong].tobytes() == x[wrong].tobytes()
    assert spared.success[wrong].all()
    assert spared.forward.tolist() == np.where(wrong, 1, 2).tolist()
    assert spared.backward.tolist() == np.where(wrong, 0, 1).tolist()
    asked = run(attack, trained_classifier, x, y, attack_wrong=True)
    assert (asked.x[wrong] != x[wrong]).any()
    np.testing.assert_allclose(asked.x[~wrong], spared.x[~wrong], rtol=0, atol=1e-6)
    assert asked.forward.tolist() == [1] * len(x)
    everyone = run(attack, trained_classifier, x[wrong], y[wrong])
    assert everyone.x.tobytes() == x[wrong].tobytes()


@pytest.mark.parametrize("attack", [FGSM(LINF), EARLY, PGD(LINF)])
def test_a_time_budget_ends_the_run_with_what_is_at_hand(attack, trained_classifier, held_out):
    x, y = held_out
    out = run(attack, trained_classifier, x, y, batch_size=10, time_budget=1e-6)
    assert balls.distances(x, out.x)["linf"].max() <= 0.15 + 1e-6
    assert (out.x == x).all(axis=(1, 2, 3)).sum() > len(x) / 2
    for budget in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="time_budget must be seconds > 0"):
            run(attack, trained_classifier, x, y, time_budget=budget)
