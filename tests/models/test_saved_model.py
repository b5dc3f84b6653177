"""A SavedModel: its gradients flow, its softmax comes off, and what is refused."""

import keras
import numpy as np
import pytest

from robustnets import backend, engines
from robustnets.attacks import FGSM
from robustnets.core.threat import ThreatModel
from robustnets.models import Classifier
from robustnets.models.load import load_classifier, load_model

SHAPE = (8, 6, 1)
X = np.random.default_rng(0).uniform(0, 1, (5, *SHAPE)).astype(np.float32)
Y = np.arange(5)

tensorflow_only = pytest.mark.skipif(
    backend.name() != "tensorflow", reason="SavedModels are TensorFlow's"
)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Rescaling(2.0, offset=-1.0),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, "softmax"),
        ]
    )


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "model"
    if backend.name() == "tensorflow":
        model.export(path, verbose=False)
    else:
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"a program")
    return path


@tensorflow_only
def test_it_is_attacked_as_the_model_it_came_from(model, folder):
    with pytest.warns(UserWarning, match="ends in a softmax"):
        saved, own = load_classifier(folder, trust=True), Classifier(model)
    np.testing.assert_allclose(saved.predict(X), own.predict(X), rtol=0, atol=1e-5)
    attack = FGSM(ThreatModel("linf", 0.1))
    ours, theirs = (engines.run(attack, c, X, Y, attack_wrong=True).x for c in (saved, own))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert np.abs(ours - X).max() > 0.09


@tensorflow_only
def test_signatures_and_the_digest(folder, model, tmp_path):
    assert load_model(f"{folder}:serve", trust=True).outputs[0].shape == (None, 10)
    with pytest.raises(ValueError, match="has no signature 'nix'; it has serve, serving_default"):
        load_model(f"{folder}:nix", trust=True)
    with pytest.warns(UserWarning, match="softmax"):
        digests = {load_classifier(folder, trust=True).digest for _ in range(2)}
    other = keras.models.clone_model(model)
    other.export(tmp_path / "other", verbose=False)
    with pytest.warns(UserWarning, match="softmax"):
        digests.add(load_classifier(tmp_path / "other", trust=True).digest)
    assert len(digests) == 2


@tensorflow_only
def test_logits_by_the_name_of_an_operation(model, folder):
    program = load_model(folder, trust=True).layers[-1]
    (name,) = (op for op in program.operations if op.endswith("BiasAdd"))
    classifier = load_classifier(folder, trust=True, logits=name)
    assert np.abs(classifier.predict(X).sum(axis=1) - 1).max() > 0.1
    with pytest.raises(ValueError, match=r"has no layer 'nix'; it has .*BiasAdd"):
        load_classifier(folder, trust=True, logits="nix")


def exported(path, signature, function=lambda x: x[:, 0, :, 0], outputs=("y",)):
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec(*signature, name="x")])
    def run(x):
        return {name: function(x) for name in outputs}

    tf.saved_model.save(module, str(path), signatures={"first": run, "second": run})
    return path


@tensorflow_only
@pytest.mark.parametrize(
    ("signature", "options", "message"),
    [
        (((None, 5, 4, 3), "uint8"), {}, "takes uint8, of which there are no gradients"),
        (((7, 5, 4, 3), "float32"), {}, "takes exactly 7 images at a time"),
        (((None, None, None, 3), "float32"), {}, "does not say the shape of its images"),
        (((None, 5, 4, 3), "float32"), {"outputs": "ab"}, "has 1 and 2; name another signature"),
    ],
)
def test_programs_that_are_no_classifiers(tmp_path, signature, options, message):
    path = exported(tmp_path, signature, **options)
    with pytest.raises(ValueError, match=message):
        load_model(f"{path}:first", trust=True)
    with pytest.raises(ValueError, match="has several signatures, first, second; name one"):
        load_model(path, trust=True)


@tensorflow_only
def test_a_softmax_that_cannot_be_reached_is_asked_for(tmp_path):
    import tensorflow as tf

    def odds(x):  # a softmax in other words
        e = tf.exp(x[:, 0, :, 0])
        return e / tf.reduce_sum(e, axis=1, keepdims=True)

    path = exported(tmp_path, ((None, 5, 4, 3), "float32"), odds)
    with pytest.raises(ValueError, match=r"probabilities, and no softmax was found.*--logits"):
        load_classifier(f"{path}:first", trust=True)


@tensorflow_only
def test_a_program_without_a_gradient_is_refused(tmp_path):
    import tensorflow as tf

    def turned(x):  # TensorFlow has no gradient of this
        return tf.image.adjust_hue(x, 0.1)[:, 0, :, 0]

    path = exported(tmp_path, ((None, 5, 4, 3), "float32"), turned)
    with pytest.raises(ValueError, match=r"cannot be differentiated \(.*AdjustHue.*without that"):
        load_model(f"{path}:first", trust=True)


def test_it_is_refused_unless_trusted(folder):
    with pytest.raises(ValueError, match=r"is a SavedModel, a program .* pass --trust"):
        load_model(folder)


@pytest.mark.skipif(backend.name() == "tensorflow", reason="it is read there")
def test_other_backends_say_so(folder):
    with pytest.raises(RuntimeError, match="read on the tensorflow backend of Keras, got 'jax'"):
        load_model(folder, trust=True)


@tensorflow_only
def test_a_damaged_one(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"is damaged or no SavedModel \(.*export it again"):
        load_model(tmp_path, trust=True)
