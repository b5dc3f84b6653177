"""Cross entropy from logits: its value, and a gradient that does not cancel."""

import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax

from robustnets import backend
from robustnets.attacks import ATTACKS, FGSM, losses
from robustnets.core.threat import ThreatModel

Z = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
Y = np.array([0, 1, 2, 3, 4, 0, 1], np.int32)


def test_value_is_the_cross_entropy():
    got = ops.convert_to_numpy(losses.cross_entropy(ops.convert_to_tensor(Z), Y))
    np.testing.assert_allclose(got, -log_softmax(Z, axis=1)[np.arange(7), Y], atol=1e-6)


@pytest.mark.parametrize("gap", [1.0, 15.0, 30.0, 80.0, -1000.0])
def test_gradient_of_a_confident_model_keeps_the_true_class(gap):
    """The rows of softmax - one-hot sum to zero; in float32 the usual formula loses that."""
    z = Z.copy()
    z[np.arange(7), Y] += gap
    value, gradient = backend.value_and_grad(lambda v: losses.cross_entropy(v, Y))(
        ops.convert_to_tensor(z)
    )
    value, gradient = ops.convert_to_numpy(value), ops.convert_to_numpy(gradient)
    own = gradient[np.arange(7), Y].astype(np.float64)
    others = gradient.sum(axis=1, dtype=np.float64) - own
    np.testing.assert_allclose(own / -others, 1, atol=1e-5)
    exact = -log_softmax(z.astype(np.float64), axis=1)[np.arange(7), Y]
    assert (value >= 0).all()
    np.testing.assert_allclose(value, exact, rtol=1e-4 if gap < 30 else 1, atol=1e-30)


def test_dlr_is_that_of_the_paper():
    got = ops.convert_to_numpy(losses.dlr(ops.convert_to_tensor(Z), Y))
    for z, y, value in zip(Z.astype(float), Y, got):
        first, second, third = np.sort(z)[::-1][:3]
        other = second if z[y] == first else first
        assert value == pytest.approx(-(z[y] - other) / (first - third), abs=1e-5)
    scaled = ops.convert_to_numpy(losses.dlr(ops.convert_to_tensor(50 * Z + 3), Y))
    np.testing.assert_allclose(scaled, got, rtol=0, atol=1e-4)


def test_targeted_dlr_is_that_of_the_paper():
    target = (Y + 2) % 5
    got = ops.convert_to_numpy(losses.targeted_dlr(ops.convert_to_tensor(Z), Y, target))
    for z, y, t, value in zip(Z.astype(float), Y, target, got):
        first, _, third, fourth = np.sort(z)[::-1][:4]
        expected = -(z[y] - z[t]) / (first - (third + fourth) / 2)
        assert value == pytest.approx(expected, abs=1e-5)


def test_too_few_classes_for_a_ratio_leave_the_difference():
    y, target = np.array([0, 1, 0, 1, 0, 1, 1]), np.array([1, 0, 1, 0, 1, 0, 0])
    for count in (2, 3):
        z = ops.convert_to_tensor(Z[:, :count])
        difference = Z[np.arange(7), target] - Z[np.arange(7), y]
        got = ops.convert_to_numpy(losses.targeted_dlr(z, y, target))
        np.testing.assert_allclose(got, difference, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        ops.convert_to_numpy(losses.dlr(ops.convert_to_tensor(Z[:, :2]), y)),
        Z[np.arange(7), target] - Z[np.arange(7), y],
        rtol=0,
        atol=1e-6,
    )


@pytest.mark.parametrize("count", [2, 3, 5])
def test_ratios_of_equal_logits_and_of_nan(count):
    z = np.zeros((3, count), np.float32)
    z[1, 0] = np.nan
    y, target = np.array([0, 0, 1]), np.array([1, 1, 0])
    for loss in (losses.dlr, lambda z, y: losses.targeted_dlr(z, y, target)):
        value, gradient = backend.value_and_grad(lambda v, loss=loss: loss(v, y))(
            ops.convert_to_tensor(z)
        )
        assert np.isnan(ops.convert_to_numpy(value)).tolist() == [False, True, False]
        assert ops.convert_to_numpy(value)[[0, 2]].tolist() == [0, 0]
        assert np.isfinite(ops.convert_to_numpy(gradient)[[0, 2]]).all()


def test_ratios_of_equal_logits_that_are_not_constants_when_compiled():
    # a compiled gap + 1e-12 may be 0, the constant having been added to the first logit
    x, y, target = np.float32([[0.3, 0.5], [2.0, 7.0]]), np.array([0, 3]), np.array([1, 2])

    def logits(v):
        return ops.repeat(3.0 * ops.sum(v, axis=1, keepdims=True), 5, axis=1)

    for loss in (losses.dlr, lambda z, y: losses.targeted_dlr(z, y, target)):
        run = backend.compiled(
            lambda v, loss=loss: backend.value_and_grad(lambda u: loss(logits(u), y))(v)
        )
        value, gradient = run(ops.convert_to_tensor(x))
        assert ops.convert_to_numpy(value).tolist() == [0, 0]
        assert np.isfinite(ops.convert_to_numpy(gradient)).all()


def test_a_loss_that_is_not_finite_gives_nan_rows_only_there():
    x = ops.convert_to_tensor(Z)
    poison = np.zeros_like(Z)
    poison[3] = np.nan
    gradient = losses.ascent_gradient(lambda v: ops.stop_gradient(v) * 0 + poison, x, Y, False)
    assert np.isnan(ops.convert_to_numpy(gradient)).any(axis=1).tolist() == [
        i == 3 for i in range(7)
    ]


@pytest.mark.parametrize("norm", ["l0", "l3"])
def test_fgsm_refuses_other_norms(norm):
    with pytest.raises(ValueError, match=norm):
        FGSM(ThreatModel(norm, 0.1))


def test_fgsm_refuses_a_targeted_that_is_no_bool():
    with pytest.raises(ValueError, match="targeted"):
        FGSM(ThreatModel("linf", 0.1), targeted=1)
    assert FGSM in ATTACKS


@pytest.mark.parametrize("gap", [0.0, 30.0])
def test_the_plain_cross_entropy_loses_the_true_class(gap):
    """The same number and gradient, until softmax rounds to 1: then its own entry is zero."""
    z = Z.copy()
    z[np.arange(7), Y] += gap
    both = [
        backend.value_and_grad(lambda v, loss=loss: loss(v, Y))(ops.convert_to_tensor(z))
        for loss in (losses.PlainCrossEntropy(), losses.cross_entropy)
    ]
    (value, gradient), (expected, full) = [tuple(map(ops.convert_to_numpy, pair)) for pair in both]
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(gradient, full, rtol=0, atol=1e-6)
    own = gradient[np.arange(7), Y]
    assert (own == 0).all() == (gap > 0)
    assert (full[np.arange(7), Y] < 0).all()
    assert (np.delete(gradient[0], Y[0]) > 0).all()
    losses.check_loss(losses.PlainCrossEntropy())
