"""ResNet-50 as Keras has it trained on ImageNet, for images in [0, 1].

Source: He et al. 2016, arXiv:1512.03385, sec. 4.1; `keras.applications.ResNet50`. Table 3 of
CSDS440 rests on it. Its weights (98 MB) are Keras' to download, or a file that the user has.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import keras

from robustnets.data import sources
from robustnets.data.imagenet import DOWNLOAD, HOW_WEIGHTS, WEIGHTS

FILE = "resnet50_weights_tf_dim_ordering_tf_kernels.h5"
MEANS = (123.68, 116.779, 103.939)  # of red, green and blue, which the network wants to lose


class WeightsUnavailable(RuntimeError):
    """The weights could not be downloaded."""


def imagenet_resnet50(weights: str | os.PathLike | None, side: int = 224) -> keras.Model:
    """ResNet-50 with 1000 logits, float32 (N, side, side, 3) in [0, 1] -> (N, 1000).

    Args:
        weights: "imagenet", which Keras downloads and keeps; a file; or None for random ones.
        side: of the images.

    Raises:
        ValueError: if a file holds other weights.
    """
    images = keras.Input((side, side, 3), name="images")
    shifted = keras.layers.Rescaling(255.0, [-mean for mean in MEANS], name="centred")(images)
    named = weights if weights is None or weights == DOWNLOAD else os.fspath(weights)
    try:
        network = keras.applications.ResNet50(
            weights=named, classifier_activation=None, input_shape=(side, side, 3), name="resnet50"
        )
    except (ValueError, OSError) as problem:
        if named in (None, DOWNLOAD):
            raise
        first = str(problem).strip().splitlines()
        raise ValueError(
            f"{named} holds no weights of keras.applications.ResNet50 ({first[0] if first else ''})"
        ) from problem
    return keras.Model(images, network(_to_bgr(shifted)), name="imagenet_resnet50")


def _to_bgr(x: Any) -> Any:
    return keras.ops.flip(x, axis=-1)


def named_weights() -> Path | None:
    """The weights file that ROBUSTNETS_IMAGENET_WEIGHTS names; None if it names none.

    Raises:
        FileNotFoundError: for a file that is not there.
        WeightsUnavailable: if they are to be downloaded and cannot.
    """
    named = os.environ.get(WEIGHTS) or None
    if named is None:
        return None
    if named != DOWNLOAD:
        path = Path(named).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f"{WEIGHTS} names {path}, and there is no such file; {HOW_WEIGHTS}"
            )
        return path
    path = sources.keras_cache().parent / "models" / FILE
    if path.is_file():
        return path
    try:
        with sources.impatient_sockets():
            keras.applications.ResNet50(weights=DOWNLOAD)
        return path
    except Exception as problem:  # Keras raises bare Exception for a failed download
        said = " ".join(str(problem).split()) or type(problem).__name__
        raise WeightsUnavailable(
            f"Keras could not download the weights of ResNet-50 ({said}); {HOW_WEIGHTS}"
        ) from problem


def weights_digest(path: Path) -> str:
    """16 hexadecimal digits over a weights file."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()[:16]
