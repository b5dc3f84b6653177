"""Spatial smoothing against SciPy, ART, listing 3 of CSDS440 and finite differences."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from robustnets import backend
from robustnets.layers import SpatialSmoothing, prepend
from robustnets.layers.spatial_smoothing import BORDERS, GREY, KINDS, _exchanges

RNG = np.random.default_rng(3)
X = RNG.uniform(0, 1, (3, 6, 5, 2)).astype(np.float32)
WINDOWS = (1, 2, 3, 4, 5, 7, 8)  # the last two reach over the whole image


def smooth(kind, window, border, x=X):
    return ops.convert_to_numpy(SpatialSmoothing(kind, window, border)(x))


def by_scipy(kind, window, border, x):
    size = (1, window, window, 1)
    x = x.astype(np.float64)
    if kind == "median":
        return ndimage.median_filter(x, size=size, mode=border)
    if kind == "0.5mean":
        return ndimage.uniform_filter(np.sqrt(x), size=size, mode=border) ** 2
    mean = ndimage.uniform_filter(x, size=size, mode=border)
    return mean if kind == "mean" else 2 * x - mean


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_scipy(kind, border):
    for window in WINDOWS:
        expected = by_scipy(kind, window, border, X)
        np.testing.assert_allclose(smooth(kind, window, border), expected, rtol=0, atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="ART runs on TensorFlow")
def test_median_agrees_with_both_of_arts():
    from art.defences.preprocessor import SpatialSmoothing as NumPySmoothing
    from art.defences.preprocessor.spatial_smoothing_tensorflow import median_filter2d

    for window in (2, 3, 4, 5):
        theirs, _ = NumPySmoothing(window_size=window)(X)
        np.testing.assert_array_equal(smooth("median", window, "reflect"), theirs)
    for window in (3, 5):  # ART's TensorFlow smoothing takes odd windows and mirrors otherwise
        theirs = ops.convert_to_numpy(median_filter2d(ops.convert_to_tensor(X), window))
        np.testing.assert_array_equal(smooth("median", window, "mirror"), theirs)
        assert np.abs(theirs - smooth("median", window, "reflect")).max() > 0.01


def listing_3(image, window, way):
    """CSDS440, listing 3, for one channel, with the square root that equation 1 has."""
    kernel = np.ones((window, window)) / float(window * window)
    rmin = int(window / 2)
    if way == "rmin":
        sharp = np.zeros((window, window))
        sharp[rmin][rmin] = 1.0
        kernel = 2 * sharp - kernel
    rows, columns = image.shape
    out = image.copy()
    for i in range(rows):
        for j in range(columns):
            values = np.zeros((window, window))
            for a in range(window):
                for b in range(window):
                    u, v = i - rmin + a, j - rmin + b
                    if 0 <= u < rows and 0 <= v < columns:
                        values[a][b] = image[u][v]
            if way == "0.5mean":
                out[i][j] = np.sum(values**0.5 * kernel) ** 2
            else:
                out[i][j] = np.sum(values * kernel)
    return out


@pytest.mark.parametrize("kind", ["mean", "0.5mean", "rmin"])
@pytest.mark.parametrize("window", [3, 4])
def test_constant_border_is_listing_3(kind, window):
    expected = np.stack(
        [[listing_3(x[..., c].astype(float), window, kind) for c in range(2)] for x in X]
    ).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(smooth(kind, window, "constant"), expected, rtol=0, atol=1e-6)


def gradient(layer, weights, x):
    value = lambda z: ops.sum(layer(z) * weights, axis=(1, 2, 3))  # noqa: E731
    find = backend.compiled(backend.value_and_grad(value))
    return ops.convert_to_numpy(find(ops.convert_to_tensor(x))[1])


@pytest.mark.parametrize("border", ["reflect", "wrap", "constant"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_that_of_finite_differences(kind, border):
    # values all different and far apart, so that no small step changes who the median is
    x = (RNG.permutation(60).reshape(2, 6, 5, 1) / 64 + GREY * 2).astype(np.float32)
    for window in (2, 3):
        weights = RNG.normal(size=x.shape).astype(np.float32)
        found = gradient(SpatialSmoothing(kind, window, border), weights, x)
        step = 1e-4

        def value(moved):
            return (by_scipy(kind, window, border, moved) * weights).sum()  # noqa: B023

        for place in np.ndindex(*x.shape):
            up, down = x.astype(np.float64), x.astype(np.float64)
            up[place] += step
            down[place] -= step
            expected = (value(up) - value(down)) / (2 * step)
            assert abs(found[place] - expected) < 2e-3, (kind, window, place)


def test_gradient_of_the_median_shares_ties_and_loses_nothing():
    x = np.zeros((2, 5, 4, 1), np.float32)
    x[1, 2, 2] = 1.0  # one pixel that no median sees
    found = gradient(SpatialSmoothing("median", 3), np.ones_like(x), x)
    # 20 outputs, each hands on 1 in all; the bright pixel gets nothing
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), 20.0, rtol=0, atol=1e-4)
    assert found[1, 2, 2, 0] == 0
    np.testing.assert_allclose(found[0, 2, 2, 0], 1.0, rtol=0, atol=1e-5)
    assert (found[0] > 0).all()


def test_gradient_of_square_roots_is_finite_where_it_is_black():
    layer = SpatialSmoothing("0.5mean", 3)
    dark = np.zeros((1, 5, 4, 1), np.float32)
    dark[0, 2, 2] = 1.0
    found = gradient(layer, np.ones_like(dark), dark)
    assert np.isfinite(found).all()
    # pixel (2, 1) lies in 6 windows whose mean of roots is 1 / 9
    slope = 0.5 / np.sqrt(GREY)
    np.testing.assert_allclose(found[0, 2, 1, 0], 6 * 2 / 9 / 9 * slope, rtol=0, atol=1e-5)
    assert gradient(layer, np.ones_like(dark), np.zeros_like(dark)).tolist() == (0 * dark).tolist()
    assert smooth("0.5mean", 3, "reflect", -dark).max() == 0


def test_a_flat_image_stays_as_it_is():
    flat = np.full((1, 6, 5, 1), 0.25, np.float32)
    for kind in KINDS:
        np.testing.assert_allclose(smooth(kind, 3, "reflect", flat), flat, rtol=0, atol=1e-6)


def test_channels_do_not_mix():
    other = X.copy()
    other[..., 1] = 0
    for kind in KINDS:
        changed, kept = smooth(kind, 3, "nearest", other), smooth(kind, 3, "nearest")
        np.testing.assert_array_equal(changed[..., 0], kept[..., 0])


def test_the_network_sorts_every_order_of_zeros_and_ones():
    # the 0-1 principle: a network that sorts those sorts everything
    for n in (1, 4, 9):
        orders = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        values = list(orders.T.copy())
        for low, high, keep_low, keep_high in _exchanges(n, n // 2):
            a, b = values[low], values[high]
            values[low] = np.minimum(a, b) if keep_low else a
            values[high] = np.maximum(a, b) if keep_high else b
        np.testing.assert_array_equal(values[n // 2], np.sort(orders, axis=1)[:, n // 2])


def test_a_white_box_attack_goes_through_the_median():
    from robustnets import engines
    from robustnets.attacks import PGD
    from robustnets.core.threat import ThreatModel
    from robustnets.models import Classifier, fc_100_100_10

    model = prepend(fc_100_100_10((6, 5, 2), 3, 0), SpatialSmoothing("median", 3))
    classifier = Classifier(model)
    labels = classifier.predict(X).argmax(axis=1)
    attack = PGD(ThreatModel("linf", 0.9), steps=5)
    found = engines.run(attack, classifier, X, labels, engine="native", seed=0)
    margin = lambda x: classifier.predict(x)[np.arange(3), labels]  # noqa: E731
    assert (margin(found.x) < margin(X)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("blur", 3), "kind must be one of mean, median, 0.5mean, rmin, got 'blur'"),
        (("mean", 0), "window must be an int >= 1, got 0"),
        (("mean", True), "window must be an int >= 1, got True"),
        (("mean", 3, "symmetric"), "border must be one of reflect, mirror"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpatialSmoothing(*arguments)


def test_inputs_that_are_no_images_are_refused():
    with pytest.raises(ValueError, match="smooths images"):
        SpatialSmoothing("mean", 3)(X[..., 0])
    with pytest.raises(ValueError, match="of a fixed size"):
        SpatialSmoothing("mean", 3).build((None, None, 5, 2))
