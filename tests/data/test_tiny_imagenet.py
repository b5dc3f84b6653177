"""Tiny ImageNet from a made-up zip, from the unpacked folder, and what is refused."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustnets import data
from robustnets.data import tiny_imagenet

REAL = os.environ.get("ROBUSTNETS_DATA")
WNIDS = ("n00000007", "n00000002", "n00000005")  # labels follow this order, not the alphabet
PER_CLASS, VAL = 11, 2


def jpeg(value, mode="RGB", side=64):
    colour = value if mode == "L" else (value, value // 2, 0)
    stream = io.BytesIO()
    Image.new(mode, (side, side), colour).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def files():
    """Path -> bytes: each image is flat, 10 * label + 20 + its number."""
    made = {
        "wnids.txt": "\n".join(WNIDS).encode(),
        "words.txt": b"n00000002\tcat, tabby\nn00000005\tbus\nn00000007\treel\n",
        "test/images/test_0.JPEG": jpeg(255),
    }
    lines = []
    for label, wnid in enumerate(WNIDS):
        for i in range(PER_CLASS):
            value = 100 * label + 20 + i
            made[f"train/{wnid}/images/{wnid}_{i}.JPEG"] = jpeg(min(value, 255))
        for i in range(VAL):
            number = 3 * i + 2 - label
            made[f"val/images/val_{number}.JPEG"] = jpeg(60 + label, "L")
            lines.append(f"val_{number}.JPEG\t{wnid}\t0\t0\t62\t62")
    made["val/val_annotations.txt"] = "\n".join(lines).encode()
    return made


def as_zip(folder, made):
    with zipfile.ZipFile(folder / "tiny-imagenet-200.zip", "w") as archive:
        for name, content in made.items():
            archive.writestr(f"tiny-imagenet-200/{name}", content)
    return folder


def as_folder(folder, made):
    for name, content in made.items():
        path = folder / "tiny-imagenet-200" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.mark.parametrize("write", [as_zip, as_folder])
def test_images_labels_and_names(write, tmp_path):
    dataset = data.load("tiny_imagenet", write(tmp_path, files()))
    assert dataset.name == "tiny_imagenet"
    assert dataset.class_names == ("reel", "cat, tabby", "bus")
    assert dataset.train.x.shape == (33, 64, 64, 3)
    assert dataset.test.x.shape == (6, 64, 64, 3)
    # classes take turns, and image 10 comes after image 9
    assert dataset.train.y.tolist() == [0, 1, 2] * PER_CLASS
    assert dataset.test.y.tolist() == [0, 1, 2] * VAL
    red = np.round(dataset.train.x[:, 0, 0, 0] * 255)
    expected = [20 + i + 100 * label for i in range(PER_CLASS) for label in range(3)]
    np.testing.assert_allclose(red, expected, rtol=0, atol=2)
    # grey images come with three channels
    grey = np.array([[60], [61], [62]]) / 255 * np.ones((3, 3))
    np.testing.assert_allclose(dataset.test.x[:3, 5, 5], grey, rtol=0, atol=1e-6)
    assert "tiny-imagenet-200" in data.locate("tiny_imagenet", tmp_path)


def test_zip_and_folder_give_the_same(tmp_path):
    first, second = tmp_path / "zip", tmp_path / "folder"
    first.mkdir(), second.mkdir()
    one = data.load("tiny_imagenet", as_zip(first, files()))
    assert one.fingerprint == data.load("tiny_imagenet", as_folder(second, files())).fingerprint


def test_the_first_classes_alone(tmp_path):
    folder = as_zip(tmp_path, files())
    two = data.load("tiny_imagenet-2", folder)
    assert two.name == "tiny_imagenet-2"
    assert two.class_names == ("reel", "cat, tabby")
    assert two.train.y.tolist() == [0, 1] * PER_CLASS
    examples = data.load_examples("tiny_imagenet-2", folder)
    assert (len(examples), examples.class_names) == (4, two.class_names)
    with pytest.raises(ValueError, match="has 3 classes, 4 were asked for"):
        data.load("tiny_imagenet-4", folder)
    for name in ("tiny_imagenet-1", "tiny_imagenet-0", "tiny_imagenet-x"):
        assert not data.is_named(name)
        with pytest.raises(ValueError, match="unknown data set"):
            data.load(name, folder)


def test_where_it_is_not(tmp_path, monkeypatch):
    monkeypatch.delenv("ROBUSTNETS_DATA", raising=False)
    assert data.locate("tiny_imagenet", tmp_path) == "missing"
    assert data.locate("tiny_imagenet-20") == "missing"
    with pytest.raises(data.DataUnavailable) as failure:
        data.load("tiny_imagenet", tmp_path)
    for part in (f"not in {tmp_path}", tiny_imagenet.URL, "--data-dir", "ROBUSTNETS_DATA"):
        assert part in str(failure.value)
    with pytest.raises(data.DataUnavailable, match="no folder was named"):
        data.load("tiny_imagenet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wnids.txt": None}, "not Tiny ImageNet: there is no tiny-imagenet-200/wnids.txt"),
        ({"val/val_annotations.txt": b"cat.png\tn00000002"}, "names an image 'cat.png'"),
        ({"val/val_annotations.txt": b"\n"}, "a split has no images"),
        ({"val/images/val_2.JPEG": None}, "val_2.JPEG cannot be read"),
        ({"val/images/val_2.JPEG": b"no picture"}, "val_2.JPEG cannot be read"),
        ({"val/images/val_2.JPEG": jpeg(9, side=32)}, r"is \(32, 32, 3\), not \(64, 64, 3\)"),
    ],
)
def test_what_is_not_tiny_imagenet_is_refused(change, message, tmp_path):
    made = {k: v for k, v in (files() | change).items() if v is not None}
    for write in (as_zip, as_folder):
        folder = tmp_path / write.__name__
        folder.mkdir()
        with pytest.raises(ValueError, match=message):
            data.load("tiny_imagenet", write(folder, made))


def test_a_damaged_zip_is_refused(tmp_path):
    (tmp_path / "tiny-imagenet-200.zip").write_bytes(b"PK but no more")
    with pytest.raises(ValueError, match="damaged or not a zip file; get it again"):
        data.load("tiny_imagenet", tmp_path)


@pytest.mark.skipif(
    REAL is None or not (Path(REAL) / "tiny-imagenet-200.zip").is_file(),
    reason="ROBUSTNETS_DATA names no folder with tiny-imagenet-200.zip",
)
def test_real_tiny_imagenet():
    dataset = data.load("tiny_imagenet-3", REAL)
    assert dataset.class_names[0] == "Egyptian cat"
    counts = np.bincount(dataset.train.y)
    assert counts.min() == counts.max() >= 100
    assert 0.3 < dataset.train.x.mean() < 0.6
