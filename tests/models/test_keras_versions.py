"""Files of Keras 2 and of a Keras to come: read where that can be done, else named."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from robustnets.models.keras_versions import is_keras_2, is_newer, modernised
from robustnets.models.load import load_model

SHAPE = (8, 6, 3)
X = np.random.default_rng(0).uniform(0, 1, (2, *SHAPE)).astype(np.float32)
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
WAY_OUT = r"export it as a SavedModel where .* pass FOLDER with --trust"


def sequential(*more):
    return keras.Sequential([keras.Input(SHAPE), *more])


def as_keras_2(path, change, version=b"2.15.0"):
    """Rewrite the configuration in an HDF5 file."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(change(config) or config)
        if version:
            file.attrs["keras_version"] = version


def first_layer_carries_the_shape(config):
    found = config["config"]["layers"]
    found.pop(0)
    found[0]["config"]["batch_input_shape"] = [None, *SHAPE]


def as_a_list(config):
    first_layer_carries_the_shape(config)
    config["config"] = config["config"]["layers"]


def with_setting(kind, **settings):
    def change(config):
        for layer in config["config"]["layers"]:
            if layer["class_name"] == kind:
                layer["config"].update(settings)

    return change


READ = {
    "batch_input_shape": (
        lambda: sequential(layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)),
        first_layer_carries_the_shape,
    ),
    "a list of layers": (
        lambda: sequential(layers.Flatten(), layers.Dense(3)),
        as_a_list,
    ),
    "depthwise": (
        lambda: sequential(layers.DepthwiseConv2D(3), layers.GlobalAveragePooling2D()),
        with_setting("DepthwiseConv2D", groups=1),
    ),
    "separable": (
        lambda: sequential(layers.SeparableConv2D(4, 3), layers.GlobalAveragePooling2D()),
        with_setting("SeparableConv2D", groups=1, kernel_initializer=None, kernel_constraint=None),
    ),
    "behind an input": (
        lambda: sequential(layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)),
        with_setting("Conv2D", batch_input_shape=[None, *SHAPE]),
    ),
    "recurrent": (
        lambda: sequential(layers.Reshape((8, 18)), layers.LSTM(4), layers.Dense(3)),
        with_setting("LSTM", time_major=False),
    ),
}


@pytest.mark.parametrize("case", READ)
def test_settings_of_keras_2_that_mean_nothing(tmp_path, case):
    make, change = READ[case]
    model = make()
    path = tmp_path / "m.h5"
    model.save(path)
    as_keras_2(path, change)
    before = path.read_bytes()
    found = load_model(path)
    assert found.inputs[0].shape == (None, *SHAPE)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(found(X)), keras.ops.convert_to_numpy(model(X))
    )
    assert path.read_bytes() == before  # their file stays as it is


def test_settings_that_mean_something_stay():
    grouped = {"class_name": "DepthwiseConv2D", "config": {"groups": 3}}
    conv = {"class_name": "Conv2D", "config": {"groups": 1}}
    model = {"class_name": "Functional", "config": {"layers": [grouped, conv]}}
    assert modernised(model) is model


def test_an_input_layer_is_put_in_front_of_nested_sequentials_too():
    dense = {"class_name": "Dense", "config": {"units": 3, "batch_input_shape": [None, 4]}}
    wrapped = {
        "class_name": "TimeDistributed",
        "config": {"name": "t", "batch_input_shape": [None, 2, 4], "layer": dense},
    }
    for first, shape in ((dense, [None, 4]), (wrapped, [None, 2, 4])):
        inner = {"class_name": "Sequential", "config": {"name": "s", "layers": [first]}}
        outer = {"class_name": "Functional", "config": {"layers": [inner]}}
        (found,) = modernised(outer)["config"]["layers"]
        start, rest = found["config"]["layers"]
        assert start["class_name"] == "InputLayer"
        assert start["config"]["batch_input_shape"] == shape
        assert "batch_input_shape" not in rest["config"]
        assert "batch_input_shape" in first["config"]  # what was given stays as it was


def rename_layer(name):
    def change(config):
        config["config"]["layers"][-1]["class_name"] = name

    return change


@pytest.mark.parametrize("name", ["TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"])
@pytest.mark.parametrize("version", [b"2.11.0", None])
def test_operations_of_keras_2_are_named(tmp_path, name, version):
    path = tmp_path / "m.h5"
    sequential(layers.Flatten(), layers.Dense(3)).save(path)
    as_keras_2(path, rename_layer(name), version)
    with pytest.raises(ValueError, match=rf"written by Keras 2.* with {name} .*{WAY_OUT}") as said:
        load_model(path)
    assert "--custom" not in str(said.value)


def test_what_else_keras_3_refuses_of_keras_2(tmp_path):
    path = tmp_path / "m.h5"
    sequential(layers.DepthwiseConv2D(3), layers.Flatten()).save(path)
    as_keras_2(path, with_setting("DepthwiseConv2D", groups=3))
    with pytest.raises(ValueError, match=rf"was written by Keras 2.15.0, and Keras .*{WAY_OUT}"):
        load_model(path)


def test_a_layer_of_ones_own_is_still_asked_for(tmp_path):
    path = tmp_path / "m.h5"
    sequential(layers.Flatten(), layers.Dense(3)).save(path)
    as_keras_2(path, rename_layer("TheirOwn"))
    with pytest.raises(ValueError, match=r"uses 'TheirOwn', which Keras does not know; .*--custom"):
        load_model(path)


def rewritten(path, version, change=lambda config: None):
    """A `.keras` file that another version of Keras wrote."""
    sequential(layers.Flatten(), layers.Dense(3)).save(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    change(config)
    files["config.json"] = json.dumps(config)
    files["metadata.json"] = json.dumps({"keras_version": version})
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_keras_files_of_keras_2(tmp_path):
    def change(config):
        config["module"] = "keras.src.engine.sequential"
        config["class_name"] = "Functional"

    path = rewritten(tmp_path / "m.keras", "2.15.0", change)
    with pytest.raises(ValueError, match=rf"was written by Keras 2.15.0, and Keras .*{WAY_OUT}"):
        load_model(path)


def test_a_newer_keras_is_named(tmp_path):
    path = rewritten(tmp_path / "m.keras", "3.99.0")
    with pytest.warns(UserWarning, match=r"by Keras 3.99.0, newer than the installed 3\."):
        assert load_model(path).output_shape == (None, 3)
    path = rewritten(
        tmp_path / "n.keras", "3.99.0", lambda c: c["config"]["layers"][-1]["config"].update(new=1)
    )
    message = r"was written by Keras 3.99.0, newer than the installed .*pip install 'keras>=3.99.0'"
    with pytest.warns(UserWarning, match="newer"), pytest.raises(ValueError, match=message):
        load_model(path)
    path = rewritten(tmp_path / "o.keras", "4.0.0", rename_layer("NewLayer"))
    with (
        pytest.warns(UserWarning, match="newer"),
        pytest.raises(ValueError, match=r"Keras 4\.0\.0"),
    ):
        load_model(path)

    def of_their_own(config):
        names = {"module": "theirs", "class_name": "Their", "registered_name": "theirs>Their"}
        config["config"]["layers"][-1].update(names)

    path = rewritten(tmp_path / "p.keras", "4.0.0", of_their_own)
    message = r"by Keras 4.0.0, newer .*; if 'Their' is your own, name its module with --custom"
    with pytest.warns(UserWarning, match="newer"), pytest.raises(ValueError, match=message):
        load_model(path)


def test_versions():
    assert [is_keras_2(v) for v in ("2.15.0", "1.2", "3.0.0", "", "x")] == [1, 1, 0, 0, 0]
    assert is_newer("99.0.0")
    assert not is_newer(keras.__version__)
    assert not is_newer("")
