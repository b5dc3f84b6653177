"""Gradients and compiled epochs against NumPy; the same tests run on either backend."""

import keras
import numpy as np
import pytest
from drawing_layers import Drawing
from keras import ops

from robustnets import backend

TENSOR, NUMPY = ops.convert_to_tensor, ops.convert_to_numpy


def test_value_and_grad_against_the_formula():
    """f(x) = sum(w x^3) for each row of (N, 3, 5); its gradient is 3 w x^2."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 3, 5)).astype(np.float32)
    w = rng.normal(size=(3, 5)).astype(np.float32)
    for wrap in (lambda f: f, backend.compiled):
        both = wrap(backend.value_and_grad(lambda z: ops.sum(w * z**3, axis=(1, 2))))
        value, gradient = map(NUMPY, both(TENSOR(x)))
        assert value.shape == (4,)
        assert gradient.shape == x.shape
        np.testing.assert_allclose(value, (w * x**3).sum(axis=(1, 2)), rtol=0, atol=1e-5)
        np.testing.assert_allclose(gradient, 3 * w * x**2, rtol=0, atol=1e-5)


def test_gradient_is_zero_where_nothing_depends_on_x():
    x = TENSOR(np.ones((4, 3, 5), np.float32))
    value, gradient = backend.value_and_grad(lambda z: ops.arange(4, dtype="float32"))(x)
    np.testing.assert_array_equal(NUMPY(value), [0, 1, 2, 3])
    np.testing.assert_array_equal(NUMPY(gradient), np.zeros((4, 3, 5)))


def test_gradient_is_zero_where_part_of_x_is_unused():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 3, 5)).astype(np.float32)
    _, gradient = backend.value_and_grad(lambda z: ops.sum(z[:, 1] ** 2, axis=1))(TENSOR(x))
    expected = np.zeros_like(x)
    expected[:, 1] = 2 * x[:, 1]
    np.testing.assert_allclose(NUMPY(gradient), expected, rtol=0, atol=1e-6)


def softmax_epoch(x, y, batches, kernel, bias, speeds, rate, momentum):
    """An epoch of SGD with Nesterov momentum on softmax regression, as Keras words it."""
    losses = []
    for rows in batches:
        a, labels = x[rows].reshape(len(rows), -1), y[rows]
        z = a @ kernel + bias
        z = z - z.max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(rows)), labels]).mean())
        p[np.arange(len(rows)), labels] -= 1
        gradients = [a.T @ p / len(rows), p.mean(axis=0)]
        for value, speed, g in zip((kernel, bias), speeds, gradients):
            speed *= momentum
            speed -= rate * g
            value += momentum * speed - rate * g
    return float(np.mean(losses))


@pytest.mark.parametrize("xla", [False, True])
def test_epoch_is_a_hand_written_epoch(xla):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (23, 3, 2, 1)).astype(np.float32)
    y = rng.integers(0, 4, 23)
    model = keras.Sequential(
        [keras.Input((3, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    model.layers[-1].kernel.assign(rng.normal(size=(6, 4)))
    optimizer = keras.optimizers.SGD(0.3, momentum=0.8, nesterov=True)
    optimizer.build(model.trainable_variables)

    def loss(labels, logits):
        losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return ops.mean(losses)

    epoch = backend.epoch_function(model, optimizer, loss, xla)
    kernel, bias = (w.astype(np.float64) for w in model.get_weights())
    speeds = [np.zeros_like(kernel), np.zeros_like(bias)]
    for _ in range(3):
        batches = rng.permutation(23)[:20].reshape(5, 4).astype(np.int32)
        value = epoch(TENSOR(x), TENSOR(y.astype(np.int32)), batches)
        expected = softmax_epoch(x, y, batches, kernel, bias, speeds, 0.3, 0.8)
        assert type(value) is float
        assert value == pytest.approx(expected, abs=1e-5)
        np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=0, atol=1e-5)
        np.testing.assert_allclose(model.get_weights()[1], bias, rtol=0, atol=1e-5)


def test_epoch_sees_a_new_learning_rate():
    """Rules change the rate between epochs; it must not be frozen into what was compiled."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, use_bias=False)])
    optimizer = keras.optimizers.SGD(1.0, momentum=0.0)
    optimizer.build(model.trainable_variables)
    epoch = backend.epoch_function(model, optimizer, lambda y, z: ops.sum(z), xla=True)
    x, y = TENSOR(np.ones((4, 2), np.float32)), TENSOR(np.zeros(4, np.int32))
    batches = np.arange(4, dtype=np.int32).reshape(2, 2)
    steps = []
    for rate in (1.0, 0.1):
        optimizer.learning_rate.assign(rate)
        before = model.get_weights()[0]
        epoch(x, y, batches)
        steps.append(before - model.get_weights()[0])
    # the gradient of the sum of the logits of 2 rows of ones is 2 everywhere; 2 steps
    np.testing.assert_allclose(steps[0], 4.0, rtol=0, atol=1e-5)
    np.testing.assert_allclose(steps[1], 0.4, rtol=0, atol=1e-5)


def test_compiled_with_weights_sees_changed_weights():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    run = backend.compiled_with_weights(model, lambda x, s: model(x, training=False) * s)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        kernel, bias = rng.normal(size=(3, 2)), rng.normal(size=2)
        model.set_weights([kernel, bias])
        out = NUMPY(run(TENSOR(x), TENSOR(np.float32(2))))
        np.testing.assert_allclose(out, 2 * (x @ kernel + bias), rtol=0, atol=1e-5)


def test_one_graph_serves_every_batch():
    traced = []

    def function(z, state):
        traced.append(z.shape)
        return state["w"] * ops.sum(z, axis=1)

    run = backend.compiled(function, any_batch=True)
    for n in (3, 5, 1):
        z, w = np.ones((n, 2), np.float32), np.arange(n, dtype=np.float32)
        found = NUMPY(run(TENSOR(z), {"w": TENSOR(w)}))
        assert found.tolist() == (2 * w).tolist()
    assert len(traced) == (3 if backend.name() == "jax" else 1)


def test_describe():
    facts = backend.describe()
    assert facts["backend"] == backend.name() == keras.backend.backend()
    assert facts["keras"] == keras.__version__
    assert facts[backend.name()][0].isdigit()
    assert facts["device"]


def test_an_unknown_backend(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(RuntimeError, match=r"on the tensorflow and jax backends .* 'torch'"):
        backend.name()


def test_double_precision_keeps_float64():
    x = np.array([1.0, 1e-300])
    with backend.double_precision():
        both = backend.compiled(lambda z: z * z + 1e-300)(TENSOR(x, "float64"))
        assert NUMPY(both).tolist() == [1.0, 1e-300]
    assert NUMPY(backend.compiled(lambda z: z * 2)(TENSOR(np.float32([2])))).dtype == np.float32


def test_a_model_survives_being_compiled_though_it_draws():
    """On JAX what a compiled function writes to a variable may not outlive it as a tracer."""
    seeds = keras.random.SeedGenerator(1)
    x = TENSOR(np.zeros((3, 2), np.float32))

    def noisy(z):
        return z + keras.random.normal(ops.shape(z), seed=seeds)

    def twice(z):
        return ops.while_loop(lambda i, _: i < 2, lambda i, z: (i + 1, noisy(z)), (0, z))[1]

    first, second = (NUMPY(backend.compiled(twice)(x)) for _ in range(2))
    assert np.isfinite(NUMPY(noisy(x))).all()
    assert (first != second).all()


def drawing_model():
    """A model that adds noise in every pass, and the variable that counts its draws."""
    layer = Drawing(seed=9)
    images = keras.Input((3, 2, 1))
    model = keras.Model(images, keras.layers.Dense(4)(keras.layers.Flatten()(layer(images))))
    return model, layer.seed_generator.state


@pytest.mark.parametrize("xla", [False, True])
def test_draws_in_loops_branches_and_below_gradients_are_counted(xla):
    model, state = drawing_model()

    def logits(v):
        return model(v, training=False)

    def step(i, total):
        (value,) = backend.value_and_grad(lambda v: ops.sum(logits(v), axis=1))(total)[:1]
        _, pull = backend.pullback(logits, total)
        total = total + pull(logits(total))
        total = ops.cond(i > 0, lambda: total * ops.sum(logits(total)), lambda: total)
        return i + 1, total + ops.sum(value)

    def function(x):
        return ops.while_loop(lambda i, _: i < 3, step, (0, x))[1]

    x = ops.convert_to_tensor(np.ones((5, 3, 2, 1), np.float32))
    run = backend.compiled(function, xla)
    # three in each step, and one more in the second and third
    for calls in (1, 2):
        run(x)
        assert NUMPY(state).tolist() == [9, 11 * calls]


def test_the_weights_as_they_stand_and_draws_anew():
    model, state = drawing_model()
    run = backend.compiled_with_weights(model, lambda x: model(x, training=False))
    x = ops.convert_to_tensor(np.ones((5, 3, 2, 1), np.float32))
    one, two = NUMPY(run(x)), NUMPY(run(x))
    assert np.abs(one - two).max() > 1e-3
    assert NUMPY(state).tolist() == [9, 2]
    model.layers[-1].kernel.assign(ops.zeros((6, 4)))
    assert np.abs(NUMPY(run(x))).max() == 0


def test_an_adversary_that_draws_in_its_loop_trains():
    model, state = drawing_model()
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(model.trainable_variables)

    def perturb(x, y):
        def step(i, z):
            return i + 1, z + 0.01 * ops.mean(model(z, training=False))

        return ops.while_loop(lambda i, _: i < 3, step, (0, x))[1]

    def loss(y, logits):
        return ops.mean(ops.sparse_categorical_crossentropy(y, logits, from_logits=True))

    run = backend.epoch_function(model, optimizer, loss, False, perturb)
    x = ops.convert_to_tensor(np.ones((6, 3, 2, 1), np.float32))
    y = ops.convert_to_tensor(np.arange(6, dtype=np.int32) % 4)
    assert np.isfinite(run(x, y, np.arange(6).reshape(2, 3)))
    assert NUMPY(state).tolist() == [9, 2 * (3 + 1)]


def test_a_function_that_draws_nothing_is_traced_once():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    traces = []

    def function(x):
        traces.append(0)
        return model(x, training=False)

    run = backend.compiled(function)
    for _ in range(3):
        run(ops.convert_to_tensor(np.ones((4, 3), np.float32)))
    assert len(traces) == 1
