"""Examples that do not belong to a model are refused in one sentence."""

import numpy as np
import pytest
from tiny_models import dense_classifier

from robustnets import data
from robustnets.experiments.examples import examples_for

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def classifier():
    """Ten classes of images 6 x 4 x 3."""
    return dense_classifier(10, shape=(6, 4, 3))


def arrays(**changes):
    good = {
        "x": RNG.uniform(0, 1, (40, 6, 4, 3)).astype(np.float32),
        "y": np.arange(40) % 10,
    }
    return {k: v for k, v in {**good, **changes}.items() if v is not None}


def save(tmp_path, **changes):
    np.savez(tmp_path / "mine.npz", **arrays(**changes))
    return tmp_path / "mine.npz"


def test_good_examples(tmp_path, classifier):
    found = examples_for(classifier, save(tmp_path))
    assert (len(found), found.x.dtype, found.y.dtype) == (40, np.float32, np.int64)
    assert found.class_names is None
    assert examples_for(classifier, save(tmp_path), n=12).y.tolist() == [*range(10), 0, 1]
    names = np.array(list("abcdefghij"))
    assert examples_for(classifier, save(tmp_path, class_names=names)).class_names == tuple(names)
    x = RNG.integers(0, 256, (40, 6, 4, 3), dtype=np.uint8)
    found = examples_for(classifier, save(tmp_path, x=x))
    np.testing.assert_allclose(found.x, x / 255, rtol=0, atol=1e-7)


def test_few_examples_may_lack_classes(tmp_path, classifier):
    path = save(tmp_path, x=arrays()["x"][:9], y=np.zeros(9, int))
    assert len(examples_for(classifier, path)) == 9
    path = save(tmp_path, x=arrays()["x"][:19], y=np.arange(19) % 2)
    assert len(examples_for(classifier, path)) == 19


def test_a_subset_of_the_classes_may_be_meant(tmp_path, classifier):
    y = np.arange(40) % 3
    names = np.array(list("abcdefghij"))
    assert len(examples_for(classifier, save(tmp_path, y=y, class_names=names))) == 40


def test_the_test_split_of_a_whole_data_set(tmp_path, classifier):
    a = arrays()
    path = tmp_path / "whole.npz"
    np.savez(path, x_train=a["x"], y_train=a["y"], x_test=a["x"][:20], y_test=a["y"][:20])
    found = examples_for(classifier, path)
    assert (len(found), found.class_names) == (20, None)


def test_a_named_data_set_has_its_classes():
    images = data.load_examples("digits")
    assert len(images.class_names) == 10
    with pytest.raises(ValueError, match="digits has 10 classes, but the model has 12 outputs"):
        examples_for(dense_classifier(12, shape=(28, 28, 1)), "digits")


FLOATS = np.full((40, 6, 4, 3), 0.5, np.float32)
REFUSALS = {
    "wrong channels": ({"x": FLOATS[..., :1]}, "images 6 x 4 x 1, but the model takes 6 x 4 x 3"),
    "wrong size": ({"x": FLOATS[:, :5]}, "images 5 x 4 x 3, but the model takes 6 x 4 x 3"),
    "channels first": ({"x": np.zeros((40, 3, 6, 6), np.uint8)}, "move the channels last"),
    "NaN": ({"x": FLOATS * np.nan}, "x holds NaN or infinite values; remove those images"),
    "0 to 255": ({"x": FLOATS * 510}, r"lies in \[255, 255\]; divide it by 255, or store it as u"),
    "-1 to 1": ({"x": -FLOATS}, r"lies in \[-0.5, -0.5\]; scale it to \[0, 1\]"),
    "wide integers": ({"x": np.ones((40, 6, 4, 3), int)}, "got int64; store it as uint8"),
    "empty": ({"x": FLOATS[:0], "y": np.zeros(0, int)}, "x is empty"),
    "float labels": ({"y": np.ones(40)}, "integer dtype, got float64; store class numbers as int"),
    "one-hot labels": ({"y": np.eye(10)[np.arange(40) % 10]}, r"one-hot: store y.argmax\(axis=1\)"),
    "odds for labels": ({"y": np.full((40, 10), 0.1)}, r"class numbers .*, got shape \(40, 10\)$"),
    "three labels": ({"y": np.arange(3)}, "x holds 40 images and y 3 labels"),
    "three classes": ({"y": np.arange(40) % 3}, r"labels 0..2 only, in 40 examples, but the mode"),
    "labels beyond": ({"y": np.arange(40) % 13}, r"y must lie in 0..9, .* got 0..12$"),
    "labels from 1": ({"y": 1 + np.arange(40) % 10}, "counted from 1: subtract 1"),
    "negative labels": ({"y": np.arange(40) - 1}, "y holds -1; labels are counted from 0"),
    "one class": ({"y": np.full(40, 7)}, "all 40 examples are of class 7"),
    "other names": (
        {"class_names": np.array(list("abcdefghijk"))},
        "has 11 classes, but the",
    ),
    "few names": ({"class_names": np.array(list("abc"))}, "3 names, but there is a label 9"),
    "no labels": ({"y": None}, "lacks y, or x_train, y_train, x_test, y_test instead; it has x"),
    "other keys": ({"x": None, "y": None, "images": FLOATS}, "lacks x, y, or x_train.*has images"),
    "half a set": (
        {"x": None, "y": None, "x_test": FLOATS, "y_test": np.arange(40)},
        "lacks x_train, y_train, or x, y instead; it has x_test, y_test",
    ),
    "more keys": ({"z": FLOATS}, "unknown arrays z; it may hold x, y, class_names only"),
    "pickled": ({"y": np.array([1, "a", None], object)}, "y has dtype object"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_wrong_is_named(tmp_path, classifier, case):
    changes, message = REFUSALS[case]
    path = save(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as refusal:
        examples_for(classifier, path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_more_examples_than_there_are(tmp_path, classifier):
    for n in (41, 0, 2.0):
        with pytest.raises(ValueError, match=f"holds 40 examples, got n = {n}"):
            examples_for(classifier, save(tmp_path), n=n)


def test_a_damaged_file(tmp_path, classifier):
    path = save(tmp_path)
    raw = bytearray(path.read_bytes())
    raw[300:900] = bytes(600)
    path.write_bytes(bytes(raw))
    with pytest.raises(ValueError, match=r"is damaged .*; write it again"):
        examples_for(classifier, path)
    path.write_text("no archive")
    with pytest.raises(ValueError, match=r"is damaged or not an \.npz file"):
        examples_for(classifier, path)
