"""From the words of the command line to what is evaluated."""

import keras
import numpy as np
import pytest

from robustnets.experiments.evaluate_model import (
    Request,
    layer_of,
    refuse_another_scale,
    training_split,
)
from robustnets.models import Classifier


def test_the_usual_radius_is_named_and_an_unusual_one_must_be():
    assert "eps 8/255" in Request("m:f", "cifar10").plan
    assert Request("m:f", "cifar10").threat.eps == 8 / 255
    with pytest.raises(ValueError, match="--eps is missing"):
        Request("m:f", "digits")
    with pytest.raises(ValueError, match="--eps is missing"):
        Request("m:f", "mnist", norm="l1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suite": "slow"}, "suite must be one of"),
        ({"norm": "l0"}, "norm must be linf, l2 or l1"),
        ({"norm": "l7"}, "norm must be one of"),
        ({"eps": "0"}, "eps must be > 0"),
        ({"eps": "a bit"}, "eps must be a number or a fraction"),
        ({"budget": "soon"}, "budget must be minutes"),
        ({"defense": "Layer"}, "a defense is named package.Layer, got 'Layer'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_loads(changes, message):
    with pytest.raises(ValueError, match=message):
        Request(**{"model": "m:f", "data": "digits", "eps": "0.1", **changes})


def test_a_file_that_is_not_there_is_missed_before_anything_loads():
    with pytest.raises(FileNotFoundError, match=r"there is no file nothing\.keras"):
        Request("nothing.keras", "digits", eps="0.1")


def test_a_layer_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "defenses_here.py").write_text(
        "import keras\n"
        "class Plain(keras.layers.Layer):\n    def call(self, x):\n        return x\n"
        "class Sized(Plain):\n"
        "    def __init__(self, size, **kwargs):\n        super().__init__(**kwargs)\n"
        "def make():\n    return Sized(3)\n"
        "ready = Plain(name='ready')\n"
        "number = 3\n"
        "text = str\n"
        "def fails():\n    raise RuntimeError('no weights\\nhere')\n"
    )
    (tmp_path / "half_written.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert type(layer_of("defenses_here.Plain")).__name__ == "Plain"
    assert type(layer_of("defenses_here:make")).__name__ == "Sized"
    assert layer_of("defenses_here.ready").name == "ready"
    for name, message in (
        ("defenses_here.Sized", "cannot be made without arguments"),
        ("defenses_here.number", "cannot be made without arguments"),
        ("defenses_here.text", "is no Keras layer but str"),
        ("defenses_here.Nothing", "has no 'Nothing'"),
        ("defenses_here.fails", "fails failed with RuntimeError: no weights here$"),
        ("no_such_module.Layer", "cannot import the defense's module"),
        ("half_written.Layer", "cannot import the defense's module 'half_written': invalid syntax"),
    ):
        with pytest.raises(ValueError, match=message):
            layer_of(name)


def test_a_model_that_wants_bytes_is_refused(trained_classifier, digits):
    x, y = digits[0][1500:1600], digits[1][1500:1600]
    refuse_another_scale(trained_classifier, x, y)
    images = keras.Input(x.shape[1:])
    scaled = keras.layers.Rescaling(1 / 255)(images)
    bytes_in = Classifier(keras.Model(images, trained_classifier.model(scaled)))
    with pytest.raises(ValueError, match=r"put keras.layers.Rescaling\(255\) in front"):
        refuse_another_scale(bytes_in, x, y)


def test_a_model_that_guesses_is_noted(trained_classifier, digits):
    x, y = digits[0][1500:1600], digits[1][1500:1600]
    with pytest.warns(UserWarning, match=r"of 100 examples, no better than a guess among 10"):
        refuse_another_scale(trained_classifier, x, (y + 1) % 10)


def test_what_a_surrogate_learns_from(tmp_path):
    assert len(training_split("digits", None)) == 1437
    x, y = np.zeros((4, 5, 6, 1), np.float32), np.arange(4)
    np.savez(tmp_path / "just.npz", x=x, y=y)
    assert training_split(str(tmp_path / "just.npz"), None) is None
