"""The digits that scikit-learn carries along: a small stand-in for MNIST, always at hand.

Source: Alpaydin, Kaynak 1998, Optical recognition of handwritten digits, UCI Machine Learning
Repository; the 1797 images of its test set.
"""

import numpy as np

from robustnets.core.dataset import Dataset, Split

SIDE = 28  # pixels, as MNIST has
_STORED = 8  # pixels along a side of the stored images
_HIGHEST = 16  # stored values are 0..16
_TEST_EVERY = 5


def load() -> Dataset:
    """Load the digits, (1437, 28, 28, 1) and (360, 28, 28, 1), the same bits on any machine.

    The 8 x 8 images are enlarged bilinearly. Every fifth image of each class is a test image.
    """
    from sklearn.datasets import load_digits

    stored = load_digits()
    x = enlarge(stored.images)[..., np.newaxis]
    y = stored.target.astype(np.int64)
    # Every fifth of the images sorted by class: all classes in proportion, nothing drawn
    test = np.zeros(len(y), bool)
    test[np.argsort(y, kind="stable")[::_TEST_EVERY]] = True
    return Dataset(
        "digits", Split(x[~test], y[~test]), Split(x[test], y[test]), tuple("0123456789")
    )


def enlarge(images: np.ndarray) -> np.ndarray:
    """Enlarge bilinearly, pixel centres aligned, borders repeated.

    Args:
        images: whole numbers 0..16, (N, 8, 8).

    Returns:
        float32 (N, 28, 28) in [0, 1].
    """
    # Weights are whole multiples of 1 / (2 * 28), so that the sums are exact in any order
    twice = 2 * SIDE
    centres = np.clip(_STORED * (2 * np.arange(SIDE) + 1) - SIDE, 0, twice * (_STORED - 1))
    low, rest = np.divmod(centres, twice)
    weights = np.zeros((SIDE, _STORED), np.int64)
    weights[np.arange(SIDE), low] = twice - rest
    weights[np.arange(SIDE), np.minimum(low + 1, _STORED - 1)] += rest
    sums = weights @ images.astype(np.int64) @ weights.T
    return (sums / (_HIGHEST * twice**2)).astype(np.float32)
