"""Images and labels as people hold them, as the NumPy arrays that everything here computes with.

What can mean one thing only is taken: lists, tensors of any library, pandas, wider or narrower
floating point, labels (N, 1). Everything else is refused with a remedy that can be typed as it
stands.
"""

from typing import Any

import numpy as np


def as_array(name: str, value: Any) -> np.ndarray:
    """Read anything that holds numbers as a NumPy array.

    Args:
        name: "x" or "y", for messages.
        value: an array, list, tensor, Series or the like.

    Raises:
        ValueError: for what is no array, such as a `tf.data.Dataset` or a loader of batches.
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        return np.asarray(value)
    if hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator"):
        raise ValueError(
            f"{name} must be an array, got a tf.data.Dataset; take x and y out of it together: "
            f"{_out_of(value)}"
        )
    try:
        found = np.asarray(value)
        if found.dtype == object and found.ndim > 0:
            found = np.array(found.tolist())  # whole numbers that pandas keeps as objects
    except Exception as problem:  # whatever a foreign object raises when it is read
        said = " ".join(str(problem).split())
        raise ValueError(
            f"{name} must be an array of numbers, got {_kind(value)}, which NumPy cannot read: "
            f"{said}"
        ) from None
    if found.dtype == object:
        remedy = "" if value is None else "; collect its values with np.stack or np.concatenate"
        raise ValueError(f"{name} must be an array of numbers, got {_kind(value)}{remedy}")
    return found


def as_images(x: Any, shape: tuple[int, ...], low: float, high: float, model: str) -> np.ndarray:
    """Images for a model, as they are given; whether they lie in the box is not looked at.

    Args:
        x: (N, H, W, C), or (N, H, W) for one channel; floating point of any width, or whole
            numbers that can be meant as they stand.
        shape: (H, W, C) of one image.
        low, high: the box that the images are to lie in.
        model: its name, for messages.

    Returns:
        float32 (N, H, W, C); x itself where it is that already.

    Raises:
        ValueError: naming what is wrong and the remedy.
    """
    x = as_array("x", x)
    x = _shaped(x, shape, model)
    if x.dtype == np.float32:
        return x
    if x.dtype.kind == "b":
        return x.astype(np.float32)
    if x.dtype.kind in "iu":
        # whole numbers in a wide box are grey levels as they stand; in [0, 1] they may be grey
        # levels that nobody divided yet
        if high - low > 2 and x.min() >= low and x.max() <= high:
            return x.astype(np.float32)
        raise ValueError(
            f"x holds whole numbers ({x.dtype}) in {x.min()}..{x.max()}, but the box is "
            f"[{low:g}, {high:g}]; use np.asarray(x, 'float32') / 255 if 255 is the highest grey "
            "level, or low=0, high=255 where the model takes grey levels as they are"
        )
    # bfloat16 is none of NumPy's kinds
    if x.dtype.kind != "f" and x.dtype.name != "bfloat16":
        raise ValueError(
            f"x must hold numbers, got {x.dtype}; use np.asarray(x, 'float32') if they can be read "
            "as numbers"
        )
    return x.astype(np.float32)


def _shaped(x: np.ndarray, shape: tuple[int, ...], model: str) -> np.ndarray:
    """(N, H, W, C) with N > 0."""
    if x.ndim == 3 and shape[2] == 1 and x.shape[1:] == shape[:2]:
        x = x[..., np.newaxis]
    if x.ndim == 4 and len(x) > 0 and x.shape[1:] == shape:
        return x
    raise ValueError(
        f"x must be (N, {', '.join(map(str, shape))}) with N > 0, the images that {model} takes, "
        f"got {x.shape}{shape_remedy(x.shape, shape)}"
    )


def shape_remedy(got: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """What turns images of one shape into those of another, in words that begin with "; ".

    Args:
        got: of all images, (N, ...).
        shape: (H, W, C) of one image, as it should be.

    Returns:
        "" where nothing does without changing the images.

    Example:
        >>> shape_remedy((9, 3, 32, 32), (32, 32, 3))
        '; the channels come first: use np.moveaxis(np.asarray(x), 1, -1)'
    """
    if got == shape:
        return "; that is one image: use np.asarray(x)[None], and as many labels"
    if len(got) == 4 and (*got[2:], got[1]) == shape:
        return "; the channels come first: use np.moveaxis(np.asarray(x), 1, -1)"
    if len(got) == 4 and got[1:3] == shape[:2] and got[3] == 1 and shape[2] > 1:
        return f"; the images are grey: use np.repeat(np.asarray(x), {shape[2]}, axis=-1)"
    if len(got) == 3 and got[1:] == shape[:2] and shape[2] > 1:
        return f"; the images are grey: use np.stack([np.asarray(x)] * {shape[2]}, axis=-1)"
    if len(got) == 2 and got[1] == int(np.prod(shape)):
        sizes = ", ".join(map(str, shape))
        return f"; the images are flat: use np.asarray(x).reshape(-1, {sizes})"
    return ""


def as_labels(y: Any, n: int | None = None, name: str = "y") -> np.ndarray:
    """Class numbers, one for each example.

    Args:
        y: whole numbers (N,) or (N, 1), as `keras.datasets.cifar10` gives them.
        n: how many there must be; None: any number.
        name: for messages.

    Returns:
        int64 (N,); y itself where it is that already.

    Raises:
        ValueError: naming what is wrong and the remedy; argmax for one-hot rows only.
    """
    y = as_array(name, y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or (n is not None and len(y) != n):
        many = "N" if n is None else n
        raise ValueError(
            f"{name} must be ({many},), one class number per example, got {y.shape}"
            f"{_label_remedy(y, n, name)}"
        )
    if y.dtype.kind in "iu":
        return y.astype(np.int64, copy=False)
    if y.dtype.kind in "bf" and np.isfinite(y).all() and (y == np.floor(y)).all():
        raise ValueError(
            f"{name} must have an integer dtype, got {y.dtype}; use np.asarray({name}, 'int64')"
        )
    if y.dtype.kind in "US":
        raise ValueError(
            f"{name} must be class numbers, got text such as {str(y[0])!r}; use the place of each "
            "class among the outputs of the model, counted from 0"
        )
    what = f"values such as {y[y != np.floor(y)][0]:g}" if y.dtype.kind == "f" else str(y.dtype)
    raise ValueError(f"{name} must be class numbers counted from 0, got {what}")


def one_hot(y: np.ndarray) -> bool:
    """Whether (N, K) holds a single 1 in each row, and else zeros."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "biuf":
        return False
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def _label_remedy(y: np.ndarray, n: int | None, name: str) -> str:
    if one_hot(y) and (n is None or len(y) == n):
        return f"; these are one-hot: use np.asarray({name}).argmax(axis=1)"
    if n is not None and y.size == n:
        return f"; use np.asarray({name}).reshape(-1)"
    return ""


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _out_of(dataset: Any) -> str:
    """Code that takes the arrays out of a `tf.data.Dataset`, whatever its elements look like.

    One pass takes both, because a dataset that shuffles gives another order in each.
    """
    spec = dataset.element_spec
    endless = int(dataset.cardinality()) == -1
    rows = "dataset.take(100)" if endless else "dataset"
    rows += ".as_numpy_iterator()"
    keys = _images_first(list(spec)) if isinstance(spec, dict) else []
    first = spec[keys[0]] if keys else spec[0] if isinstance(spec, (tuple, list)) else spec
    single = getattr(getattr(first, "shape", None), "rank", None) == 3  # one image, not a batch
    join = "np.stack" if single else "np.concatenate"
    if keys:
        taken = "; ".join(
            f"{variable} = {join}([row[{key!r}] for row in rows])"
            for variable, key in zip(("x", "y"), keys)
        )
        return f"rows = list({rows}); {taken}"
    if isinstance(spec, (tuple, list)):
        names = "x, y" if len(spec) == 2 else "x, y, *_"
        return f"{names} = map({join}, zip(*{rows}))"
    return f"x = {join}(list({rows}))"


def _images_first(keys: list[str]) -> list[str]:
    """The keys of a dictionary, that of the images first and that of the labels second."""
    images = [key for key in keys if "image" in str(key) or key == "x"]
    labels = [key for key in keys if "label" in str(key) or key == "y"]
    return [*images[:1], *labels[:1]] if images and labels else keys
