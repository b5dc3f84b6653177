"""Optimisers and weight penalties: by hand, against `model.fit`, resumed, and out of the file."""

import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest

from robustnets.core.dataset import Split
from robustnets.training import SGD, Adam, FixedEpochs, RMSProp, Training
from robustnets.training.fit import batch_order, fit

SHAPE, CLASSES, SIZE, L1, L2 = (3, 2, 1), 4, 12, 0.02, 0.05
PLAIN = SGD(0.1, 0.0, False)


def training(optimizer, epochs=1, **penalties):
    return Training((FixedEpochs(epochs),), optimizer, SIZE, 0.2, max_epochs=epochs, **penalties)


def make_model(penalty=None, dropout=0.0):
    dense = keras.layers.Dense
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            dense(
                7,
                "tanh",
                kernel_initializer=keras.initializers.RandomNormal(0, 0.4, seed=0),
                kernel_regularizer=penalty,
                bias_initializer=keras.initializers.RandomNormal(0, 0.4, seed=1),
            ),
            keras.layers.Dropout(dropout, seed=2),
            dense(
                CLASSES,
                use_bias=False,
                kernel_initializer=keras.initializers.RandomNormal(0, 0.4, seed=3),
                kernel_regularizer=penalty,
            ),
        ]
    )


@pytest.fixture(autouse=True, scope="module")
def plain_graphs():
    """Compiling with XLA would take longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("robustnets.training.fit.has_convolutions", lambda model: True)
        yield


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (60, *SHAPE)).astype(np.float32)
    y = rng.integers(0, CLASSES, 60)
    return Split(x[:48], y[:48]), Split(x[48:], y[48:])


def one_step(optimizer, splits, **penalties):
    """Kernel of a linear model before and after a single step, its loss, and the gradient."""
    initial = keras.initializers.RandomNormal(0, 0.4, seed=5)
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, use_bias=False, kernel_initializer=initial),
        ]
    )
    (before,) = model.get_weights()
    train = Split(splits[0].x[:SIZE], splits[0].y[:SIZE])
    fitted = fit(model, train, splits[1], training(optimizer, **penalties), 7)
    x = train.x.reshape(SIZE, -1).astype(float)
    logits = x @ before
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    entropy = -np.log(p[np.arange(SIZE), train.y]).mean()
    gradient = x.T @ (p - np.eye(CLASSES)[train.y]) / SIZE
    return before, model.get_weights()[0], fitted.curves["loss"][0], entropy, gradient


def test_a_penalised_step_by_hand(splits):
    """Mean cross entropy plus l1 times the sum of |w| plus l2 times the sum of w squared."""
    before, after, loss, entropy, gradient = one_step(PLAIN, splits, l1=L1, l2=L2)
    expected = before - 0.1 * (gradient + L1 * np.sign(before) + 2 * L2 * before)
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-6)
    penalty = L1 * np.abs(before).sum() + L2 * np.square(before).sum()
    assert penalty > 0.2
    assert loss == pytest.approx(entropy + penalty, abs=1e-5)


def test_a_step_of_rmsprop_by_hand(splits):
    """Lacok 2016, appendix: epsilon stands under the root."""
    before, after, *_, gradient = one_step(RMSProp(0.01, 0.9, 1e-2), splits)
    expected = before - 0.01 * gradient / np.sqrt(0.1 * gradient**2 + 1e-2)
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-6)
    outside = before - 0.01 * gradient / (np.sqrt(0.1) * np.abs(gradient) + 1e-2)
    assert np.abs(after - outside).max() > 1e-4


def test_a_step_of_adam_by_hand(splits):
    """The first step of Adam has the length of the learning rate."""
    before, after, *_, gradient = one_step(Adam(0.01), splits)
    assert np.abs(gradient).min() > 1e-4
    np.testing.assert_allclose(after, before - 0.01 * np.sign(gradient), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "optimizer"),
    [
        (SGD(0.1, 0.9), lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
        (RMSProp(), lambda: keras.optimizers.RMSprop(0.001, rho=0.9, epsilon=1e-6)),
        (Adam(0.002), lambda: keras.optimizers.Adam(0.002)),
    ],
)
@pytest.mark.parametrize("penalties", [{}, {"l1": L1, "l2": L2}])
def test_as_model_fit_does(splits, spec, optimizer, penalties):
    """The same weights and losses as Keras' own loop with Keras' own regularisers."""
    train, validation = splits
    ours = make_model()
    fitted = fit(ours, train, validation, training(spec, 4, **penalties), 7)
    model = make_model(keras.regularizers.L1L2(L1, L2) if penalties else None)
    model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = []
    for epoch in range(4):
        order = batch_order(len(train), SIZE, 7, epoch).ravel()
        history = model.fit(train.x[order], train.y[order], SIZE, 1, verbose=0, shuffle=False)
        losses += history.history["loss"]
    np.testing.assert_allclose(fitted.curves["loss"], losses, rtol=0, atol=1e-5)
    for one, two in zip(ours.get_weights(), model.get_weights()):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)


def test_only_one_of_the_two(splits):
    steps = {
        name: one_step(PLAIN, splits, **{name: 0.1})[:2] + one_step(PLAIN, splits)[1:2]
        for name in ("l1", "l2")
    }
    for name, (before, after, without) in steps.items():
        more = np.sign(before) if name == "l1" else 2 * before
        np.testing.assert_allclose(after - without, -0.01 * more, rtol=0, atol=1e-6)


def test_the_saved_model_carries_no_penalty(splits, tmp_path):
    model = make_model(dropout=0.5)
    fit(model, *splits, training(RMSProp(), l1=L1, l2=L2), 7)
    assert model.losses == []
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        config = file.read("config.json").decode()
    assert '"kernel_regularizer": null' in config
    assert "L1L2" not in config
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert loaded.losses == []
    for one, two in zip(model.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(one, two)


class _Interrupted(Exception):
    pass


@pytest.mark.parametrize("spec", [RMSProp(0.01), Adam(0.01)])
def test_interrupted_and_gone_on(splits, tmp_path, spec):
    """With a penalty, an optimiser's state and dropout's draws."""
    whole = training(spec, 5, l1=L1, l2=L2)
    undisturbed = make_model(dropout=0.5)
    expected = fit(undisturbed, *splits, whole, 7)
    options = {"checkpoint_path": tmp_path / "checkpoint.npz", "checkpoint_seconds": 0.0}

    def progress(epoch, of, logs):
        if epoch == 3:
            raise _Interrupted

    with pytest.raises(_Interrupted):
        fit(make_model(dropout=0.5), *splits, whole, 7, progress=progress, **options)
    model = make_model(dropout=0.5)
    fitted = fit(model, *splits, whole, 7, **options)
    assert fitted.curves["loss"].tolist() == expected.curves["loss"].tolist()
    for one, two in zip(model.get_weights(), undisturbed.get_weights()):
        np.testing.assert_array_equal(one, two)
    for other in (replace(whole, l1=0.0), replace(whole, optimizer=PLAIN)):
        with pytest.raises(ValueError, match="belongs to another training"):
            fit(make_model(dropout=0.5), *splits, other, 7, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RMSProp(0.0), "learning_rate must be > 0, got 0.0"),
        (lambda: RMSProp(epsilon=0.0), "epsilon must be > 0, got 0.0"),
        (lambda: RMSProp(rho=1.0), r"rho must lie in \[0, 1\), got 1.0"),
        (lambda: RMSProp(rho=float("nan")), r"rho must lie in \[0, 1\), got nan"),
        (lambda: Adam(-1.0), "learning_rate must be > 0, got -1.0"),
        (lambda: Training((FixedEpochs(1),), l1=-1e-4), "l1 must be >= 0, got -0.0001"),
        (lambda: Training((FixedEpochs(1),), l2=float("nan")), "l2 must be >= 0, got nan"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
