"""Tiny ImageNet: photographs of 200 classes, 64 x 64 in colour, 500 + 50 of each.

Source: Stanford CS231n's course project, http://cs231n.stanford.edu/tiny-imagenet-200.zip; a part
of ImageNet (Russakovsky et al. 2015, arXiv:1409.0575) made smaller.
"""

import contextlib
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from robustnets.core.dataset import Dataset, Split
from robustnets.data import sources

NAME = "tiny_imagenet"
FILE = "tiny-imagenet-200.zip"
FOLDER = "tiny-imagenet-200"
URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
SIDE = 64
_TRAIN = re.compile(r"train/(n\d+)/images/n\d+_(\d+)\.JPEG")
_VAL = re.compile(r"val_(\d+)\.JPEG")

Read = Callable[[str], bytes]
# (number of the image within its class, label, path): sorted, all classes take turns
_Image = tuple[int, int, str]


def classes_of(name: str) -> int | None:
    """How many classes a name asks for: "tiny_imagenet" all 200, "tiny_imagenet-20" the first 20.

    Raises:
        ValueError: for any other name.
    """
    found = re.fullmatch(rf"{NAME}(?:-([1-9]\d*))?", name)
    if found is None or (found[1] and int(found[1]) < 2):
        raise ValueError(f"name {NAME} or {NAME}-20 for its first 20 classes, got {name!r}")
    return int(found[1]) if found[1] else None


def load(data_dir: str | os.PathLike | None = None, classes: int | None = None) -> Dataset:
    """Load Tiny ImageNet, (100000, 64, 64, 3) and (10000, 64, 64, 3); 5.4 GB as float32.

    The training images, and as test split the validation images (those of the test folder have
    no labels), from the zip or the unpacked folder, whatever share of the images is in it. The
    classes take turns: the first image of each, the second of each, so that the first n images
    of a split hold all classes alike.

    Args:
        data_dir: folder holding `tiny-imagenet-200.zip` or what it unpacks to; None is
            `ROBUSTNETS_DATA`.
        classes: only the first so many of wnids.txt, whose images alone are decoded.

    Returns:
        The Dataset. Labels count the lines of wnids.txt; class names are those of words.txt.

    Raises:
        FileNotFoundError: if what was named is not a folder.
        ValueError: if the file or folder is not Tiny ImageNet, or has fewer classes.
        DataUnavailable: if it is not there; Keras has no copy to download.
    """
    path = _found(data_dir)
    with _opened(path) as (names, read):
        wnids = _lines(path, read, "wnids.txt")
        count = len(wnids) if classes is None else classes
        if count > len(wnids):
            raise ValueError(f"{path} has {len(wnids)} classes, {count} were asked for")
        labels = {wnid: label for label, wnid in enumerate(wnids[:count])}
        train, test = _train(names, labels), _validation(path, read, labels)
        splits = [_decode(path, read, images) for images in (train, test)]
        called = dict(line.split("\t", 1) for line in _lines(path, read, "words.txt"))
    class_names = tuple(called.get(wnid, wnid).strip() for wnid in labels)
    name = NAME if classes is None else f"{NAME}-{classes}"
    return Dataset(name, splits[0], splits[1], class_names)


def some(data_dir: str | os.PathLike | None, count: int) -> tuple[np.ndarray, list[str]]:
    """The first validation images and the WordNet numbers of their classes, which take turns.

    Args:
        data_dir: as for `load`.
        count: how many images are decoded, or all where there are no more.

    Returns:
        float32 (count, 64, 64, 3) in [0, 1], and such as "n01443537" for each.

    Raises:
        FileNotFoundError, ValueError, DataUnavailable: as for `load`.
    """
    path = _found(data_dir)
    with _opened(path) as (_, read):
        wnids = _lines(path, read, "wnids.txt")
        listed = _validation(path, read, {wnid: label for label, wnid in enumerate(wnids)})
        split = _decode(path, read, sorted(listed)[:count])
    return split.x, [wnids[label] for label in split.y]


def locate(data_dir: str | os.PathLike | None = None) -> str:
    """Where `load` would take it from: "folder PATH" or "missing"."""
    path = _find(data_dir)
    return "missing" if path is None else f"folder {path}"


def _found(data_dir: str | os.PathLike | None) -> Path:
    path = _find(data_dir)
    if path is not None:
        return path
    folder = sources.named_folder(data_dir)
    looked = "no folder was named" if folder is None else f"it is not in {folder}"
    raise sources.DataUnavailable(
        f"Tiny ImageNet is not available: {looked}, and Keras has no copy of it. Download "
        f"{URL}, put {FILE} in a folder and name the folder with --data-dir or "
        f"{sources.ENVIRONMENT}"
    )


def _find(data_dir: str | os.PathLike | None) -> Path | None:
    folder = sources.named_folder(data_dir)
    if folder is None:
        return None
    if (folder / FILE).is_file():
        return folder / FILE
    return folder / FOLDER if (folder / FOLDER).is_dir() else None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Read]]:
    """The paths of all images to train on, and a reader of files, both below the top folder."""
    if path.is_dir():
        train = (path / "train").glob("n*/images/*.JPEG")
        names = [file.relative_to(path).as_posix() for file in train]
        yield names, lambda name: (path / name).read_bytes()
        return
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as problem:
        raise ValueError(f"{path} is damaged or not a zip file; get it again: {URL}") from problem
    with archive:
        prefix = f"{FOLDER}/"
        names = [n.removeprefix(prefix) for n in archive.namelist() if n.startswith(prefix)]
        yield names, lambda name: archive.read(prefix + name)


def _lines(path: Path, read: Read, name: str) -> list[str]:
    try:
        text = read(name).decode()
    except (KeyError, FileNotFoundError):
        raise ValueError(
            f"{path} is not Tiny ImageNet: there is no {FOLDER}/{name} in it"
        ) from None
    return [line for line in text.splitlines() if line.strip()]


def _train(names: list[str], labels: dict[str, int]) -> list[_Image]:
    found = []
    for name in names:
        match = _TRAIN.fullmatch(name)
        if match is not None and match[1] in labels:
            found.append((int(match[2]), labels[match[1]], name))
    return found


def _validation(path: Path, read: Read, labels: dict[str, int]) -> list[_Image]:
    listed = []
    for line in _lines(path, read, "val/val_annotations.txt"):
        file, wnid, *_ = line.split("\t")
        match = _VAL.fullmatch(file)
        if match is None:
            raise ValueError(f"{path}: val_annotations.txt names an image {file!r}")
        if wnid in labels:
            listed.append((int(match[1]), labels[wnid], f"val/images/{file}"))
    # the numbers run over all classes; within a class they only give the order
    taken: dict[int, int] = {}
    found = []
    for _, label, name in sorted(listed):
        taken[label] = taken.get(label, -1) + 1
        found.append((taken[label], label, name))
    return found


def _decode(path: Path, read: Read, images: list[_Image]) -> Split:
    """Decode one image after the other into the array that is kept: no copy of all of them."""
    from PIL import Image, UnidentifiedImageError

    if not images:
        raise ValueError(f"{path} is not Tiny ImageNet: a split has no images")
    images = sorted(images)
    x = np.empty((len(images), SIDE, SIDE, 3), np.float32)
    for row, (_, _, name) in zip(x, images):
        try:
            with Image.open(io.BytesIO(read(name))) as picture:
                pixels = np.asarray(picture.convert("RGB"))  # some are grey
        except (KeyError, OSError, UnidentifiedImageError, zipfile.BadZipFile) as problem:
            raise ValueError(f"{path}: {name} cannot be read ({problem})") from problem
        if pixels.shape != row.shape:
            raise ValueError(f"{path}: {name} is {pixels.shape}, not {row.shape}")
        np.divide(pixels, np.float32(255), out=row)
    return Split(x, np.array([label for _, label, _ in images], np.int64))
