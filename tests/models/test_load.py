"""Models from files and functions: what is read, what is refused, in one sentence."""

import sys
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

from robustnets.models.load import is_source, load_classifier, load_model

SHAPE = (5, 4, 3)
X = np.random.default_rng(0).uniform(0, 1, (6, *SHAPE)).astype(np.float32)

MODULE = '''
import keras
import numpy as np


class Halve(keras.layers.Layer):
    """Not registered with Keras."""

    def call(self, x):
        return x / 2


def make():
    x = keras.Input((5, 4, 3))
    flat = keras.layers.Flatten(name="flat")(Halve()(x))
    return keras.Model(x, keras.layers.Dense(7, name="scores")(flat))


def odds():
    """A softmax in other words, which nobody can find."""
    model = make()
    e = keras.ops.exp(model.outputs[0])
    return keras.Model(model.inputs, e / keras.ops.sum(e, axis=1, keepdims=True), name="odds")


def broken():
    model = make()
    model.layers[-1].bias.assign(np.full(7, np.nan))
    return model


def number():
    return 3


def fails():
    raise KeyError("weights")


constant = 3
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Name of a module in the working directory."""
    (tmp_path / "their_model.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.delitem(sys.modules, "their_model", raising=False)
    return "their_model"


def plain(*more):
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(7), *more])


def saved(model, path):
    model.save(path)
    return path


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_files(tmp_path, suffix):
    model = plain()
    classifier = load_classifier(saved(model, tmp_path / f"model{suffix}"))
    expected = keras.ops.convert_to_numpy(model(X))
    np.testing.assert_allclose(classifier.predict(X), expected, rtol=0, atol=1e-6)


def test_a_softmax_is_found_and_preprocessing_stays(tmp_path):
    model = keras.Sequential(
        [keras.Input(SHAPE), layers.Rescaling(255.0), plain(layers.Activation("softmax"))]
    )
    path = saved(model, tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="ends in a softmax"):
        z = load_classifier(path).predict(X)
    w = model.layers[-1].get_weights()[0]
    np.testing.assert_allclose(z, 255 * X.reshape(6, -1) @ w, rtol=0, atol=1e-2)


def test_functions_and_modules_of_the_working_directory(module, tmp_path):
    classifier = load_classifier(f"{module}:make")
    assert classifier.classes == 7
    path = saved(classifier.model, tmp_path / "model.keras")
    del sys.modules[module]
    with pytest.raises(ValueError, match=r"uses 'Halve', which Keras does not know; .*--custom"):
        load_classifier(path)
    again = load_classifier(path, custom=(module,))
    np.testing.assert_allclose(again.predict(X), classifier.predict(X), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match=r"does not know \(not in random\)"):
        load_classifier(path, custom=("random",))


def test_named_logits(module):
    source = f"{module}:odds"
    with pytest.raises(ValueError, match=r"odds gives probabilities.*--logits.*, of .*scores"):
        load_classifier(source)
    found = load_classifier(source, logits="scores").predict(X)
    assert np.abs(found.sum(axis=1) - 1).max() > 0.1
    with pytest.raises(ValueError, match=r"no layer 'scoers'; it has .*scores"):
        load_classifier(source, logits="scoers")
    with pytest.raises(ValueError, match=r"layer 'flat' of odds gives 60 values and the model 7"):
        load_classifier(source, logits="flat")


def test_logits_of_other_classes_are_refused(tmp_path):
    first, second = layers.Dense(7, name="first"), layers.Dense(7, name="second")
    path = saved(
        keras.Sequential([keras.Input(SHAPE), layers.Flatten(), first, second]),
        tmp_path / "m.keras",
    )
    with pytest.raises(ValueError, match=r"layer 'first' of .* gives other classes than the whole"):
        load_classifier(path, logits="first")
    assert load_classifier(path, logits="second").classes == 7


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_lambda_runs_only_when_trusted(tmp_path, suffix):
    model = keras.Sequential(
        [keras.Input(SHAPE), layers.Lambda(lambda x: 1.0 - x), layers.Flatten(), layers.Dense(7)]
    )
    path = saved(model, tmp_path / f"model{suffix}")
    with pytest.raises(ValueError, match=r"holds Lambda.*, which would run code.* pass --trust"):
        load_classifier(path)
    found = load_classifier(path, trust=True).predict(X)
    expected = keras.ops.convert_to_numpy(model(X))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def text(path):
    path.write_text("no model")


def cut(path):
    saved(plain(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    saved(plain(), path)
    raw = bytearray(path.read_bytes())
    for i in range(len(raw) // 2, len(raw) // 2 + 200):
        raw[i] ^= 0xFF
    path.write_bytes(bytes(raw))


def no_config(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.json", "{}")


DAMAGED = "is damaged or no Keras model; save it again with model.save"
FILES = {
    "text.keras": (text, DAMAGED),
    "text.h5": (text, DAMAGED),
    "cut.keras": (cut, DAMAGED),
    "flipped.keras": (flipped, DAMAGED),
    "no config.keras": (no_config, DAMAGED),
    "some.weights.h5": (lambda path: plain().save_weights(path), "holds weights only; save the"),
    "model.onnx": (text, "is no model; name a .keras or .h5 file"),
    "folder": (lambda path: path.mkdir(), "is no model; name a .keras or .h5 file"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_models(tmp_path, name):
    make, message = FILES[name]
    make(tmp_path / name)
    with pytest.raises(ValueError, match=message) as refusal:
        load_model(tmp_path / name)
    assert str(tmp_path / name) in str(refusal.value)
    assert "\n" not in str(refusal.value)


SOURCES = {
    "their_model:number": "their_model:number must return a keras.Model, got int",
    "their_model:fails": "their_model:fails failed with KeyError: 'weights'",
    "their_model:constant": "their_model has no function 'constant'",
    "their_model:nothing": "their_model has no function 'nothing'",
    "their_model:broken": "gives NaN or infinite values for images in",
    "no_such_module:make": "cannot import 'no_such_module': No module named 'no_such_module'",
}


@pytest.mark.parametrize("source", SOURCES)
def test_functions_that_will_not_do(module, source):
    with pytest.raises(ValueError, match=SOURCES[source]) as refusal:
        load_classifier(source)
    assert "\n" not in str(refusal.value)


def test_files_that_are_not_there(tmp_path):
    for name in ("none.keras", "none", "none:make:it"):
        with pytest.raises(FileNotFoundError, match=r"there is no file .*none"):
            load_model(tmp_path / name)


def test_what_names_a_source(tmp_path):
    assert all(map(is_source, ("a.keras", "b/c.h5", "package.module:make", str(tmp_path))))
    assert not any(map(is_source, ("fc-100-100-10", "mnist_cnn", "fc")))
