"""The reader of `.npz` data sets takes what is right and names what is wrong."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from robustnets import data
from robustnets.data import npz


def arrays(**changes):
    """A data set of 5 + 3 images of 4 x 6 in 2 channels and 3 classes."""
    random = np.random.default_rng(0)
    good = {
        "x_train": random.integers(0, 256, (5, 4, 6, 2), dtype=np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1], np.uint8),
        "x_test": random.integers(0, 256, (3, 4, 6, 2), dtype=np.uint8),
        "y_test": np.array([2, 1, 0], np.uint8),
    }
    return {k: v for k, v in {**good, **changes}.items() if v is not None}


def save(tmp_path, **changes):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_uint8_images_are_divided_by_255(tmp_path):
    dataset = data.load(save(tmp_path))
    assert dataset.name == "mine"
    assert dataset.train.x.dtype == np.float32
    assert dataset.train.y.dtype == np.int64
    expected = arrays()["x_train"] / 255
    np.testing.assert_allclose(dataset.train.x, expected, rtol=0, atol=1e-7)
    assert dataset.test.x.shape == (3, 4, 6, 2)
    assert dataset.class_names == ("0", "1", "2")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_float_images_are_kept(tmp_path, dtype):
    x = np.linspace(0, 1, 5 * 4 * 6).reshape(5, 4, 6).astype(dtype)
    dataset = data.load(save(tmp_path, x_train=x, x_test=np.asfortranarray(x[:3])))
    assert dataset.train.x.shape == (5, 4, 6, 1)
    np.testing.assert_array_equal(dataset.train.x[..., 0], x.astype(np.float32))
    np.testing.assert_array_equal(dataset.test.x[..., 0], x[:3].astype(np.float32))


def test_labels_in_a_column_and_class_names(tmp_path):
    names = np.array(["ant", "bee", "cat", "dog"])
    dataset = data.load(
        save(tmp_path, y_train=np.array([[0], [1], [2], [0], [1]]), class_names=names)
    )
    assert dataset.train.y.tolist() == [0, 1, 2, 0, 1]
    assert dataset.class_names == ("ant", "bee", "cat", "dog")


def test_the_fingerprint_sees_one_bit(tmp_path):
    before = data.load(save(tmp_path)).fingerprint
    assert data.load(save(tmp_path)).fingerprint == before
    x = arrays()["x_test"]
    x[2, 3, 5, 1] ^= 1
    assert data.load(save(tmp_path, x_test=x)).fingerprint != before
    assert data.load(save(tmp_path, y_test=np.array([2, 1, 1]))).fingerprint != before


BAD_FLOATS = np.full((3, 4, 6, 2), 0.5, np.float32)
REFUSALS = {
    "missing arrays": ({"y_train": None, "x_test": None}, "lacks y_train, x_test"),
    "unknown array": ({"x_val": np.zeros(3)}, "unknown arrays x_val"),
    "pickled array": ({"y_test": np.array([1, "a", None], object)}, "y_test has dtype object"),
    "flat images": ({"x_train": np.zeros((5, 48), np.uint8)}, r"x_train must be .*\(5, 48\)"),
    "video": ({"x_test": np.zeros((3, 2, 4, 6, 2), np.uint8)}, "x_test must be"),
    "no images": ({"x_test": np.zeros((0, 4, 6, 2), np.uint8)}, "x_test is empty"),
    "no pixels": ({"x_test": np.zeros((3, 0, 6, 2), np.uint8)}, "x_test is empty"),
    "channels first": ({"x_test": np.zeros((3, 3, 8, 8), np.uint8)}, "move the channels last"),
    "wide integers": ({"x_train": np.zeros((5, 4, 6, 2), int)}, "x_train must be uint8.*int64"),
    "booleans": ({"x_train": np.zeros((5, 4, 6, 2), bool)}, "x_train must be uint8.*bool"),
    "0 to 255": ({"x_test": BAD_FLOATS * 510}, r"\[255, 255\]; divide it by 255, or store"),
    "above one": ({"x_test": BAD_FLOATS * 600}, r"\[300, 300\]; scale it to \[0, 1\]"),
    "below zero": ({"x_test": -BAD_FLOATS}, r"\[-0.5, -0.5\]; scale"),
    "NaN": ({"x_test": BAD_FLOATS * np.nan}, "x_test holds NaN"),
    "infinity": ({"x_test": BAD_FLOATS * np.inf}, "x_test holds NaN or infinite"),
    "too few labels": ({"y_train": np.array([0, 1])}, "x_train holds 5 images and y_train 2"),
    "float labels": ({"y_test": np.array([0.0, 1.0, 2.0])}, "y_test must have an integer dtype"),
    "one-hot labels": ({"y_test": np.eye(3, dtype=int)}, r"y_test must be class numbers.*\(3, 3\)"),
    "negative labels": ({"y_test": np.array([0, -1, 2])}, "y_test holds -1"),
    "label gap": ({"y_test": np.array([0, 10**9, 2])}, "label 1000000000"),
    "other size": ({"x_test": np.zeros((3, 6, 4, 2), np.uint8)}, "must have one shape"),
    "few names": ({"class_names": np.array(["a", "b"])}, "2 names, but there is a label 2"),
    "byte names": ({"class_names": np.array([b"a", b"b", b"c"])}, "class_names must be text"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_wrong_is_named(tmp_path, case):
    changes, message = REFUSALS[case]
    path = save(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as refusal:
        data.load(path)
    assert str(path) in str(refusal.value)


def compressed(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **arrays())
    return path


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_in_the_middle(path):
    raw = bytearray(path.read_bytes())
    for i in range(150, 250):  # inside the compressed x_train
        raw[i] ^= 0xFF
    path.write_bytes(bytes(raw))


def one_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


DAMAGES = {
    "truncated": cut_in_half,
    "flipped bytes": flip_in_the_middle,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a data set"),
    "one array": one_array,
    "empty archive": lambda path: zipfile.ZipFile(path, "w").close(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = compressed(tmp_path)
    DAMAGES[damage](path)
    with pytest.raises(ValueError, match=r"is damaged|lacks x_train") as refusal:
        data.load(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        data.load(tmp_path / "nothing.npz")


def test_a_relative_path_is_tried_in_the_named_folder(tmp_path):
    save(tmp_path)
    assert data.load("mine.npz", tmp_path).name == "mine"
    assert data.locate("mine.npz", tmp_path) == f"file {tmp_path / 'mine.npz'}"
    with pytest.raises(FileNotFoundError, match=r"there is no file other\.npz nor"):
        data.load("other.npz", tmp_path)


def test_layout_of_a_known_data_set():
    good = arrays(class_names=None)
    npz.check_layout("here", good, (4, 6, 2), (5, 3))
    with pytest.raises(ValueError, match=r"here: x_test must be uint8 \(4, 4, 6, 2\)"):
        npz.check_layout("here", good, (4, 6, 2), (5, 4))
    with pytest.raises(ValueError, match="x_train must be uint8"):
        npz.check_layout("here", arrays(x_train=np.zeros((5, 4, 6, 2))), (4, 6, 2), (5, 3))
    with pytest.raises(ValueError, match="leave them out"):
        npz.check_layout("here", arrays(class_names=np.array(["a"])), (4, 6, 2), (5, 3))


def test_reading_a_file_imports_no_deep_learning_library(tmp_path):
    code = (
        "import sys; from robustnets import data; d = data.load(sys.argv[1]); data.describe(d); "
        "data.load('digits'); data.locate('mnist', sys.argv[2]); "
        "print([m for m in ('tensorflow', 'keras', 'jax') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(save(tmp_path)), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
