"""Photographs for an ImageNet network: from a file, a folder, or Tiny ImageNet enlarged."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from robustnets import data
from robustnets.data import imagenet


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(imagenet, "SIDE", 32)
    monkeypatch.setattr(imagenet, "SHORT", 40)
    monkeypatch.setattr(imagenet, "MOST", 3)


def picture(colour, width=48, height=48):
    return Image.new("RGB", (width, height), colour)


def test_the_classes_are_those_of_networks_in_their_order():
    wnids = imagenet.wnids()
    assert len(set(wnids)) == 1000
    assert list(wnids) == sorted(wnids)
    assert (wnids[0], wnids[207]) == ("n01440764", "n02099601")  # tench, golden retriever


def test_a_folder_takes_turns_and_cuts_the_middle(tmp_path):
    for label in (3, 7):
        folder = tmp_path / "imagenet" / imagenet.wnids()[label]
        folder.mkdir(parents=True)
        for i in range(2):
            wide = picture((10 * label, 100 * i, 0), 80, 40)
            wide.paste((255, 255, 255), (0, 0, 10, 40))  # the left eighth, which is cut off
            wide.save(folder / f"{i}.png")
    (tmp_path / "imagenet" / "notes").mkdir()
    found = data.load("imagenet", tmp_path)
    assert found.test.x.shape == (3, 32, 32, 3)
    assert found.test.y.tolist() == [3, 7, 3]
    np.testing.assert_allclose(found.test.x[2, 16, 16] * 255, [30, 100, 0], rtol=0, atol=0.01)
    assert found.test.x.max() < 0.9
    assert found.class_names[3] == imagenet.wnids()[3]
    assert data.locate("imagenet", tmp_path) == f"folder {tmp_path / 'imagenet'}"


def test_a_file_comes_first_and_is_checked(tmp_path):
    (tmp_path / "imagenet").mkdir()
    x = np.full((4, 32, 32, 3), 51, np.uint8)
    np.savez(tmp_path / "imagenet.npz", x=x, y=np.array([999, 1, 2, 3]))
    found = data.load("imagenet", tmp_path)
    assert found.test.y.tolist() == [999, 1, 2]
    np.testing.assert_allclose(found.test.x, 0.2, rtol=0, atol=1e-6)
    np.savez(tmp_path / "imagenet.npz", x=x, y=np.array([1000, 1, 2, 3]))
    with pytest.raises(ValueError, match=r"labels in 0..999, got .* labels up to 1000"):
        data.load("imagenet", tmp_path)


def test_tiny_imagenet_stands_in(tmp_path):
    wnids = [imagenet.wnids()[k] for k in (5, 9)]
    lines = "".join(f"val_{i}.JPEG\t{wnids[i % 2]}\t0\t0\t62\t62\n" for i in range(6))
    with zipfile.ZipFile(tmp_path / "tiny-imagenet-200.zip", "w") as archive:
        archive.writestr("tiny-imagenet-200/wnids.txt", "\n".join(reversed(wnids)))
        archive.writestr("tiny-imagenet-200/val/val_annotations.txt", lines)
        for i in range(6):
            with archive.open(f"tiny-imagenet-200/val/images/val_{i}.JPEG", "w") as file:
                picture((40 * i, 40 * i, 40 * i), 64, 64).save(file, "JPEG", quality=95)
    found = data.load("imagenet", tmp_path)
    assert found.test.x.shape == (3, 32, 32, 3)
    # the classes take turns in the order of wnids.txt, and have ImageNet's numbers
    assert found.test.y.tolist() == [9, 5, 9]
    grey = 255 * found.test.x.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(grey, [40, 0, 120], rtol=0, atol=2)


def test_what_is_missing_or_empty(tmp_path):
    assert data.locate("imagenet", tmp_path) == "missing"
    with pytest.raises(data.DataUnavailable, match="Tiny ImageNet is not available"):
        data.load("imagenet", tmp_path)
    (tmp_path / "imagenet").mkdir()
    with pytest.raises(ValueError, match="holds no pictures"):
        data.load("imagenet", tmp_path)
