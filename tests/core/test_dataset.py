"""A Dataset is checked once: each refusal by its message, and a fingerprint of every bit."""

import numpy as np
import pytest

from robustnets.core.dataset import Dataset, Split, evenly_by_class

SHAPE = (5, 4, 3)


def split(n=7, shape=SHAPE, seed=0, classes=3):
    rng = np.random.default_rng(seed)
    return Split(rng.uniform(0, 1, (n, *shape)).astype(np.float32), rng.integers(0, classes, n))


def make(train=None, test=None, names=("a", "b", "c")):
    train = split() if train is None else train
    test = split(6, seed=1) if test is None else test
    return Dataset("tiny", train, test, names)


def with_pixel(value):
    s = split()
    s.x[2, 1, 3, 0] = value
    return s


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            lambda: Split(split().x.astype(np.float64), split().y),
            r"images must be float32 \(N, H, W, C\), got float64 \(7, 5, 4, 3\)",
        ),
        (lambda: Split(split().x[..., 0], split().y), r"got float32 \(7, 5, 4\)"),
        (lambda: Split(split().x, split(6).y), r"labels must be int64 \(7,\), got int64 \(6,\)"),
        (lambda: Split(split().x[:0], split().y[:0]), "there are no examples"),
        (lambda: with_pixel(np.nan), "images hold NaN or infinite values"),
        (lambda: with_pixel(np.inf), "images hold NaN or infinite values"),
        (lambda: with_pixel(1.5), r"images must lie in \[0, 1\], got \[\S+, 1.5\]"),
        (lambda: with_pixel(-0.5), r"images must lie in \[0, 1\], got \[-0.5, \S+\]"),
        (lambda: Split(split().x, split().y + 1), r"labels must lie in 0..2 \(3 classes\), got"),
        (lambda: Split(split().x, split().y - 1), r"labels must lie in 0..2 \(3 classes\), got -1"),
    ],
)
def test_refusals(bad, message):
    with pytest.raises(ValueError, match=f"tiny train: .*{message}"):
        make(train=bad())
    with pytest.raises(ValueError, match=f"tiny test: .*{message}"):
        make(test=bad())


@pytest.mark.parametrize("kind", ["uint8", "int32", "int64"])
def test_labels_as_keras_datasets_give_them(kind):
    s = split()
    column = Split(s.x, s.y[:, None].astype(kind))
    assert (column.y.shape, column.y.dtype) == ((7,), np.int64)
    assert make(train=column).fingerprint == make().fingerprint


def test_labels_that_are_no_class_numbers():
    s = split()
    with pytest.raises(ValueError, match=r"these are one-hot: use np.asarray\(y\).argmax"):
        Split(s.x, np.eye(3)[s.y])
    with pytest.raises(ValueError, match=r"use np.asarray\(y, 'int64'\)"):
        Split(s.x, s.y.astype(float))


def test_images_get_a_remedy():
    s = split()
    for x, remedy in (
        ((255 * s.x).astype(np.uint8), r"use x.astype\('float32'\) / 255$"),
        (s.x[..., 0], r"use x\[..., np.newaxis\]$"),
    ):
        with pytest.raises(ValueError, match=remedy):
            make(train=Split(x, s.y))


def test_one_image_shape():
    with pytest.raises(ValueError, match=r"training images are \(5, 4, 3\), test images \(4, 5, 3"):
        make(test=split(shape=(4, 5, 3)))


def test_fingerprint_changes_with_one_bit():
    whole = make()
    assert whole.fingerprint == make().fingerprint
    assert len(whole.fingerprint) == 16
    seen = {whole.fingerprint}
    for which in ("train", "test"):
        pixel = split(7 if which == "train" else 6, seed=int(which == "test"))
        pixel.x.view(np.uint32)[-1, -1, -1, -1] ^= 1
        seen.add(make(**{which: pixel}).fingerprint)
        label = split(7 if which == "train" else 6, seed=int(which == "test"))
        label.y[-1] = (label.y[-1] + 1) % 3
        seen.add(make(**{which: label}).fingerprint)
    assert len(seen) == 5


def test_fingerprint_sees_shapes_not_memory_layout():
    s = split()
    turned = Split(np.asfortranarray(s.x), s.y)
    assert make(train=turned).fingerprint == make().fingerprint
    flat = [Split(p.x.reshape(-1, 4, 5, 3), p.y) for p in (split(), split(6, seed=1))]
    assert make(*flat).fingerprint != make().fingerprint


def test_take():
    whole = make()
    few = whole.take(4, 2)
    assert (len(few.train), len(few.test)) == (4, 2)
    np.testing.assert_array_equal(few.train.x, whole.train.x[:4])
    np.testing.assert_array_equal(few.test.y, whole.test.y[:2])
    assert (few.name, few.class_names, few.image_shape) == ("tiny", ("a", "b", "c"), SHAPE)
    assert whole.take().fingerprint == whole.fingerprint
    assert few.fingerprint != whole.fingerprint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((8, None), "tiny has 7 train examples, got n_train=8"),
        ((None, 7), "tiny has 6 test examples, got n_test=7"),
        ((0, None), "got n_train=0"),
        ((None, -1), "got n_test=-1"),
    ],
)
def test_take_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        make().take(*arguments)


def test_all_classes_in_proportion():
    y = np.repeat([2, 0, 1], [50, 30, 20])
    rows = evenly_by_class(y, 10)
    assert np.bincount(y[rows]).tolist() == [3, 2, 5]
    assert (np.diff(rows) > 0).all()
    assert evenly_by_class(y, 10).tolist() == rows.tolist()
    assert evenly_by_class(y, 1000).tolist() == list(range(100))
