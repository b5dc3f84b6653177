"""Three engines, one answer."""

import numpy as np
import pytest

from robustnets import backend
from robustnets.attacks import (
    BIM,
    FGSM,
    NES,
    PGD,
    CarliniWagner,
    DeepFool,
    DynamicDeepFool,
    HopSkipJump,
    Noise,
    OnePixel,
    balls,
)
from robustnets.core.threat import ThreatModel
from robustnets.engines import ENGINES, Adversarial, run, supports

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


# attacks without chance, which come out the same everywhere: settings and norms
EXACT = [(FGSM, {}, norm) for norm in ("linf", "l2", "l1")]
EXACT += [(BIM, {"steps": 10}, norm) for norm in ("linf", "l2")]


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(
    ("attack", "settings", "norm"), EXACT, ids=[f"{a.__name__}-{n}" for a, _, n in EXACT]
)
@pytest.mark.parametrize("engine", PEERS)
def test_peers_agree(engine, attack, settings, norm, targeted, trained_classifier, digits):
    x, y = digits[0][1500:1637], digits[1][1500:1637]
    labels = (y + 3) % 10 if targeted else y
    for eps in (0.0, 0.02, 0.25, 10.0):
        spec = attack(ThreatModel(norm, eps), targeted=targeted, **settings)
        shared = {"batch_size": 50, "attack_wrong": True}
        ours = run(spec, trained_classifier, x, labels, **shared)
        theirs = run(spec, trained_classifier, x, labels, engine=engine, **shared)
        # a gradient near 0 may have another sign in another graph, and later steps multiply
        # rounding: the engines' tests hold each against float64
        same = np.isclose(theirs.x, ours.x, rtol=0, atol=1e-6 if attack is FGSM else 5e-5)
        assert same.mean() >= (1.0 if attack is FGSM else 0.999)
        assert (theirs.success == ours.success).mean() >= (1.0 if attack is FGSM else 0.99)
        assert theirs.forward.tolist() == ours.forward.tolist() == [spec_steps(spec)] * len(x)
        assert theirs.backward.tolist() == ours.backward.tolist()
        assert 0 <= theirs.x.min() <= theirs.x.max() <= 1
        if eps == 0:
            assert theirs.x.tobytes() == ours.x.tobytes() == x.tobytes()


def spec_steps(spec):
    return getattr(spec, "steps", 1)


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.08), ("l2", 0.4)])
@pytest.mark.parametrize("engine", PEERS)
def test_pgd_from_random_starts_is_no_weaker_than_the_peers(
    engine, norm, eps, trained_classifier, digits
):
    x, y = digits[0][1500:], digits[1][1500:]
    spec = PGD(ThreatModel(norm, eps), steps=15)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    ours = run(spec, trained_classifier, x, y)
    theirs, again = (run(spec, trained_classifier, x, y, engine=engine, seed=3) for _ in range(2))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert theirs.x.tobytes() == again.x.tobytes()
    assert 0.1 < theirs.success.mean() < 0.95
    assert ours.success.mean() >= theirs.success.mean() - 0.01
    assert balls.distances(x, theirs.x)[norm].max() <= eps + 1e-6


@pytest.mark.parametrize("engine", PEERS)
@pytest.mark.parametrize(
    "spec",
    [
        BIM(ThreatModel("linf", 0.1), stop_at_boundary=True),
        PGD(ThreatModel("linf", 0.1), stop_early=True),
        PGD(ThreatModel("l1", 1.0)),
        Noise(ThreatModel("linf", 0.1)),
        NES(ThreatModel("linf", 0.1)),
        DeepFool(ThreatModel("linf", 0.1)),
        DeepFool(ThreatModel("l2", 0.1), candidates=3),
        DynamicDeepFool(ThreatModel("l2", 0.1)),
        CarliniWagner(ThreatModel("l2", 0.1), inside=0.01),
        HopSkipJump(ThreatModel("l2", 0.1), budget=100),
        OnePixel(ThreatModel("l0", 1), budget=100),
    ],
    ids=repr,
)
def test_peers_refuse_what_they_cannot_do(engine, spec, trained_classifier, digits):
    with pytest.raises(ValueError, match="with these settings; use one of: native"):
        run(spec, trained_classifier, digits[0][:3], digits[1][:3], engine=engine)


def test_what_one_peer_cannot_do_another_can(trained_classifier, digits):
    assert [supports(e, DeepFool(ThreatModel("l2", 1))) for e in ENGINES] == [True, True, False]
    with pytest.raises(ValueError, match="engine must be one of native, art, cleverhans"):
        supports("foolbox", DeepFool(ThreatModel("l2", 1)))
    spec = DeepFool(ThreatModel("l2", 0.1))
    with pytest.raises(ValueError, match="with these settings; use one of: native, art"):
        run(spec, trained_classifier, digits[0][:3], digits[1][:3], engine="cleverhans")
    spec = CarliniWagner(ThreatModel("l2", 0.1), confidence=1.0)
    with pytest.raises(ValueError, match="with these settings; use one of: native, art"):
        run(spec, trained_classifier, digits[0][:3], digits[1][:3], engine="cleverhans")


# the attacks that look for a success, quick
SEARCHES = [
    DeepFool(ThreatModel("l2", 1e3), steps=5),
    CarliniWagner(ThreatModel("l2", 1e3), steps=3, rounds=2),
    HopSkipJump(ThreatModel("linf", 1e3), max_iter=2, max_eval=10, init_eval=5),
    OnePixel(ThreatModel("l0", 2), population=24, generations=2),
]


@pytest.mark.parametrize("engine", PEERS)
@pytest.mark.parametrize("spec", SEARCHES, ids=lambda spec: type(spec).__name__)
def test_searches_leave_successes_and_failures_alone(engine, spec, trained_classifier, digits):
    if engine == "cleverhans" and not isinstance(spec, CarliniWagner):
        pytest.skip("CleverHans has only one of them")
    x, y = digits[0][1500:1512], digits[1][1500:1512].copy()
    y[:2] = (trained_classifier.predict(x[:2]).argmax(axis=1) + 1) % 10
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    found, again = (
        run(spec, trained_classifier, x, y, engine=engine, batch_size=5, attack_wrong=True, seed=2)
        for _ in range(2)
    )
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert found.x.tobytes() == again.x.tobytes()
    assert found.x[:2].tobytes() == x[:2].tobytes()
    assert found.forward[:2].tolist() == [1, 1]
    assert (found.forward[2:] > 1).all()
    assert found.success[:2].all()
    for i in np.flatnonzero(~found.success):
        assert found.x[i].tobytes() == x[i].tobytes()
    assert 0 <= found.x.min() <= found.x.max() <= 1
    at_once = run(
        spec, trained_classifier, x[2:4], y[2:4], engine=engine, attack_wrong=True, time_budget=1e-9
    )
    assert at_once.x.tobytes() == x[2:4].tobytes()


@pytest.mark.parametrize("engine", ["native", *PEERS])
def test_the_attack_works_and_steps_have_full_length(engine, trained_classifier, digits):
    x, y = digits[0][1500:], digits[1][1500:]
    clean = (trained_classifier.predict(x).argmax(axis=1) == y).mean()
    attack = FGSM(ThreatModel("l2", 0.7, low=-1, high=2))  # a box that never binds
    adv = run(attack, trained_classifier, x, y, engine=engine, batch_size=100, attack_wrong=True)
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
    ours = run(attack, classifier, x, y, batch_size=4, attack_wrong=True)
    theirs = run(attack, classifier, x, y, engine=engine, batch_size=4, attack_wrong=True)
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
    search = CarliniWagner(ThreatModel("l2", 1.0), steps=2, rounds=1)
    with pytest.raises(FloatingPointError, match="not finite"):
        run(search, classifier, x, y, engine=engine, batch_size=3)


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
