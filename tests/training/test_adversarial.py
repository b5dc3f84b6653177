"""Adversarial training: on what it trains, that it is repeatable, and that it helps."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from robustnets import backend
from robustnets.attacks import FGSM, PGD, DeepFool
from robustnets.core.dataset import Split
from robustnets.core.threat import ThreatModel
from robustnets.engines import run
from robustnets.models import Classifier
from robustnets.training import SGD, AdversarialTraining, FixedEpochs, Training
from robustnets.training.fit import cross_entropy, fit

SHAPE, CLASSES, EPS = (3, 2, 1), 3, 0.15
TRAINING = Training((FixedEpochs(6),), SGD(0.3), batch_size=20, max_epochs=6)
ADVERSARY = AdversarialTraining(PGD(ThreatModel("linf", EPS), steps=3), warm_up=3)


@pytest.fixture(autouse=True, scope="module")
def plain_graphs():
    """Compiling with XLA would take longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("robustnets.training.fit.has_convolutions", lambda model: True)
        yield


def make_model(dropout=0.0):
    def kernel(seed):
        return keras.initializers.GlorotUniform(seed=seed)

    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(12, "relu", kernel_initializer=kernel(0)),
            keras.layers.Dropout(dropout, seed=1),
            keras.layers.Dense(CLASSES, kernel_initializer=kernel(2)),
        ]
    )


@pytest.fixture(scope="module")
def splits():
    """Three classes by the brighter of the pixels: pixel 0 by far but noisy, the rest by little."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 180)
    x = rng.uniform(0.3, 0.7, (180, *SHAPE)).astype(np.float32)
    x[:, 0, 0, 0] = (0.1 + 0.4 * y + rng.normal(0, 0.02, 180)).clip(0, 1)
    x[:, 1:, :, 0] += 0.05 * (y[:, None, None] - 1)
    x = x.clip(0, 1).astype(np.float32)
    return Split(x[:140], y[:140]), Split(x[140:], y[140:])


@pytest.fixture(scope="module")
def undisturbed(splits):
    model = make_model()
    return fit(model, *splits, TRAINING, 7, adversary=ADVERSARY), model


def same(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights()))


def test_a_step_trains_on_the_attacked_batch(splits):
    """One epoch of one step is gradient descent on what the engine makes of the same examples."""
    train = splits[0]
    model, rate = make_model(dropout=0.5), 0.3
    # one step, so that dropout at training is all that its weights depend on besides the attack
    x, y = train.x[:20], train.y[:20]
    order = np.arange(20, dtype=np.int32)[None]
    seeds, radii = ADVERSARY.columns(order, seed=7, epoch=4)
    assert radii.tolist() == [[np.float32(EPS)] * 20]
    attacked = ADVERSARY.attack.perturb(
        lambda points: model(points, training=False),
        *map(keras.ops.convert_to_tensor, (x, y.astype(np.int32), seeds[0], radii[0])),
    )
    attacked = keras.ops.convert_to_numpy(attacked)
    assert np.abs(attacked - x).max() == pytest.approx(EPS, abs=1e-6)

    def stepped(images, **more):
        net = make_model(dropout=0.5)
        net.set_weights(model.get_weights())
        optimizer = keras.optimizers.SGD(rate)
        optimizer.build(net.trainable_variables)
        epoch = backend.epoch_function(
            net, optimizer, cross_entropy, False, ADVERSARY.perturb(net) if more else None
        )
        tensors = (keras.ops.convert_to_tensor(a) for a in (images, y.astype(np.int32)))
        loss = epoch(*tensors, order, *more.values())
        return loss, net.get_weights()

    inside, weights = stepped(x, seeds=seeds, radii=radii)
    outside, expected = stepped(attacked)
    assert inside == pytest.approx(outside, abs=1e-5)
    assert inside > stepped(x)[0] + 0.02
    for one, two in zip(weights, expected):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)


def test_it_makes_robust(splits, undisturbed):
    fitted, model = undisturbed
    plain = make_model()
    fit(plain, *splits, TRAINING, 7)
    attack = PGD(ThreatModel("linf", EPS), steps=20, restarts=2)
    robust = [
        1 - run(attack, Classifier(net), *_all(splits), attack_wrong=True).success.mean()
        for net in (model, plain)
    ]
    assert robust[0] > robust[1] + 0.1
    assert fitted.curves["val_accuracy"][-1] > 0.9


def _all(splits):
    return splits[0].x, splits[0].y


def test_one_seed_one_result_and_another_another(splits, undisturbed):
    again, other = make_model(), make_model()
    fit(again, *splits, TRAINING, 7, adversary=ADVERSARY)
    assert same(again, undisturbed[1])
    few = Training((FixedEpochs(1),), SGD(0.3), batch_size=20, max_epochs=1)
    fit(again, *splits, few, 7, adversary=replace(ADVERSARY, warm_up=1))
    fit(other, *splits, few, 7, adversary=ADVERSARY)
    assert not same(again, other)


class _Interrupted(Exception):
    pass


def test_interrupted_and_gone_on(splits, undisturbed, tmp_path):
    options = {"checkpoint_path": tmp_path / "checkpoint.npz", "checkpoint_seconds": 0.0}
    for last in (3, 5, None):

        def progress(epoch, of, logs, last=last):
            if epoch == last:
                raise _Interrupted

        model = make_model()
        if last is None:
            fitted = fit(model, *splits, TRAINING, 7, adversary=ADVERSARY, **options)
        else:
            with pytest.raises(_Interrupted):
                fit(model, *splits, TRAINING, 7, adversary=ADVERSARY, progress=progress, **options)
    assert same(model, undisturbed[1])
    assert fitted.curves["loss"].tolist() == undisturbed[0].curves["loss"].tolist()
    for other in (None, replace(ADVERSARY, warm_up=0)):
        with pytest.raises(ValueError, match="belongs to another training"):
            fit(make_model(), *splits, TRAINING, 7, adversary=other, **options)


def test_the_radius_grows():
    radii = [ADVERSARY.columns(np.zeros((4, 5), np.int32), 7, e)[1] for e in range(5)]
    for found, expected in zip(radii, (0.05, 0.1, 0.15, 0.15, 0.15)):
        assert found.shape == (4, 5)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)
    seeds = [ADVERSARY.columns(np.zeros((4, 5), np.int32), 7, e)[0] for e in (0, 1)]
    assert len(set(np.concatenate(seeds).ravel().tolist())) == 40


def test_bad_specs():
    with pytest.raises(ValueError, match="must be untargeted, got a targeted FGSM"):
        AdversarialTraining(FGSM(ThreatModel("linf", 0.1), targeted=True))
    with pytest.raises(ValueError, match="DeepFool looks for the smallest"):
        AdversarialTraining(DeepFool(ThreatModel("l2", 1.0)))
    for bad in (-1, 1.5, True):
        with pytest.raises(ValueError, match="warm_up must be an int >= 0"):
            AdversarialTraining(FGSM(ThreatModel("linf", 0.1)), bad)
