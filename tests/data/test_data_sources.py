"""Named data sets: where they come from, in which order, and what is said when they do not."""

import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from robustnets import data
from robustnets.core.dataset import Dataset, Split
from robustnets.data import digits, sources

REAL = os.environ.get("ROBUSTNETS_DATA")


def blank(mark, shape=(28, 28), n=(60000, 10000)):
    """The layout of a known data set; the first training pixel is `mark`."""
    x_train, x_test = (np.zeros((count, *shape), np.uint8) for count in n)
    x_train.flat[0] = mark
    return (x_train, np.arange(n[0]) % 10), (x_test, np.arange(n[1]) % 10)


def save(folder, name, train, test):
    np.savez(folder / name, x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    save(folder, "mnist.npz", *blank(255))
    return folder


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.delenv("ROBUSTNETS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def keras_gives(monkeypatch, name, result):
    import keras

    def load_data():
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", load_data)


def test_the_argument_goes_before_the_environment(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("ROBUSTNETS_DATA", str(tmp_path))
    assert data.locate("mnist", folder) == f"folder {folder / 'mnist.npz'}"
    assert data.load("mnist", folder).train.x[0, 0, 0, 0] == 1
    assert data.locate("mnist") == "download"
    monkeypatch.setenv("ROBUSTNETS_DATA", str(folder))
    assert data.locate("mnist") == f"folder {folder / 'mnist.npz'}"


def test_a_folder_goes_before_keras(folder, monkeypatch):
    keras_gives(monkeypatch, "mnist", AssertionError("asked Keras"))
    mnist = data.load("mnist", folder)
    assert mnist.train.x.shape == (60000, 28, 28, 1)
    assert mnist.class_names == tuple("0123456789")


def test_keras_is_asked_when_the_folder_lacks_the_file(monkeypatch, tmp_path):
    keras_gives(monkeypatch, "mnist", blank(51))
    assert data.load("mnist", tmp_path).train.x[0, 0, 0, 0] == np.float32(0.2)
    assert data.load("mnist").train.x[0, 0, 0, 0] == np.float32(0.2)


def test_cifar10_labels_come_as_a_column(monkeypatch):
    train, test = blank(255, (32, 32, 3), (50000, 10000))
    pair = (train[0], train[1][:, None]), (test[0], test[1][:, None])
    keras_gives(monkeypatch, "cifar10", pair)
    monkeypatch.setattr(data.cifar10.npz, "to_dataset", lambda *a: a)  # 740 MB saved
    name, where, arrays, names = data.load("cifar10")
    assert (name, where, names[9]) == ("cifar10", "keras.datasets.cifar10", "truck")
    assert arrays["y_train"].shape == (50000, 1)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_failed_download_names_both_remedies(monkeypatch, tmp_path, name):
    keras_gives(monkeypatch, name, Exception("URL fetch failure:\nno route to host"))
    with pytest.raises(data.DataUnavailable) as failure:
        data.load(name, tmp_path)
    message = str(failure.value)
    for part in (f"{name}.npz is not in {tmp_path}", "--data-dir", "ROBUSTNETS_DATA"):
        assert part in message
    assert "connect to the network once" in message
    assert "URL fetch failure: no route to host" in message
    with pytest.raises(data.DataUnavailable, match="no folder was named"):
        data.load(name)


def test_a_server_that_does_not_answer_is_given_up(monkeypatch, tmp_path):
    keras = pytest.importorskip("keras")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mnist.npz"

        def load_data():
            urllib.request.urlretrieve(url, tmp_path / "mnist.npz")

        monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)
        monkeypatch.setattr(sources, "_PATIENCE", 0.2)
        with pytest.raises(data.DataUnavailable, match="timed out"):
            data.load("mnist")
    assert socket.getdefaulttimeout() is None


def test_without_network_the_download_of_keras_fails_with_one_sentence(monkeypatch, tmp_path):
    def fail(*args):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fail)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    for name in ("mnist", "cifar10"):
        with pytest.raises(data.DataUnavailable, match="no network") as failure:
            data.load(name)
        assert "\n" not in str(failure.value)


def test_the_cache_of_keras_is_seen(tmp_path):
    cached = tmp_path / "keras" / "datasets" / "mnist.npz"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert data.locate("mnist") == f"Keras cache {cached}"
    assert data.locate("cifar10") == "download"
    assert data.locate("digits") == "embedded"


def test_a_folder_that_is_none_is_refused(monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"data_dir names .*nowhere"):
        data.load("mnist", tmp_path / "nowhere")
    monkeypatch.setenv("ROBUSTNETS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="ROBUSTNETS_DATA names"):
        data.locate("cifar10")


def test_a_wrong_file_in_the_folder_is_refused(tmp_path):
    save(tmp_path, "mnist.npz", *blank(0, n=(600, 100)))
    with pytest.raises(ValueError, match=r"x_train must be uint8 \(60000, 28, 28\).*600") as e:
        data.load("mnist", tmp_path)
    assert str(tmp_path / "mnist.npz") in str(e.value)
    train, test = blank(0)
    train[1][7] = 10
    save(tmp_path, "mnist.npz", train, test)
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.9"):
        data.load("mnist", tmp_path)


def test_an_unknown_name_lists_the_known_ones():
    for ask in (data.load, data.locate):
        with pytest.raises(ValueError, match="unknown data set 'minst'; name one of mnist, cifar"):
            ask("minst")


def test_digits_are_mnist_like_and_stratified():
    dataset = data.load("digits")
    assert dataset.train.x.shape == (1437, 28, 28, 1)
    assert dataset.test.x.shape == (360, 28, 28, 1)
    train, test = (np.bincount(s.y) for s in (dataset.train, dataset.test))
    assert np.abs(test - (train + test) / 5).max() < 1
    assert dataset.fingerprint == "f0156e8900689377"


def test_digits_are_enlarged_bilinearly():
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    images = load_digits().images[:7]
    expected = zoom(images / 16, (1, 3.5, 3.5), order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(digits.enlarge(images), expected, rtol=0, atol=1e-6)


def test_describe():
    x = np.zeros((4, 2, 3, 1), np.float32)
    tiny = Dataset(
        "tiny", Split(x, np.array([0, 0, 1, 0])), Split(x[:1], np.array([1])), ("a", "b", "c")
    )
    assert data.describe(tiny, "embedded") == {
        "name": "tiny",
        "source": "embedded",
        "fingerprint": tiny.fingerprint,
        "image_shape": [2, 3, 1],
        "classes": ["a", "b", "c"],
        "train": {"n": 4, "class_counts": [3, 1, 0]},
        "test": {"n": 1, "class_counts": [0, 1, 0]},
    }


@pytest.mark.skipif(
    REAL is None or not (Path(REAL) / "mnist.npz").is_file(),
    reason="ROBUSTNETS_DATA names no folder with mnist.npz",
)
def test_real_mnist():
    mnist = data.load("mnist", REAL)
    assert mnist.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(mnist.train.y).tolist()[:3] == [5923, 6742, 5958]
    np.testing.assert_allclose(mnist.train.x.mean(), 0.1306604, rtol=0, atol=1e-5)
