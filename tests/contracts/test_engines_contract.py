"""Three engines, one answer."""

import numpy as np
import pytest

from robustnets import backend
from robustnets.attacks import ATTACKS, FGSM, balls
from robustnets.core.threat import ThreatModel
from robustnets.engines import ENGINES, Adversarial, run

PEERS = [
    pytest.param(
        engine,
        marks=pytest.mark.skipif(
            backend.name() != "tensorflow", reason=f"{engine} runs on TensorFlow only"
        ),
    )
    for engine in ENGINES
    if engine != "native"
]


@pytest.mark.parametrize("eps", [0.0, 0.02, 0.25, 10.0])
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("engine", PEERS)
def test_peers_agree(engine, attack, norm, targeted, eps, trained_classifier, digits):
    x, y = digits[0][1500:1637], digits[1][1500:1637]
    labels = (y + 3) % 10 if targeted else y
    spec = attack(ThreatModel(norm, eps), targeted=targeted)
    ours = run(spec, trained_classifier, x, labels, batch_size=50)
    theirs = run(spec, trained_classifier, x, labels, engine=engine, batch_size=50)
    np.testing.assert_allclose(theirs.x, ours.x, rtol=0, atol=1e-6)
    assert theirs.forward.tolist() == ours.forward.tolist() == [1] * len(x)
    assert 0 <= theirs.x.min() <= theirs.x.max() <= 1
    if eps == 0:
        assert theirs.x.tobytes() == ours.x.tobytes() == x.tobytes()


@pytest.mark.parametrize("engine", ["native", *PEERS])
def test_the_attack_works_and_steps_have_full_length(engine, trained_classifier, digits):
    x, y = digits[0][1500:], digits[1][1500:]
    clean = (trained_classifier.predict(x).argmax(axis=1) == y).mean()
    attack = FGSM(ThreatModel("l2", 0.7, low=-1, high=2))  # a box that never binds
    adv = run(attack, trained_classifier, x, y, engine=engine, batch_size=100)
    assert isinstance(adv, Adversarial)
    assert adv.seconds > 0
    robust = (trained_classifier.predict(adv.x).argmax(axis=1) == y).mean()
    assert clean > 0.85
    assert robust < 0.5
    np.testing.assert_allclose(balls.distances(x, adv.x)["l2"], 0.7, rtol=0, atol=1e-5)


@pytest.mark.parametrize("engine", PEERS)
def test_tiny_gradients_still_give_full_l2_steps(engine, digits):
    """A loss gradient far below 1e-6 has a direction; the peers alone would lose it."""
    from tiny_models import dense_classifier

    x = digits[0][:9]
    classifier = dense_classifier(4, 3, shape=x.shape[1:], seed=5)
    kernel = classifier.model.layers[-1].weights[0]
    kernel.assign(np.array(kernel) * 1e-10)
    attack = FGSM(ThreatModel("l2", 0.1, low=-1, high=2))
    y = np.zeros(len(x), np.int64)
    ours = run(attack, classifier, x, y, batch_size=4)
    theirs = run(attack, classifier, x, y, engine=engine, batch_size=4)
    np.testing.assert_allclose(balls.distances(x, theirs.x)["l2"], 0.1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(theirs.x, ours.x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("engine", PEERS)
def test_weights_that_are_not_finite_are_refused(engine, digits):
    _refuses_broken_weights(engine, digits)


def test_weights_that_are_not_finite_are_refused_by_native(digits):
    _refuses_broken_weights("native", digits)


def _refuses_broken_weights(engine, digits):
    from tiny_models import dense_classifier

    x, y = digits[0][:5], digits[1][:5]
    classifier = dense_classifier(4, 10, shape=x.shape[1:])
    kernel = classifier.model.layers[-1].weights[0]
    kernel.assign(np.full(kernel.shape, np.nan, np.float32))
    with pytest.raises(FloatingPointError, match="not finite"):
        run(FGSM(ThreatModel("linf", 0.1)), classifier, x, y, engine=engine, batch_size=3)


@pytest.mark.skipif(backend.name() == "tensorflow", reason="TensorFlow runs the peers")
@pytest.mark.parametrize("engine", ["art", "cleverhans"])
def test_peers_say_which_backend_they_need(engine, trained_classifier, digits):
    with pytest.raises(RuntimeError, match="KERAS_BACKEND=tensorflow"):
        run(
            FGSM(ThreatModel("linf", 0.1)),
            trained_classifier,
            digits[0][:2],
            digits[1][:2],
            engine=engine,
        )
