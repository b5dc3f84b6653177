"""The scales in which images are usually given to networks, and the code that makes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False, slots=True)
class Scale:
    """A way to scale images.

    Args:
        words: what such images are, to be read after "the same images".
        x: float32 (N, H, W, C), the images so scaled.
        layer: code of a layer that makes them of images in [0, 1].
        box: the smallest and the largest value that such an image can have, or None where
            these differ from channel to channel.
        code: the same scaling of images u in [0, 1], in NumPy.
        call: the same of a tensor u; "": the layer.
        fitted: whether its numbers are taken from these very images.
    """

    words: str
    x: np.ndarray
    layer: str
    box: tuple[float, float] | None
    code: str
    call: str = ""
    fitted: bool = False


def usual(x: np.ndarray, low: float, high: float) -> Iterator[Scale]:
    """The same images in the scales in which networks are usually trained.

    Args:
        x: float32 (N, H, W, C), in [low, high]; where they lie in [0, 1] and that is another
            box, also as if nobody had scaled them to it yet.
    """
    if (low, high) != (0, 1) and x.min() >= 0 and x.max() <= 1:
        yield Scale(
            f"scaled from [0, 1] to [{low:g}, {high:g}]",
            np.float32(low) + np.float32(high - low) * x,
            f"keras.layers.Rescaling({high - low:g}, offset={low:g})",
            (low, high),
            f"{low:g} + {high - low:g} * u",
        )
        yield from _of_unit(x)
    yield from _of_unit((x - np.float32(low)) / np.float32(high - low))


def _of_unit(u: np.ndarray) -> Iterator[Scale]:
    """The scales of images u in [0, 1]."""
    for words, scale, offset in (
        ("in [0, 1]", 1, 0),
        ("in [-1, 1]", 2, -1),
        ("in 0..255", 255, 0),
        ("in [-0.5, 0.5]", 1, -0.5),
    ):
        arguments = f"{scale}" + (f", offset={offset}" if offset else "")
        code = (f"{scale} * u" if scale != 1 else "u") + (f" - {-offset}" if offset else "")
        yield Scale(
            words,
            np.float32(scale) * u + np.float32(offset),
            f"keras.layers.Rescaling({arguments})",
            (offset, scale + offset),
            code,
        )
    channels = u.shape[-1]
    if channels == 3:
        yield _normalised("less ImageNet's mean, divided by its standard deviation", u,
                          IMAGENET_MEAN, IMAGENET_STD, fitted=False)  # fmt: skip
    mean, std = u.mean(axis=(0, 1, 2)), np.maximum(u.std(axis=(0, 1, 2)), 1e-3)
    yield _normalised("less their mean, divided by their standard deviation", u, mean, std)
    if channels > 1:
        yield _normalised("less one mean, divided by one standard deviation", u,
                          (float(u.mean()),), (max(float(u.std()), 1e-3),))  # fmt: skip
    if channels == 3:
        means = np.array([103.939, 116.779, 123.68], np.float32)
        yield Scale(
            "in 0..255, blue first, less ImageNet's mean",
            255 * u[..., ::-1] - means,
            "keras.applications.imagenet_utils.preprocess_input(255 * u)",
            None,
            "keras.applications.imagenet_utils.preprocess_input(255 * u)",
            "keras.applications.imagenet_utils.preprocess_input(255 * u)",
        )


def _normalised(words: str, u: np.ndarray, mean: Any, std: Any, fitted: bool = True) -> Scale:
    """Of mean and standard deviation, one for each channel or a single one."""
    mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    scaled = (u - mean) / std
    means, stds = ([round(float(v), 4) for v in part] for part in (mean, std))
    if len(means) > 1:
        variances = [round(v * v, 6) for v in stds]
        layer = f"keras.layers.Normalization(mean={means}, variance={variances})"
        return Scale(words, scaled, layer, None, f"(u - np.array({means})) / np.array({stds})",
                     fitted=fitted)  # fmt: skip
    m, s = means[0], stds[0]
    layer = f"keras.layers.Rescaling({1 / s:.6g}, offset={-m / s:.6g})"
    # a little wider, so that what is rounded here is in it
    box = (round(-m / s - 5e-4, 3), round((1 - m) / s + 5e-4, 3))
    return Scale(words, scaled, layer, box, f"(u - {m:g}) / {s:g}", fitted=fitted)
