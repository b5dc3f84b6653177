"""What is no Keras file is recognised by its content and named, with a way out."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

from robustnets import backend
from robustnets.models.load import load_classifier, load_model

SHAPE = (5, 4, 3)
X = np.random.default_rng(0).uniform(0, 1, (6, *SHAPE)).astype(np.float32)
PROTO = {  # as TensorFlow and ONNX write them: fields, lengths and names
    "frozen": b"\x0a\x1c\x0a\x01x\x12\x0bPlaceholder\x2a\x0a\x0a\x05dtype\x12\x01\x30",
    "onnx": b"\x08\x07\x12\x07pytorch\x1a\x032.1",
}


def plain():
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(7)])


@pytest.mark.parametrize("name", ["model", "model.bin", "model.h5", "model.keras", "model.zip"])
@pytest.mark.parametrize("kind", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_keras_file_by_any_name(tmp_path, kind, name):
    model = plain()
    model.save(tmp_path / f"it{kind}")
    (tmp_path / f"it{kind}").rename(tmp_path / name)
    found = load_classifier(tmp_path / name).predict(X)
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(model(X)), rtol=0, atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing is left behind


def file_of(content):
    return lambda path: path.write_bytes(content)


def zip_of(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return write


def folder_of(**files):
    def write(path):
        path.mkdir()
        for name, content in files.items():
            (path / name.replace("__", ".")).write_text(content)

    return write


LITE = b"\x1c\x00\x00\x00TFL3\x14\x00"
TFJS = json.dumps({"format": "layers-model", "modelTopology": {}, "weightsManifest": []})
ONLY = json.dumps({"class_name": "Sequential", "config": {}})
ORIGINAL = "pass the Keras model that it was made from"
FOREIGN = {
    "m.tflite": (
        file_of(LITE),
        "is a TensorFlow Lite model, of which .* no gradients; pass the Ke",
    ),
    "lite": (file_of(LITE), "is a TensorFlow Lite model"),
    "lite.h5": (file_of(LITE), "is a TensorFlow Lite model"),
    "m.pb": (
        file_of(PROTO["frozen"]),
        "is a frozen TensorFlow graph.*tf.saved_model.save.*--trust",
    ),
    "frozen": (file_of(PROTO["frozen"]), "is a frozen TensorFlow graph"),
    "saved_model.pb": (file_of(b"\x08\x01"), "is part of a SavedModel; pass its folder with --tru"),
    "m.onnx": (file_of(PROTO["onnx"]), f"is an ONNX model.*{ORIGINAL}"),
    "model.json": (file_of(TFJS.encode()), f"is a TensorFlow.js model.*{ORIGINAL}"),
    "tfjs": (folder_of(model__json=TFJS, group1__bin="x"), "is a TensorFlow.js model"),
    "config.json": (file_of(ONLY.encode()), "is the architecture of a Keras model without its w"),
    "m.pt": (zip_of("m/data.pkl", "m/version"), "is a PyTorch file"),
    "m.npz": (zip_of("a.npy", "b.npy"), "holds arrays and no model"),
    "m.pkl": (file_of(b"\x80\x04\x95"), f"is a Python pickle, which runs code.*{ORIGINAL}"),
    "unpacked": (
        folder_of(config__json="{}", metadata__json="{}", model__weights__h5="x"),
        "is an unpacked .keras file; zip its files",
    ),
    "ckpt": (
        folder_of(checkpoint="x", ckpt__index="x"),
        "is a TensorFlow checkpoint, which holds weights only",
    ),
    "other.zip": (zip_of("readme"), "is no model; name a .keras or .h5 file"),
    "empty": (file_of(b""), "is no model; name a .keras or .h5 file"),
    "empty.h5": (file_of(b""), "is damaged or no Keras model"),
    "text.txt": (file_of(b"hello"), "is no model; name a .keras or .h5 file"),
    "list.json": (file_of(b"{]"), "is no model; name a .keras or .h5 file"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_keras_file_is_named(tmp_path, name):
    make, message = FOREIGN[name]
    make(tmp_path / name)
    with pytest.raises(ValueError, match=message) as refusal:
        load_model(tmp_path / name)
    assert str(tmp_path / name) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "--" not in str(refusal.value) or "--trust" in str(refusal.value)


@pytest.mark.skipif(backend.name() != "tensorflow", reason="TensorFlow writes them")
def test_files_that_tensorflow_writes(tmp_path):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="images")])
    def double(x):
        return 2.0 * x

    graph = double.get_concrete_function().graph.as_graph_def()
    (tmp_path / "frozen").write_bytes(graph.SerializeToString())
    with pytest.raises(ValueError, match="frozen is a frozen TensorFlow graph"):
        load_model(tmp_path / "frozen")
    tf.saved_model.save(tf.Module(), str(tmp_path / "saved"))
    with pytest.raises(
        ValueError, match=r"saved_model.pb is part of a SavedModel; pass its folder"
    ):
        load_model(tmp_path / "saved" / "saved_model.pb", trust=True)
