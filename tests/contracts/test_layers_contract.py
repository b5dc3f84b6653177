"""Every registered layer lives one life: config, save and load, compiled equals eager."""

import keras
import numpy as np
import pytest
from keras import ops

from robustnets import backend
from robustnets.layers import (
    LAYERS,
    BitDepth,
    FilterSpec,
    LinearFilter,
    MeanProbability,
    SpatialSmoothing,
    TemperatureSoftmax,
    TwoLogits,
    fit_filter,
    prepend,
)
from robustnets.models.classifier import Classifier

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, (70, 5, 4, 3)).astype(np.float32)
FITTED = fit_filter(FilterSpec("pca", 6), X, seed=0)
# layer class: a fitted or built layer, made anew
EXAMPLES = {
    LinearFilter: lambda: LinearFilter.of(FITTED),
    SpatialSmoothing: lambda: SpatialSmoothing("median", 3, "mirror"),
    BitDepth: lambda: BitDepth(3),
    TemperatureSoftmax: lambda: TemperatureSoftmax(10.0, name="softmax_at_10"),
    MeanProbability: lambda: MeanProbability([0.25], name="mean_probability"),
    TwoLogits: lambda: TwoLogits(name="two_logits"),
}
# layers on logits stand behind a network; all others take images and stand before it
ON_LOGITS = (MeanProbability, TemperatureSoftmax, TwoLogits)
LOGITS = RNG.normal(0, 9, (70, 7)).astype(np.float32)
# those that do not keep the number of values: what they take and what they give
RESHAPES = {TwoLogits: (1, 2)}

every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda c: c.__name__)
on_images = pytest.mark.parametrize(
    "layer", [c for c in LAYERS if c not in ON_LOGITS], ids=lambda c: c.__name__
)
on_logits = pytest.mark.parametrize("layer", ON_LOGITS, ids=lambda c: c.__name__)


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def body(shape=X.shape[1:], units=7):
    last = keras.layers.Dense(units, name="logits")
    layers = [keras.Input(shape), keras.layers.Flatten(), last]
    return keras.Sequential(layers, name="body")


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flat = keras.layers.Flatten()
        self.dense = keras.layers.Dense(7)

    def build(self, input_shape):
        self.dense.build((None, int(np.prod(input_shape[1:]))))
        self.built = True

    def call(self, x):
        return self.dense(self.flat(x))


def test_every_layer_has_an_example():
    assert set(EXAMPLES) == set(LAYERS)


@every_layer
def test_config_round_trip(layer):
    made = EXAMPLES[layer]()
    back = layer.from_config(made.get_config())
    assert back.get_config() == made.get_config()
    assert keras.saving.get_registered_name(layer) == f"robustnets>{layer.__name__}"


@every_layer
def test_shape_dtype_and_compiled_equals_eager(layer):
    made = EXAMPLES[layer]()
    takes, gives = RESHAPES.get(layer, (7, 7))
    x = LOGITS[:, :takes] if layer in ON_LOGITS else X
    eager = numbers(made(x))
    assert eager.dtype == np.float32
    assert eager.shape == tuple(made.compute_output_shape(x.shape))
    assert eager.shape == ((70, gives) if layer in ON_LOGITS else x.shape)
    fast = backend.compiled(lambda x: made(x))
    np.testing.assert_allclose(numbers(fast(ops.convert_to_tensor(x))), eager, rtol=0, atol=1e-6)
    np.testing.assert_allclose(numbers(made(x[:3])), eager[:3], rtol=0, atol=1e-6)


@on_logits
def test_appended_models_save_and_load_as_one_file(layer, tmp_path):
    takes, _ = RESHAPES.get(layer, (7, 7))
    whole = keras.Sequential([body(units=takes), EXAMPLES[layer]()], name="whole")
    expected = numbers(whole(X))
    np.testing.assert_allclose(
        expected, numbers(EXAMPLES[layer]()(whole.layers[0](X))), rtol=0, atol=1e-6
    )
    whole.save(tmp_path / "model.keras")
    back = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numbers(back(X)), expected)


@on_images
@pytest.mark.parametrize("kind", ["sequential", "functional", "subclassed"])
def test_prepended_models_save_and_load_as_one_file(layer, kind, tmp_path):
    if kind == "subclassed":
        model = Subclassed(name="body")
        model.build((None, *X.shape[1:]))
    else:
        model = body()
        if kind == "functional":
            model = keras.Model(model.inputs, model.outputs, name="body")
    whole = prepend(model, EXAMPLES[layer]())
    expected = numbers(whole(X))
    np.testing.assert_allclose(expected, numbers(model(EXAMPLES[layer]()(X))), rtol=0, atol=1e-6)
    whole.save(tmp_path / "model.keras")
    back = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numbers(back(X)), expected)
    assert Classifier(back).digest == Classifier(whole).digest


@on_images
def test_prepend_shares_weights_and_names_do_not_depend_on_history(layer):
    model = body()
    first, second = (prepend(model, EXAMPLES[layer]()) for _ in range(2))
    assert Classifier(first).digest == Classifier(second).digest
    before = numbers(first(X))
    model.layers[-1].weights[0].assign(np.zeros(model.layers[-1].weights[0].shape, np.float32))
    assert np.abs(numbers(first(X)) - before).max() > 1e-3
    assert len(first.trainable_variables) == len(model.trainable_variables)


def test_linear_filter_computes_the_projection_and_its_gradient():
    layer = LinearFilter.of(FITTED)
    p = FITTED.encode.astype(np.float64) @ FITTED.decode
    flat = X.reshape(70, -1).astype(np.float64)
    expected = ((flat - FITTED.mean) @ p + FITTED.mean).reshape(X.shape)
    np.testing.assert_allclose(numbers(layer(X)), expected, rtol=0, atol=1e-5)
    assert not layer.trainable_variables
    weights = RNG.normal(size=X.shape).astype(np.float32)
    _, gradient = backend.value_and_grad(lambda x: ops.sum(layer(x) * weights, axis=(1, 2, 3)))(
        ops.convert_to_tensor(X)
    )
    analytic = (weights.reshape(70, -1) @ p.T).reshape(X.shape)
    np.testing.assert_allclose(numbers(gradient), analytic, rtol=0, atol=1e-5)
    again = numbers(layer(layer(X)))
    np.testing.assert_allclose(again, numbers(layer(X)), rtol=0, atol=1e-5)


def test_linear_filter_is_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        out = LinearFilter.of(FITTED)(X)
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(out.dtype) == "float32"


@pytest.mark.parametrize("n", [0, -1, 2.0, True])
def test_linear_filter_refuses_bad_sizes(n):
    with pytest.raises(ValueError, match="n_components must be an int >= 1"):
        LinearFilter(n)


def test_mismatches_are_refused():
    other = body((5, 4, 2))
    with pytest.raises(ValueError, match="filters inputs of 60 values, got 40"):
        prepend(other, LinearFilter.of(FITTED))
    with pytest.raises(ValueError, match="60 values, got 12"):
        LinearFilter.of(FITTED)(X[:, 0])
    with pytest.raises(ValueError, match="turns that into"):
        prepend(body(), keras.layers.Flatten(name="flat"))
    with pytest.raises(ValueError, match="is not built"):
        prepend(Subclassed(), LinearFilter.of(FITTED))


def test_a_softmax_inside_a_prepended_model_is_still_found():
    model = keras.Sequential([body(), keras.layers.Softmax()])
    with pytest.warns(UserWarning, match="ends in a softmax"):
        classifier = Classifier(prepend(model, LinearFilter.of(FITTED)))
    assert np.abs(classifier.predict(X).sum(axis=1) - 1).max() > 0.1
