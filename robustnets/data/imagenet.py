"""Photographs for networks that were trained on ImageNet: 224 x 224, with ImageNet's 1000 classes.

ImageNet itself (Russakovsky et al. 2015, arXiv:1409.0575) cannot be given away; what is taken is
what the user has: an `.npz` file, a folder of pictures, or else Tiny ImageNet's validation images,
which are ImageNet's own made small, enlarged again. `imagenet_wnids.txt` lists the WordNet numbers
of the 1000 classes in the order of the outputs of networks: that of the alphabet.
"""

import functools
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from robustnets.core.dataset import Dataset, Split
from robustnets.data import npz, sources, tiny_imagenet

NAME = "imagenet"
FILE, FOLDER = "imagenet.npz", "imagenet"
SIDE = 224  # of the images, and of what ResNet-50 was trained on
SHORT = 256  # the shorter side before the middle is cut out, as is usual
MOST = 200  # images: 120 MB
WEIGHTS = "ROBUSTNETS_IMAGENET_WEIGHTS"  # names those of the network that is trained on them
DOWNLOAD = "imagenet"  # Keras' own word for its weights
HOW_WEIGHTS = (
    f"set {WEIGHTS} to `{DOWNLOAD}`, with which Keras downloads the weights (98 MB) and keeps "
    "them, or to a weights file of `keras.applications.ResNet50`"
)
_PICTURES = (".jpeg", ".jpg", ".png")


@functools.cache
def wnids() -> tuple[str, ...]:
    """The WordNet numbers of the 1000 classes, such as "n01440764", by the number of the class."""
    listed = resources.files("robustnets.data").joinpath("imagenet_wnids.txt").read_text()
    return tuple(listed.split())


def load(data_dir: str | os.PathLike | None = None) -> Dataset:
    """Load at most 200 photographs, float32 (N, 224, 224, 3), labels in 0..999.

    Looked for in this order: `imagenet.npz` with x and y, labels by the order of `wnids`; a folder
    `imagenet` with one folder per class, named by its WordNet number, whose images take turns;
    Tiny ImageNet. Pictures of other sizes are brought to a shorter side of 256 and cut to the
    middle, but square ones are brought to 224 as they are.

    Args:
        data_dir: the folder to look in; None is `ROBUSTNETS_DATA`.

    Returns:
        The Dataset. Its networks come trained, so that its training split is one of the images.

    Raises:
        FileNotFoundError: if what was named is not a folder.
        ValueError: for files that hold something else.
        DataUnavailable: if none of the three is there.
    """
    path = _find(data_dir)
    if path is None:
        small, classes = tiny_imagenet.some(data_dir, MOST)
        x, y = _all_of(small), [wnids().index(wnid) for wnid in classes]
    elif path.is_file():
        examples = npz.load_examples(path)
        if examples.x.shape[-1] != 3 or examples.y.max() >= len(wnids()):
            raise ValueError(
                f"{path} must hold colour images and labels in 0..999, got {examples.x.shape} and "
                f"labels up to {examples.y.max()}"
            )
        x, y = _all_of(examples.x[:MOST]), examples.y[:MOST].tolist()
    else:
        x, y = _of_folder(path)
    labels = np.array(y, np.int64)
    return Dataset(NAME, Split(x[:1], labels[:1]), Split(x, labels), wnids())


def locate(data_dir: str | os.PathLike | None = None) -> str:
    """Where `load` would take them from: "folder PATH" or "missing"."""
    path = _find(data_dir)
    return tiny_imagenet.locate(data_dir) if path is None else f"folder {path}"


def _find(data_dir: str | os.PathLike | None) -> Path | None:
    folder = sources.named_folder(data_dir)
    if folder is None:
        return None
    if (folder / FILE).is_file():
        return folder / FILE
    return folder / FOLDER if (folder / FOLDER).is_dir() else None


def _of_folder(path: Path) -> tuple[np.ndarray, list[int]]:
    from PIL import Image, UnidentifiedImageError

    taken = list(_turns(path))[:MOST]
    if not taken:
        raise ValueError(
            f"{path} holds no pictures: it must have one folder per class, named by its WordNet "
            "number such as n01440764, with .JPEG, .jpg or .png files"
        )
    x = np.empty((len(taken), SIDE, SIDE, 3), np.float32)
    for row, (_, file) in zip(x, taken):
        try:
            with Image.open(file) as picture:
                row[:] = _fitted(picture.convert("RGB"))
        except (OSError, UnidentifiedImageError) as problem:
            raise ValueError(f"{file} cannot be read ({problem})") from problem
    return x, [label for label, _ in taken]


def _turns(path: Path) -> Iterator[tuple[int, Path]]:
    """(class, file), the first picture of each class, then the second of each."""
    found = []
    for label, wnid in enumerate(wnids()):
        files = sorted((path / wnid).glob("*")) if (path / wnid).is_dir() else []
        pictures = [f for f in files if f.suffix.lower() in _PICTURES]
        found += [(i, label, file) for i, file in enumerate(pictures)]
    for _, label, file in sorted(found):
        yield label, file


def _all_of(x: np.ndarray) -> np.ndarray:
    """float32 (N, H, W, 3) in [0, 1] -> (N, 224, 224, 3)."""
    if x.shape[1:3] == (SIDE, SIDE):
        return x
    from PIL import Image

    return np.stack([_fitted(Image.fromarray(np.round(255 * one).astype(np.uint8))) for one in x])


def _fitted(picture) -> np.ndarray:
    """A picture of any size as float32 (224, 224, 3) in [0, 1]."""
    from PIL import Image

    width, height = picture.size
    if width == height:
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    else:
        scale = SHORT / min(width, height)
        size = [max(SIDE, round(scale * side)) for side in (width, height)]
        left, top = ((side - SIDE) // 2 for side in size)
        picture = picture.resize(tuple(size), Image.Resampling.BICUBIC)
        picture = picture.crop((left, top, left + SIDE, top + SIDE))
    return np.asarray(picture, np.float32) / np.float32(255)
