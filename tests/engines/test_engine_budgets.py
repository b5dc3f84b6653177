"""Budgets of queries and memory, and what a model may not be."""

import keras
import numpy as np
import pytest

from robustnets import backend
from robustnets.attacks import BIM, FGSM, NES, PGD, CarliniWagner, DeepFool, HopSkipJump
from robustnets.core.threat import ThreatModel
from robustnets.engines import memory, native, run
from robustnets.models.classifier import Classifier

LINF, L2 = ThreatModel("linf", 0.1), ThreatModel("l2", 5.0)
SPECS = (
    PGD(LINF, steps=7),
    PGD(LINF, steps=3, restarts=3, stop_early=True),
    BIM(LINF, steps=6),
    DeepFool(L2, overshoot=0.0, steps=3),
    CarliniWagner(L2, steps=9, rounds=2),
    HopSkipJump(L2, max_iter=3, max_eval=10, init_eval=5),
    NES(LINF, budget=60, samples=10),
)


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1561], digits[1][1500:1561]


@pytest.mark.parametrize("attack", SPECS, ids=lambda spec: type(spec).__name__)
@pytest.mark.parametrize("budget", [5, 11])
def test_nobody_asks_more_than_the_budget(attack, budget, trained_classifier, held_out):
    x, y = held_out
    found = run(attack, trained_classifier, x, y, query_budget=budget, batch_size=16)
    assert found.forward.max() <= budget
    free = run(attack, trained_classifier, x, y, batch_size=16)
    cheap = free.forward <= budget
    np.testing.assert_allclose(found.x[cheap], free.x[cheap], rtol=0, atol=1e-5)
    assert free.forward.max() > 5


def test_a_budget_that_is_never_reached_changes_nothing(trained_classifier, held_out):
    x, y = held_out
    attack = PGD(LINF, steps=7)
    settings = {"batch_size": 16, "seed": 3}
    one = run(attack, trained_classifier, x, y, query_budget=999, **settings)
    two = run(attack, trained_classifier, x, y, **settings)
    np.testing.assert_allclose(one.x, two.x, rtol=0, atol=1e-6)
    assert one.forward.tolist() == two.forward.tolist()


def test_budgets_that_cannot_be_kept_are_refused(trained_classifier, held_out):
    x, y = held_out
    with pytest.raises(ValueError, match="query_budget must be an int >= 2, got 1"):
        run(FGSM(LINF), trained_classifier, x, y, query_budget=1)
    assert run(FGSM(LINF), trained_classifier, x, y, query_budget=2).forward.max() == 2
    with pytest.raises(ValueError, match="query_budget needs engine='native', got 'art'"):
        run(FGSM(LINF), trained_classifier, x, y, query_budget=9, engine="art")


class Crowded(Classifier):
    """Fails like a full memory for batches of more than so many rows."""

    most = 10

    def compiled(self, key, function, *how, **named):
        inner = super().compiled(key, function, *how, **named)
        if key == "logits" or key[0] == "shrink":  # which take little
            return inner

        def limited(*arguments):
            first = arguments[0]
            rows = next(iter(first.values())) if isinstance(first, dict) else first
            if rows.shape[0] > self.most:
                raise MemoryError("full")
            return inner(*arguments)

        return limited


@pytest.mark.parametrize(
    "attack", [FGSM(LINF), PGD(LINF, steps=3), DeepFool(L2)], ids=lambda spec: type(spec).__name__
)
def test_batches_are_halved_until_they_fit(attack, trained_classifier, held_out):
    x, y = held_out
    crowded = Crowded(trained_classifier.model)
    seen = []
    with pytest.warns(UserWarning, match="out of memory in batches of 61; going on in batches of"):
        found = run(attack, crowded, x, y, batch_size=61, progress=lambda *a: seen.append(a))
    expected = run(attack, trained_classifier, x, y, batch_size=8)
    np.testing.assert_allclose(found.x, expected.x, rtol=0, atol=1e-6)
    assert found.forward.tolist() == expected.forward.tolist()
    assert seen[-1] == (61, 61)
    assert seen == sorted(seen)


def test_one_row_that_does_not_fit_is_an_error(trained_classifier, held_out):
    crowded = Crowded(trained_classifier.model)
    crowded.most = 0
    with pytest.raises(MemoryError), pytest.warns(UserWarning, match="out of memory"):
        run(FGSM(LINF), crowded, *held_out, batch_size=4)


def test_a_batch_picks_its_size():
    def conv(width):
        layers = [keras.Input((32, 32, 3)), keras.layers.Conv2D(width, 3)]
        return Classifier(
            keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(4)])
        )

    sizes = [memory.batch_size(PGD(LINF), conv(width)) for width in (2, 64, 4096)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[1] > sizes[2] >= 8
    assert all(size & (size - 1) == 0 for size in sizes)
    averaged = memory.batch_size(PGD(LINF, expectation=16), conv(64))
    assert averaged < sizes[1]


def test_the_compiler_is_chosen_by_model_and_attack(trained_classifier):
    shape = (8, 6, 1)
    conv = Classifier(
        keras.Sequential(
            [
                keras.Input(shape),
                keras.layers.Conv2D(2, 3),
                keras.layers.Flatten(),
                keras.layers.Dense(10),
            ]
        )
    )
    if backend.name() == "jax" or backend.on_accelerator():
        assert native.uses_xla(FGSM(LINF), conv)
        return
    assert native.uses_xla(PGD(LINF), trained_classifier)
    assert not native.uses_xla(FGSM(LINF), trained_classifier)
    assert not native.uses_xla(PGD(LINF), conv)


def test_distances_and_failures(trained_classifier, held_out):
    x, y = held_out
    found = run(FGSM(LINF), trained_classifier, x, y)
    assert found.clean is x
    assert found.distances()["linf"].max() <= 0.1 + 1e-6
    nearest = found.nearest("linf")
    assert np.isinf(nearest).tolist() == (~found.success).tolist()
    assert 0 < np.isinf(nearest).sum() < len(x)


def test_probabilities_are_refused(digits):
    class Hidden(keras.layers.Layer):
        def call(self, z):
            return keras.ops.softmax(z)

    x, y = digits[0][:9], digits[1][:9]
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
            Hidden(),
        ]
    )
    with pytest.raises(ValueError, match="are probabilities, not logits"):
        run(FGSM(LINF), Classifier(model), x, y)


def test_models_that_cannot_be_compiled_are_named(digits):
    class Looks(keras.layers.Layer):
        def call(self, z):
            if keras.ops.shape(z)[0] is not None and bool(keras.ops.max(z) > 0):
                return z
            return -z

        def compute_output_shape(self, shape):
            return shape

        def compute_output_spec(self, z):
            return keras.KerasTensor(z.shape, z.dtype)

    x, y = digits[0][:9], digits[1][:9]
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), keras.layers.Flatten(), Looks(), keras.layers.Dense(10)],
        name="curious",
    )
    with pytest.raises(TypeError, match=r"curious cannot be compiled.*keras\.ops"):
        run(FGSM(LINF), Classifier(model), x, y)


def test_a_progress_bar(trained_classifier, held_out, capsys):
    run(FGSM(LINF), trained_classifier, *held_out, progress=True)
    assert "61/61" in capsys.readouterr().err


@pytest.mark.skipif(backend.name() == "jax", reason="JAX has no plain graphs")
def test_a_layer_that_calls_python_runs_in_a_plain_graph(digits):
    import tensorflow as tf

    class Rounds(keras.layers.Layer):
        def call(self, x):
            rounded = tf.numpy_function(lambda v: np.round(8 * v) / 8, [x], tf.float32)
            rounded.set_shape(x.shape)
            # the identity's gradient, which NumPy has not got
            return x + keras.ops.stop_gradient(rounded - x)

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    x, y = digits[0][:9], digits[1][:9]
    layers = [keras.Input(x.shape[1:]), Rounds(), keras.layers.Flatten(), keras.layers.Dense(10)]
    classifier = Classifier(keras.Sequential(layers))
    attack = PGD(LINF, steps=3)
    assert native.uses_xla(attack, classifier) or backend.on_accelerator()
    found = run(attack, classifier, x, y, attack_wrong=True)
    assert found.backward.tolist() == [3] * 9
    assert classifier.graph_only
    assert not native.uses_xla(attack, classifier)
