"""Attacks on a model that draws at random: every pass draws anew, every run can be repeated."""

from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from drawing_layers import ByNumPy, Drawing, behind
from keras import ops

from robustnets import backend
from robustnets.attacks import APGD, FGSM, PGD, DeepFool, Square
from robustnets.core.threat import ThreatModel
from robustnets.engines import run, sweep
from robustnets.evaluation import evaluate, measure
from robustnets.evaluation.worst_case import worst_case

X = np.random.default_rng(0).uniform(0.2, 0.8, (6, 4, 3, 1)).astype(np.float32)
Y = np.arange(6) % 5
LINF = ThreatModel("linf", 0.1)
PASSES = 5


@dataclass(frozen=True, slots=True)
class Witness:
    """Writes into the first pixels what the first logit was in pass after pass over one image."""

    norms: ClassVar[tuple[str, ...]] = ("linf",)
    minimal: ClassVar[bool] = False
    passes: ClassVar[tuple[int, int]] = (PASSES, PASSES)
    threat: ThreatModel = LINF
    targeted: bool = False

    def perturb(self, logits: Any, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        def first(v):
            return logits(v)[:, 0]

        def step(i, seen):
            value, _ = backend.value_and_grad(first)(x)
            # half of them in a branch, which must draw anew as well
            value = ops.cond(i % 2 == 0, lambda: value, lambda: first(x))
            return i + 1, seen + value[:, None] * ops.one_hot(i, PASSES)[None]

        start = (ops.convert_to_tensor(0, "int32"), ops.zeros((x.shape[0], PASSES)))
        _, seen = ops.while_loop(lambda i, _: i < PASSES, step, start)
        flat = ops.reshape(x, (x.shape[0], -1))
        flat = ops.concatenate([ops.sigmoid(seen), flat[:, PASSES:]], axis=1)
        return ops.reshape(flat, x.shape)


@pytest.fixture(scope="module")
def drawing():
    return behind(Drawing(scale=0.5))


def test_every_pass_of_a_compiled_loop_draws_anew(drawing):
    one, again, other = (
        run(Witness(), drawing, X, Y, seed=seed, attack_wrong=True).x for seed in (0, 0, 1)
    )
    seen = one.reshape(len(X), -1)[:, :PASSES]
    assert all(len(set(row)) == PASSES for row in seen.tolist())
    np.testing.assert_array_equal(one, again)
    assert len(set(other.reshape(len(X), -1)[0, :PASSES]) & set(seen[0])) == 0


def test_two_parts_of_a_set_draw_otherwise(drawing):
    settings = {"attack_wrong": True, "seed": 0}
    first, second = (
        run(Witness(), drawing, X[:2], Y[:2], numbers=np.arange(start, start + 2), **settings).x
        for start in (0, 2)
    )
    assert (first.reshape(2, -1)[:, :PASSES] != second.reshape(2, -1)[:, :PASSES]).all()


@pytest.mark.parametrize(
    "attack",
    [
        PGD(LINF, steps=3, restarts=2),
        PGD(LINF, steps=3, expectation=3, stop_early=True),
        APGD(ThreatModel("l2", 0.3), steps=4),
        DeepFool(ThreatModel("l2", 1.0)),
        Square(LINF, budget=20),
    ],
    ids=["PGD", "PGD averaged", "APGD", "DeepFool", "Square"],
)
def test_the_same_seed_gives_the_same_examples(attack, drawing):
    before = drawing.predict(X)
    one, again, other = (run(attack, drawing, X, Y, seed=s, attack_wrong=True) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.x, again.x)
    np.testing.assert_array_equal(one.success, again.success)
    assert (one.x != other.x).any()
    assert np.abs(drawing.predict(X) - before).max() > 1e-3


def test_xla_on_tensorflow_draws_anew(drawing):
    """Loops over dense layers are compiled by XLA there, the others are plain graphs."""
    for xla in (False, True):
        seen = drawing.compiled(
            ("witness", xla),
            lambda x: Witness().perturb(drawing.logits, x, None, None, None),
            xla,
        )
        found = ops.convert_to_numpy(seen(ops.convert_to_tensor(X))).reshape(len(X), -1)
        assert len(set(found[0, :PASSES].tolist())) == PASSES


def test_records_say_that_the_model_draws(drawing):
    made = [measure({}, drawing, X, Y, sweep(FGSM(LINF), drawing, X, Y, (0.1,))) for _ in range(2)]
    np.testing.assert_array_equal(made[0].clean, made[1].clean)
    for name, values in made[0].arrays.items():
        np.testing.assert_array_equal(values, made[1].arrays[name])
    assert made[0].about["draws_at_random"] is True
    other = measure({}, drawing, X, Y, seed=1)
    assert (other.arrays["clean_confidence"] != made[0].arrays["clean_confidence"]).any()
    plain = measure({}, behind(keras.layers.RandomFlip()), X, Y)
    assert "draws_at_random" not in plain.about


def test_the_worst_case_is_judged_by_the_same_draws_again(drawing, tmp_path):
    attacks = (PGD(LINF, steps=2), FGSM(LINF))
    y = sum(drawing.predict(X) for _ in range(20)).argmax(axis=1)
    found = [
        worst_case(attacks, drawing, X, y, evaluations=5, needed=3, folder=folder)
        for folder in (None, tmp_path, tmp_path)
    ]
    assert list(tmp_path.glob("parts/*.npz"))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].x, other.x)
        np.testing.assert_array_equal(found[0].broken_by, other.broken_by)


@pytest.mark.parametrize("path", ["run", "sweep", "measure", "worst_case", "evaluate"])
def test_draws_that_would_be_frozen_are_refused_on_every_path(path):
    frozen = behind(ByNumPy(name="culprit"))
    attack = FGSM(LINF)
    call = {
        "run": lambda: run(attack, frozen, X, Y),
        "sweep": lambda: list(sweep(attack, frozen, X, Y, (0.1, 0.2))),
        "measure": lambda: measure({}, frozen, X, Y),
        "worst_case": lambda: worst_case((attack,), frozen, X, Y),
        "evaluate": lambda: evaluate(frozen, X, Y, eps=0.1, suite="quick"),
    }[path]
    with pytest.raises(ValueError, match=r"layer culprit of .* would freeze its draws"):
        call()


def test_where_jax_would_freeze_draws_nothing_is_computed(drawing):
    """Outside of what is compiled by the package, as under somebody's own jax.jit."""
    if backend.name() != "jax":
        pytest.skip("TensorFlow freezes no draws")
    import jax

    with pytest.raises(ValueError, match="JAX would freeze it here: call the model within"):
        jax.jit(drawing.logits)(ops.convert_to_tensor(X))
