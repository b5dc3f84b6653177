"""Every registered attack obeys one contract. N, H, W, C all differ on purpose."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from keras import ops

import robustnets.attacks
from robustnets import backend
from robustnets.attacks import ATTACKS, balls
from robustnets.core.threat import ThreatModel

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, (7, 5, 4, 3)).astype(np.float32)
Y = RNG.integers(0, 2, len(X)).astype(np.int32)
SEEDS = np.arange(len(X), dtype=np.int32)
DUAL = {"linf": 1, "l2": 2}  # norm: order of the dual norm
NOT_ATTACKS = {"__init__", "base", "balls", "losses"}

every_attack = pytest.mark.parametrize(
    ("attack", "norm", "targeted"),
    [(a, n, t) for a in ATTACKS for n in DUAL for t in (False, True)],
)


def attacked(attack, classifier, x=X, y=Y, eps=0.1, seeds=SEEDS):
    """Perturb eagerly with one radius per example; a scalar is repeated."""
    radii = np.broadcast_to(np.float32(eps), (len(x),)).copy()
    tensors = [ops.convert_to_tensor(a) for a in (x, y, seeds, radii)]
    return ops.convert_to_numpy(attack.perturb(classifier.logits, *tensors))


def losses_of(classifier, x, y):
    """Cross entropy in float64, to compare attacks by."""
    z = classifier.predict(np.ascontiguousarray(x, np.float32), batch_size=len(x)).astype(float)
    return np.log(np.exp(z - z[np.arange(len(y)), y][:, None]).sum(axis=1))


def test_the_tuple_lists_every_attack_file():
    files = {p.stem for p in Path(robustnets.attacks.__file__).parent.glob("*.py")} - NOT_ATTACKS
    assert files == {attack.__module__.rsplit(".", 1)[1] for attack in ATTACKS}


@every_attack
def test_specs_are_frozen_hashable_and_say_their_cost(attack, norm, targeted):
    spec = attack(ThreatModel(norm, 0.1), targeted=targeted)
    assert dataclasses.is_dataclass(spec)
    assert hash(spec) == hash(attack(ThreatModel(norm, 0.1), targeted=targeted))
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.targeted = not targeted
    assert all(count >= 1 for count in spec.passes)


@pytest.mark.parametrize("eps", [0.0, 1e-6, 0.03, 0.3, 1e4])
@every_attack
def test_stays_inside_the_ball_and_the_box(attack, norm, targeted, eps, small_classifier):
    spec = attack(ThreatModel(norm, eps), targeted=targeted)
    adv = attacked(spec, small_classifier, eps=eps)
    assert adv.dtype == np.float32
    assert adv.shape == X.shape
    assert balls.distances(X, adv)[norm].max() <= eps + 1e-6
    assert 0 <= adv.min() <= adv.max() <= 1
    if eps == 0:
        assert adv.tobytes() == X.tobytes()
    else:
        assert (adv != X).any()


@every_attack
def test_pixels_rounded_to_uint8_stay_within_half_a_step(attack, norm, targeted, small_classifier):
    eps = 8 / 255
    clean = (np.round(X * 255) / 255).astype(np.float32)
    spec = attack(ThreatModel(norm, eps), targeted=targeted)
    adv = attacked(spec, small_classifier, clean, eps=eps)
    saved = np.round(adv * 255).astype(np.uint8).astype(np.float32) / 255
    assert balls.distances(clean, saved)["linf"].max() <= eps + 1 / 510 + 1e-6


@every_attack
def test_reaches_the_optimum_of_a_linear_model(attack, norm, targeted, linear_classifier):
    """Far from the box, the score of class 1 moves by eps times the dual norm of w."""
    w = linear_classifier.model.layers[-1].weights[0].numpy()[:, 1].astype(float)
    x, eps = 0.4 + 0.2 * X, 0.05
    adv = attacked(attack(ThreatModel(norm, eps), targeted=targeted), linear_classifier, x, eps=eps)
    moved = (adv.astype(float) - x).reshape(len(x), -1) @ w
    towards = np.where((Y == 1) == targeted, 1, -1)
    np.testing.assert_allclose(moved, towards * eps * np.linalg.norm(w, DUAL[norm]), atol=1e-5)


@every_attack
def test_loss_grows_with_eps_on_a_linear_model(attack, norm, targeted, linear_classifier):
    curve = [
        losses_of(linear_classifier, attacked(spec, linear_classifier, eps=eps), Y)
        for eps in (0.0, 0.01, 0.05, 0.2, 1.0, 30.0)
        for spec in [attack(ThreatModel(norm, eps), targeted=targeted)]
    ]
    steps = np.diff(curve, axis=0) * (-1 if targeted else 1)
    assert steps.min() >= -1e-5
    assert steps[0].min() > 0


@every_attack
def test_an_example_gets_the_same_result_whatever_its_batch(
    attack, norm, targeted, small_classifier
):
    x = np.random.default_rng(3).uniform(0, 1, (128, *X.shape[1:])).astype(np.float32)
    y = np.arange(128, dtype=np.int32) % 7
    seeds = np.arange(128, dtype=np.int32)
    spec = attack(ThreatModel(norm, 0.1), targeted=targeted)
    whole = attacked(spec, small_classifier, x, y, seeds=seeds)
    for size in (1, 7):
        part = attacked(spec, small_classifier, x[:size], y[:size], seeds=seeds[:size])
        np.testing.assert_allclose(part, whole[:size], rtol=0, atol=1e-6)
    again = attacked(spec, small_classifier, x, y, seeds=seeds)
    assert again.tobytes() == whole.tobytes()


@every_attack
def test_each_example_has_its_own_radius_and_the_spec_does_not_matter(
    attack, norm, targeted, small_classifier
):
    radii = np.array([0, 0.3, 0.01, 0.1, 0.2, 0, 1], np.float32)
    adv = attacked(attack(ThreatModel(norm, 9.0), targeted=targeted), small_classifier, eps=radii)
    for i, eps in enumerate(radii):
        spec = attack(ThreatModel(norm, float(eps)), targeted=targeted)
        alone = attacked(spec, small_classifier, eps=float(eps))
        np.testing.assert_allclose(adv[i], alone[i], rtol=0, atol=1e-6)
    assert adv[[0, 5]].tobytes() == X[[0, 5]].tobytes()


@every_attack
def test_compiles_once_for_every_radius_and_equals_eager(attack, norm, targeted, small_classifier):
    traces = []
    spec = attack(ThreatModel(norm, 0.0), targeted=targeted)

    def function(x, y, seeds, eps):
        traces.append(eps)
        return spec.perturb(small_classifier.logits, x, y, seeds, eps)

    fast = backend.compiled(function)
    for eps in (0.0, 0.1, 0.5):
        radii = np.full(len(X), eps, np.float32)
        got = fast(*[ops.convert_to_tensor(a) for a in (X, Y, SEEDS, radii)])
        expected = attacked(spec, small_classifier, eps=eps)
        np.testing.assert_allclose(ops.convert_to_numpy(got), expected, rtol=0, atol=1e-6)
    assert len(traces) == 1


@every_attack
def test_a_constant_model_moves_nothing_and_gives_no_nan(attack, norm, targeted, small_classifier):
    class Constant:
        @staticmethod
        def logits(x):
            return ops.zeros((x.shape[0], 7)) * ops.sum(x, axis=(1, 2, 3))[:, None]

    adv = attacked(attack(ThreatModel(norm, 0.3), targeted=targeted), Constant, eps=0.3)
    assert np.isfinite(adv).all()
    assert balls.distances(X, adv)[norm].max() <= 0.3 + 1e-6


@every_attack
def test_broken_rows_are_nan_and_the_others_are_not(attack, norm, targeted, small_classifier):
    poison = np.zeros((len(X), 1), np.float32)
    poison[2] = np.nan

    class Broken:
        @staticmethod
        def logits(x):
            return small_classifier.logits(x) + poison

    adv = attacked(attack(ThreatModel(norm, 0.1), targeted=targeted), Broken)
    broken = np.isnan(adv).any(axis=(1, 2, 3))
    assert broken.tolist() == [i == 2 for i in range(len(X))]
