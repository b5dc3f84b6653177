"""Images and labels as people hold them: what is taken, and remedies that work as they stand."""

import re

import numpy as np
import pandas as pd
import pytest

from robustnets.core.arrays import as_images, as_labels

SHAPE = (5, 4, 3)
X = np.random.default_rng(0).uniform(0, 1, (6, *SHAPE)).astype(np.float32)
Y = np.array([2, 0, 1, 2, 0, 1])


class Tensor:
    """What any other library's tensor is to NumPy."""

    dtype = "other.float32"

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


class OnDevice:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 tensor; use\nTensor.cpu()")


def images(x, shape=SHAPE, low=0, high=1):
    return as_images(x, shape, low, high, "the model")


def remedied(problem, **values):
    """What the remedy of a message gives when it is typed as it stands."""
    code = re.search(r"use (np\..*?)( if |, and|$)", str(problem.value)).group(1)
    return eval(code, {"np": np, **values})


@pytest.mark.parametrize(
    "x",
    [X, Tensor(X), X.astype(np.float64), X.tolist(), list(X), X[::-1][::-1]],
    ids=["array", "tensor", "float64", "nested lists", "list of arrays", "view"],
)
def test_images_that_mean_one_thing(x):
    found = images(x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, X)


def test_float32_is_not_copied_and_narrow_floats_are_widened():
    assert images(X) is X or images(X).base is X or np.shares_memory(images(X), X)
    np.testing.assert_allclose(images(X.astype(np.float16)), X, rtol=0, atol=1e-3)


def test_grey_images_need_no_channel_axis():
    found = images(X[..., 0], shape=(5, 4, 1))
    np.testing.assert_array_equal(found, X[..., :1])


def test_whole_numbers_are_taken_in_a_wide_box_only():
    levels = np.round(255 * X).astype(np.uint8)
    np.testing.assert_array_equal(images(levels, high=255), levels)
    with pytest.raises(ValueError, match=r"x holds whole numbers \(uint8\) in 0..255") as problem:
        images(np.where(levels == levels.max(), 255, np.where(levels == levels.min(), 0, levels))
               .astype(np.uint8))  # fmt: skip
    np.testing.assert_allclose(images(remedied(problem, x=levels)), X, rtol=0, atol=0.002)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.moveaxis(X, -1, 1), "the channels come first"),
        (X.reshape(6, -1), "the images are flat"),
        (pd.DataFrame(X.reshape(6, -1)), "the images are flat"),
    ],
)
def test_another_shape_gets_a_remedy_that_works(x, message):
    with pytest.raises(ValueError, match=message) as problem:
        images(x)
    np.testing.assert_array_equal(images(remedied(problem, x=x)), X)


def test_grey_images_for_a_model_of_colours_and_a_single_image():
    for x in (X[..., :1], X[..., 0]):
        with pytest.raises(ValueError, match="the images are grey") as problem:
            images(x)
        np.testing.assert_array_equal(
            images(remedied(problem, x=x)), np.repeat(X[..., :1], 3, axis=-1)
        )
    with pytest.raises(ValueError, match="that is one image") as problem:
        images(X[0])
    np.testing.assert_array_equal(images(remedied(problem, x=X[0])), X[:1])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (None, "x must be an array of numbers, got None"),
        ((i for i in X), "got generator; collect its values"),
        ([[1], [1, 2]], "x must be an array of numbers, got list, which NumPy cannot read"),
        (OnDevice(), "use Tensor.cpu()"),
        (np.full(X.shape, "a"), "x must hold numbers, got <U1"),
        (X.astype(complex), "x must hold numbers, got complex128"),
        (X[:0], r"with N > 0, .* got \(0, 5, 4, 3\)$"),
        (X[:, :4], r"got \(6, 4, 4, 3\)$"),
    ],
)
def test_what_is_no_images_is_named(x, message):
    with pytest.raises(ValueError, match=message):
        images(x)


@pytest.mark.parametrize(
    "y",
    [
        Y, Y[:, None], Y.astype(np.uint8)[:, None], Y.tolist(), [[k] for k in Y], Tensor(Y),
        pd.Series(Y, index=range(9, 3, -1)), pd.Series(Y, dtype="Int64"), pd.DataFrame({"y": Y}),
    ],
)  # fmt: skip
def test_labels_that_mean_one_thing(y):
    found = as_labels(y, 6)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.eye(3)[Y], "these are one-hot"),
        (np.eye(3, dtype=bool)[Y], "these are one-hot"),
        (pd.DataFrame(np.eye(3)[Y]), "these are one-hot"),
        (Tensor(np.eye(3)[Y]), "these are one-hot"),
        (Y.astype(float), "integer dtype, got float64"),
        (Tensor(Y.astype(np.float32)), "integer dtype, got float32"),
        (Y[None], r"got \(1, 6\)"),
        (Y[:, None, None], r"got \(6, 1, 1\)"),
    ],
)
def test_labels_get_a_remedy_that_works(y, message):
    with pytest.raises(ValueError, match=message) as problem:
        as_labels(y, 6)
    np.testing.assert_array_equal(as_labels(remedied(problem, y=y), 6), Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (0.9 * np.eye(3)[Y] + 0.03, r"got \(6, 3\)$"),
        (np.eye(3)[Y][:5], r"y must be \(6,\), one class number per example, got \(5, 3\)$"),
        (Y + 0.5, "counted from 0, got values such as 2.5"),
        (np.full(6, np.nan), "counted from 0, got values such as nan"),
        (np.array(list("cabcab")), "got text such as 'c'; use the place of each class"),
        (Y[:5], r"got \(5,\)$"),
        (None, "y must be an array of numbers, got None"),
    ],
)
def test_argmax_is_named_for_one_hot_rows_only(y, message):
    with pytest.raises(ValueError, match=message) as problem:
        as_labels(y, 6)
    assert "argmax" not in str(problem.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda pairs: pairs,
        lambda pairs: pairs.batch(4),
        lambda pairs: pairs.shuffle(6, seed=0),
        lambda pairs: pairs.map(lambda x, y: {"label": y, "image": x}),
        lambda pairs: pairs.map(lambda x, y: {"id": y, "image": x, "label": y}).batch(4),
        lambda pairs: pairs.map(lambda x, y: (x, y, 1.0)).batch(4),
    ],
    ids=["examples", "batches", "shuffled", "dictionaries", "batches of dictionaries", "weights"],
)
def test_a_tf_dataset_is_named_with_code_that_takes_it_apart(change):
    tf = pytest.importorskip("tensorflow")
    dataset = change(tf.data.Dataset.from_tensor_slices((X, Y)))
    for refuse in (lambda: images(dataset), lambda: as_labels(dataset, 6)):
        with pytest.raises(ValueError, match=r"must be an array, got a tf.data.Dataset") as problem:
            refuse()
        found = {"np": np, "dataset": dataset}
        exec(str(problem.value).partition("together: ")[2], found)
        order = [int(np.abs(X - one).sum(axis=(1, 2, 3)).argmin()) for one in found["x"]]
        np.testing.assert_array_equal(images(found["x"]), X[order])
        np.testing.assert_array_equal(as_labels(found["y"], 6), Y[order])


def test_an_endless_dataset_is_cut():
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices(X).batch(3).repeat()
    with pytest.raises(ValueError, match=r"x = np.concatenate\(list\(dataset.take\(100\)"):
        images(dataset)
