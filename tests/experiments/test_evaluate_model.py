"""From the words of the command line to what is evaluated."""

import numpy as np
import pytest

from robustnets.experiments.evaluate_model import (
    Request,
    layer_of,
    training_split,
)


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
        ({"eps": "8"}, r"did you mean 8/255\? If 8 is meant, give --any-eps"),
        ({"eps": "8", "input_range": "-1,1"}, r"did you mean 16/255\?"),
        ({"input_range": "-1"}, "the input range must be the smallest and the largest value"),
        ({"input_range": "1,-1"}, "such as -1,1 or 0,255, got '1,-1'"),
        ({"input_range": "0,nan"}, "the input range must be"),
        (
            {"data": "cifar10", "eps": "", "input_range": "0,255"},
            r"the usual 8/255 is for images in \[0, 1\]; in \[0, 255\] that is 8$",
        ),
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


def test_the_input_range_is_the_box():
    request = Request("m:f", "digits", eps="0.2", input_range="-1,1")
    assert (request.threat.low, request.threat.high, request.threat.eps) == (-1, 1, 0.2)
    assert "digits scaled to [-1, 1]: linf, eps 0.2" in request.plan
    assert Request("m:f", "digits", eps="8", norm="l2").threat.eps == 8
    assert Request("m:f", "digits", eps="8", input_range="0,255").threat.eps == 8
    assert Request("m:f", "digits", eps="8", any_eps=True).threat.eps == 8


def test_what_a_surrogate_learns_from(tmp_path):
    split = training_split("digits", None)
    assert (len(split), split.x.min(), split.x.max()) == (1437, 0, 1)
    split = training_split("digits", None, (-1.0, 1.0))
    assert (len(split), split.x.min(), split.x.max()) == (1437, -1, 1)
    x, y = np.zeros((4, 5, 6, 1), np.float32), np.arange(4)
    np.savez(tmp_path / "just.npz", x=x, y=y)
    assert training_split(str(tmp_path / "just.npz"), None) is None
