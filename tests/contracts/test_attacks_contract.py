"""Every registered attack obeys one contract. N, H, W, C all differ on purpose."""

import dataclasses
import functools
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import robustnets.attacks
from robustnets import backend, engines
from robustnets.attacks import (
    APGD,
    ATTACKS,
    BIM,
    FAB,
    FGSM,
    LBFGS,
    MIFGSM,
    NES,
    PGD,
    CarliniWagner,
    DeepFool,
    DynamicDeepFool,
    EveryPixel,
    Evolutionary,
    HopSkipJump,
    LabelOnlyNES,
    LoopedAttack,
    Noise,
    OnePixel,
    Square,
    balls,
)
from robustnets.core.threat import ThreatModel
from robustnets.models.classifier import Classifier

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, (7, 5, 4, 3)).astype(np.float32)
Y = RNG.integers(0, 2, len(X)).astype(np.int32)
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}  # norm: order of the dual norm
NEAR = {"linf": 0.05, "l2": 0.2, "l1": 0.15, "l0": 1}  # too small for a success on `far` images
LOUD = {"linf": 0.2, "l2": 1.5, "l1": 0.9, "l0": 5}  # with which noise is seldom a success
RADIUS = {"linf": 0.1, "l2": 0.3, "l1": 0.9, "l0": 7}  # norm: a radius that suits the images
ROUNDING = {"linf": 1e-6, "l2": 1e-6, "l1": 1e-5, "l0": 0}  # l1 adds up one error for each value
# between batches and graphs; one value of an l1 step may gather the rounding of all
ALIKE = {"linf": 1e-6, "l2": 1e-6, "l1": 1e-5, "l0": 1e-6}
HELPERS = {"projections", "schedules", "sparse_steps", "starts"}
NOT_ATTACKS = {"__init__", "auto_attack", "balls", "base", "draws", "losses", "queries", *HELPERS}

# what makes each attack quick, and further settings that must obey the contract too
SETTINGS: dict[type, tuple[dict, ...]] = {
    BIM: ({"steps": 4}, {"steps": 4, "stop_at_boundary": True}),
    PGD: (
        {"steps": 4},
        {"steps": 2, "restarts": 2, "stop_early": True, "loss": "margin"},
    ),
    APGD: (
        {"steps": 6, "stop_early": False},
        {"steps": 2, "restarts": 2, "loss": "dlr"},
    ),
    MIFGSM: ({"steps": 3}, {"steps": 3, "decay": 0.5}),
    Noise: ({}, {"draws": 3}),
    CarliniWagner: ({"steps": 6, "rounds": 2, "first": 100.0, "rate": 0.1},),
    DeepFool: ({"steps": 4}, {"steps": 4, "candidates": 2}),
    DynamicDeepFool: ({"steps": 4},),
    FAB: ({"steps": 3}, {"steps": 1, "restarts": 2, "targets": 2}),
    LBFGS: ({"steps": 5, "rounds": 2, "first": 10.0, "history": 3},),
    HopSkipJump: ({"max_iter": 2, "max_eval": 10, "init_eval": 6, "init_size": 9},),
    # wide samples: narrow ones make rounding errors of the logits large
    NES: ({"budget": 20, "samples": 6, "sigma": 0.1},),
    LabelOnlyNES: ({"budget": 50, "samples": 4, "copies": 2, "init_size": 9},),
    Evolutionary: ({"budget": 30, "population": 10, "survivors": 3},),
    OnePixel: ({"population": 8, "generations": 2, "pixels": 3},),
    EveryPixel: ({"budget": 60, "block": 20},),
    Square: ({"budget": 12},),
}
# What makes an attack patient enough to show what it can, on models that cost next to nothing.
PATIENT: dict[type, tuple[dict, ...]] = {
    APGD: (
        {"steps": 6, "stop_early": False},
        {"steps": 6, "restarts": 2, "loss": "dlr"},
    ),
    CarliniWagner: ({"steps": 200, "rounds": 5, "first": 1.0, "rate": 0.02},),
    FAB: ({"steps": 10},),
    LBFGS: ({"steps": 20, "rounds": 8, "first": 1.0},),
    HopSkipJump: ({"max_iter": 8, "max_eval": 100, "init_eval": 40, "init_size": 20},),
    NES: ({"budget": 200, "samples": 10, "sigma": 0.1},),
    LabelOnlyNES: ({"budget": 600, "samples": 10, "copies": 4, "init_size": 20},),
    Evolutionary: ({"budget": 300, "population": 30, "survivors": 6},),
    OnePixel: ({"population": 20, "generations": 10},),
    EveryPixel: ({"block": 20},),
    Square: ({"budget": 150},),
}
# What follows lists the exceptions with their reasons, by attack or by attack and norm.
# The share of the best gain possible that an attack must reach on a linear model, if not all;
# None: it may even lower the loss.
SHARES: dict[type | tuple[type, str], tuple[float | None, str]] = {
    Noise: (None, "it draws at random and keeps what it drew"),
    (PGD, "l2"): (0.95, "a few steps from a random start do not turn all the way"),
    (APGD, "l2"): (0.99, "likewise"),
    (APGD, "l1"): (0.7, "a few steps from a random start do not take all back that it moved"),
    NES: (0.3, "it estimates each gradient from ten queries in 60 dimensions"),
    LabelOnlyNES: (0.0, "labels say nothing where no success lies within the radius"),
    Evolutionary: (0.25, "some generations of random signs in 60 dimensions"),
    OnePixel: (0.3, "some generations of random pixels and colours"),
    Square: (0.2, "some random squares"),
}
# By what share the distance to the boundary of a linear model may exceed the closed form, if by
# more than 0.001.
EXCESS: dict[type | tuple[type, str], tuple[float, str]] = {
    CarliniWagner: (0.005, "Adam circles around the optimum"),
    DeepFool: (0.021, "the paper's overshoot of 0.02"),
    DynamicDeepFool: (0.501, "its first step overshoots by 0.5"),
    FAB: (0.01, "steps are longer by eta, and drawn back a share of the way"),
    (FAB, "l1"): (0.05, "likewise, and the box ends the way of several values"),
    LBFGS: (0.015, "c is bisected a few times"),
    (HopSkipJump, "l2"): (0.2, "some hundred labels estimate a gradient in 60 dimensions"),
    (HopSkipJump, "linf"): (0.35, "likewise"),
}
# those whose results depend on the last bits of a pass, and so on the batch size
ENLARGE: dict[tuple[type, str], str] = {
    # seen on digits of 8 x 8 in batches of 1 to 4
    (HopSkipJump, "linf"): "it asks for labels at the boundary, and steps by signs of small numbers"
}
# those that climb a linear model's score to its optimum, and what they need for it
CLIMBERS: dict[type, dict] = {FGSM: {}, BIM: {"steps": 4}, PGD: {"steps": 4, "random_start": False}}


def goals(attack):
    """Whether an attack can be targeted: (False, True) or (False,)."""
    fields = {field.name for field in dataclasses.fields(attack)}
    return (False, True) if "targeted" in fields else (False,)


def cases(settings_of):
    """(attack, its settings, norm, targeted) for all that these functions give."""
    return [
        pytest.param(
            functools.partial(attack, **settings, **({"targeted": True} if targeted else {})),
            norm,
            targeted,
            id=f"{attack.__name__}{number or ''}-{norm}{'-targeted' * targeted}",
            # one process for each attack, so that its compiled function serves all its tests
            marks=pytest.mark.xdist_group(f"{attack.__name__}{number or ''}-{norm}"),
        )
        for attack in ATTACKS
        for number, settings in enumerate(settings_of(attack))
        for norm in attack.norms
        for targeted in goals(attack)
    ]


every_attack = pytest.mark.parametrize(
    ("attack", "norm", "targeted"), cases(lambda attack: SETTINGS.get(attack, ({},)))
)
# what a target, a change of sign, has no part in
every_untargeted = pytest.mark.parametrize(
    ("attack", "norm", "targeted"),
    [case for case in cases(lambda attack: SETTINGS.get(attack, ({},))) if not case.values[2]],
)
# what runs operation by operation is slow
once_each = pytest.mark.parametrize(
    ("attack", "norm", "targeted"),
    [
        case
        for case in cases(lambda attack: SETTINGS.get(attack, ({},))[:1])
        if not case.values[2] and case.values[1] == case.values[0].func.norms[0]
    ],
)


def at_its_best(attack):
    """Settings with which an attack shows what it can."""
    return PATIENT.get(attack, SETTINGS.get(attack, ({},)))


every_direct = pytest.mark.parametrize(
    ("attack", "norm", "targeted"),
    cases(lambda attack: () if attack.minimal else at_its_best(attack)),
)
every_minimal = pytest.mark.parametrize(
    ("attack", "norm", "targeted"),
    cases(lambda attack: at_its_best(attack)[:1] if attack.minimal else ()),
)
every_attacker = pytest.mark.parametrize(
    ("attack", "norm", "targeted"),
    cases(lambda attack: () if attack is Noise else at_its_best(attack)[:1]),
)
every_climber = pytest.mark.parametrize(
    ("attack", "norm", "targeted"),
    cases(lambda attack: (CLIMBERS[attack],) if attack in CLIMBERS else ()),
)
COMPILED: dict = {}
SOUND, NAN, CONSTANT = range(3)  # what can be wrong with a model, for one example
NEED_STARTS = (HopSkipJump, LabelOnlyNES)  # targeted ones, which draws seldom give
PIXELS = (OnePixel, EveryPixel)  # whose l0 counts pixels instead of values


def how_far(spec, x, adv):
    """The largest distance in the norm of the threat model."""
    if isinstance(spec, PIXELS):
        return balls.pixels(x, adv).max()
    return balls.distances(x, adv)[spec.threat.norm].max()


def attacked(spec, classifier, x=X, y=Y, eps=0.1, seeds=None, eager=False, faults=None):
    """Perturb with one radius per example; a scalar is repeated.

    `faults`, int32 (N,), breaks the model for single examples; see `with_faults`.
    """
    radii = np.broadcast_to(np.float32(eps), (len(x),)).copy()
    seeds = np.arange(len(x), dtype=np.int32) if seeds is None else seeds
    tensors = [ops.convert_to_tensor(a) for a in (x, y, seeds, radii)]
    spec = dataclasses.replace(spec, threat=dataclasses.replace(spec.threat, eps=0.0))
    if eager:
        return ops.convert_to_numpy(spec.perturb(classifier.logits, *tensors))
    perturb, _ = compiled(spec, classifier)
    faults = np.zeros(len(x), np.int32) if faults is None else faults
    return ops.convert_to_numpy(perturb(*tensors, ops.convert_to_tensor(faults)))


def compiled(spec, classifier):
    """The attack as one function of its tensors, and the shapes of x that it was traced for."""
    key = (spec, id(classifier))
    if key not in COMPILED:
        shapes: list = []

        def perturb(x, y, seeds, eps, faults):
            shapes.append(tuple(x.shape))
            return spec.perturb(with_faults(classifier.logits, faults), x, y, seeds, eps)

        # as the native engine compiles graphs of attacks whose examples leave the batch;
        # the classifier is kept, so that no other gets its id
        COMPILED[key] = backend.compiled(perturb, any_batch=True), shapes, classifier
    return COMPILED[key][:2]


def with_faults(logits, faults):
    """A model that is broken for some examples, in the same graph as the sound one.

    Args:
        logits: (M, ...) -> (M, K).
        faults: int32 (N,): `SOUND`; `NAN`, its logits are NaN; `CONSTANT`, all are the same.
    """

    def broken(x):
        # a population asks about several points of each example, one after the other
        fault = ops.repeat(faults, ops.shape(x)[0] // ops.shape(faults)[0], axis=0)[:, None]
        same = 0.0 * ops.sum(x, axis=(1, 2, 3))[:, None]
        z = ops.where(fault == CONSTANT, same, logits(x))
        return ops.where(fault == NAN, np.float32(np.nan), z)

    return broken


def losses_of(classifier, x, y):
    """Cross entropy in float64, to compare attacks by."""
    z = classifier.predict(np.ascontiguousarray(x, np.float32), batch_size=len(x)).astype(float)
    return np.log(np.exp(z - z[np.arange(len(y)), y][:, None]).sum(axis=1))


def test_the_tuple_lists_every_attack_file():
    files = {p.stem for p in Path(robustnets.attacks.__file__).parent.glob("*.py")} - NOT_ATTACKS
    assert files == {attack.__module__.rsplit(".", 1)[1] for attack in ATTACKS}


@every_attack
def test_specs_are_frozen_hashable_and_say_their_cost(attack, norm, targeted):
    spec = attack(ThreatModel(norm, 0.1))
    assert dataclasses.is_dataclass(spec)
    assert hash(spec) == hash(attack(ThreatModel(norm, 0.1)))
    assert spec.targeted is targeted
    assert isinstance(spec.minimal, bool)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.threat = ThreatModel(norm, 0.2)
    if isinstance(spec, LoopedAttack):
        assert isinstance(spec.early, bool)
        assert spec.chunk >= 1
    else:
        assert all(count >= 1 for count in spec.passes)


@pytest.mark.parametrize("attack", ATTACKS)
def test_other_norms_and_goals_are_refused(attack):
    for norm in set(RADIUS) - set(attack.norms):
        with pytest.raises(ValueError, match=f"norm .*got '{norm}'"):
            attack(ThreatModel(norm, 1))
    if True in goals(attack):
        with pytest.raises(ValueError, match="targeted must be True or False, got 1"):
            attack(ThreatModel(attack.norms[0], 1), targeted=1)


@every_attack
def test_stays_inside_the_ball_and_the_box(attack, norm, targeted, small_classifier):
    # nothing is a success as it stands, so that there is something to do
    y = small_classifier.predict(X).argmax(axis=1).astype(np.int32)
    y = (y + targeted) % small_classifier.classes
    for eps in (0.0, 1e-6, 0.3 * RADIUS[norm], 3 * RADIUS[norm], 1e4):
        spec = attack(ThreatModel(norm, eps))
        adv = attacked(spec, small_classifier, y=y, eps=eps)
        assert adv.dtype == np.float32
        assert adv.shape == X.shape
        assert how_far(spec, X, adv) <= eps + ROUNDING[norm]
        assert 0 <= adv.min() <= adv.max() <= 1
        if eps == 0:
            assert adv.tobytes() == X.tobytes()
        elif eps >= 1e4 and not (targeted and isinstance(spec, NEED_STARTS)):
            assert (adv != X).any()


@every_untargeted
def test_pixels_rounded_to_uint8_stay_within_half_a_step(attack, norm, targeted, small_classifier):
    eps = 8 / 255 if norm != "l0" else 5
    clean = (np.round(X * 255) / 255).astype(np.float32)
    spec = attack(ThreatModel(norm, eps))
    adv = attacked(spec, small_classifier, clean, eps=eps)
    saved = np.round(adv * 255).astype(np.uint8).astype(np.float32) / 255
    if norm == "l0":
        assert how_far(spec, clean, saved) <= eps
    else:
        assert balls.distances(clean, saved)["linf"].max() <= eps + 1 / 510 + 1e-6


def row(table, spec, otherwise):
    """What a table says of an attack, or of the one that it was made from, without the reason."""
    keys = [key for kind in type(spec).__mro__ for key in ((kind, spec.threat.norm), kind)]
    return next((table[key] for key in keys if key in table), (otherwise,))[0]


def far(classifier, targeted):
    """Eight images far from the edges of the box and from the boundary of the linear model.

    Returns:
        x float32 (8, 5, 4, 3), on both sides in turn; y int32 (8,), what to leave or reach; w
        float64 (60,), the gradient of the score of class 1; and the score at each, float64.
    """
    w = classifier.model.layers[-1].weights[0].numpy()[:, 1].astype(float)
    side = np.array([1, -1] * 4)
    undecided = 0.5 - 0.5 * w.sum() / (w @ w) * w
    spread = np.random.default_rng(2).uniform(0.3, 1, (len(side), len(w)))
    x = (undecided + 0.25 * side[:, None] * spread * np.sign(w)).astype(np.float32)
    y = ((side > 0) != targeted).astype(np.int32)
    return x.reshape(-1, *X.shape[1:]), y, w, x.astype(float) @ w


def gains(classifier, x, adv, y, targeted):
    """What the attacker gained in cross entropy, per example."""
    gained = losses_of(classifier, adv, y) - losses_of(classifier, x, y)
    return -gained if targeted else gained


@every_direct
def test_never_lowers_the_loss_of_a_linear_model(attack, norm, targeted, linear_classifier):
    """And a success stays one."""
    x, y, *_ = far(linear_classifier, targeted)
    if row(SHARES, attack(ThreatModel(norm, 1)), 1) is None:
        return
    for eps in (0.1 * RADIUS[norm], RADIUS[norm], 100 * RADIUS[norm]):
        adv = attacked(attack(ThreatModel(norm, eps)), linear_classifier, x, y, eps=eps)
        assert gains(linear_classifier, x, adv, y, targeted).min() >= -1e-5
        adv = attacked(attack(ThreatModel(norm, eps)), linear_classifier, x, 1 - y, eps=eps)
        assert ((linear_classifier.predict(adv).argmax(axis=1) == 1 - y) == targeted).all()


@every_direct
def test_reaches_its_share_of_the_optimum_of_a_linear_model(
    attack, norm, targeted, linear_classifier
):
    """By the radius times the dual norm of w, where neither the box nor a success ends it."""
    x, y, w, score = far(linear_classifier, targeted)
    eps = NEAR[norm]
    spec = attack(ThreatModel(norm, eps))
    share = row(SHARES, spec, 1.0)
    if share is None:
        return
    adv = attacked(spec, linear_classifier, x, y, eps=eps)
    moved = -np.sign(score) * ((adv.astype(float) - x).reshape(len(x), -1) @ w)
    if norm == "l0":
        flat = x.reshape(len(x), -1)
        edge = np.where(-np.sign(score)[:, None] * w > 0, 1 - flat, flat) * np.abs(w)
        if isinstance(spec, PIXELS):
            edge = edge.reshape(len(x), -1, x.shape[-1]).sum(axis=-1)
        best = np.sort(edge, axis=1)[:, -int(eps) :].sum(axis=1)
    else:
        best = np.full(len(x), eps * np.linalg.norm(w, DUAL[norm]))
    assert (best < np.abs(score)).all()
    assert (moved <= best * (1 + 1e-5) + 1e-5).all()
    assert (moved >= share * best - 1e-4).all()


@every_minimal
def test_a_minimal_attack_crosses_near_the_closed_form(attack, norm, targeted, linear_classifier):
    """The boundary of a linear model is |score| over the dual norm of w away, but for the box.

    In l1 the values of largest weight go to the edge of the box, one after the other.
    """
    x, y, w, score = far(linear_classifier, targeted)
    spec = attack(ThreatModel(norm, 100.0))
    adv = attacked(spec, linear_classifier, x, y, eps=100.0)
    crossed = (linear_classifier.predict(adv).argmax(axis=1) == y) == targeted
    if not (targeted and isinstance(spec, NEED_STARTS)):
        assert crossed.all()
    nearest = np.abs(score) / np.linalg.norm(w, DUAL[norm])
    if norm == "l1":
        first = np.argsort(-np.abs(w))
        flat, size = x.reshape(len(x), -1)[:, first], np.abs(w[first])
        room = np.where(-np.sign(score)[:, None] * w[first] > 0, 1 - flat, flat)
        before = np.cumsum(room * size, axis=1) - room * size  # what the ones before bring
        needed = np.clip((np.abs(score)[:, None] - before) / size, 0, room)
        nearest = needed.sum(axis=1)
    ratio = (balls.distances(x, adv)[norm] / nearest)[crossed]
    assert (ratio >= 1 - 1e-4).all()
    assert (ratio <= 1 + row(EXCESS, spec, 1e-3)).all()


def noise(x, norm, eps, spec, rng):
    """Random changes of the size of the radius, made without the package: float32 as x."""
    flat = x.reshape(len(x), -1)
    if norm == "l0":
        by_pixel = isinstance(spec, PIXELS)
        places = flat.shape[1] // (x.shape[-1] if by_pixel else 1)
        chosen = rng.uniform(size=(len(x), places)).argsort(axis=1) < int(eps)
        chosen = np.repeat(chosen, x.shape[-1], axis=1) if by_pixel else chosen
        changed = np.where(chosen, rng.integers(0, 2, flat.shape), flat)
    else:
        kinds = {"linf": rng.choice((-1.0, 1.0), flat.shape), "l2": rng.normal(size=flat.shape)}
        delta = kinds.get(norm, rng.laplace(size=flat.shape))
        length = np.linalg.norm(delta, {"linf": np.inf, "l2": 2, "l1": 1}[norm], axis=1)
        changed = flat + eps * delta / length[:, None]
    return np.clip(changed, 0, 1).astype(np.float32).reshape(x.shape)


@pytest.mark.skipif(backend.name() == "jax", reason="the code is the same, compiling takes long")
@every_attacker
def test_beats_noise_of_its_radius(attack, norm, targeted, blobs):
    """More is gained in loss, or far more images are successes, than by the best of ten draws."""
    classifier, x = blobs
    y = classifier.predict(x).argmax(axis=1).astype(np.int32)
    y = (y + targeted) % classifier.classes
    eps = LOUD[norm]
    spec = attack(ThreatModel(norm, eps))
    rng = np.random.default_rng(4)
    tried = [attacked(spec, classifier, x, y, eps=eps)]
    tried += [noise(x, norm, eps, spec, rng) for _ in range(10)]
    gained = np.array([gains(classifier, x, adv, y, targeted) for adv in tried])
    hits = np.array([(classifier.predict(adv).argmax(axis=1) == y) == targeted for adv in tried])
    louder = gained[0].mean() > 1.2 * gained[1:].max(axis=0).mean()
    more = hits[0].mean() > hits[1:].any(axis=0).mean() + 0.2
    assert louder or more, (gained[0].mean(), gained[1:].max(axis=0).mean(), hits.mean(axis=1))


@every_climber
def test_reaches_the_optimum_of_a_linear_model(attack, norm, targeted, linear_classifier):
    """Far from the box, the score of class 1 moves by eps times the dual norm of w."""
    w = linear_classifier.model.layers[-1].weights[0].numpy()[:, 1].astype(float)
    x, eps = 0.4 + 0.2 * X, 0.05
    adv = attacked(attack(ThreatModel(norm, eps)), linear_classifier, x, eps=eps)
    moved = (adv.astype(float) - x).reshape(len(x), -1) @ w
    towards = np.where((Y == 1) == targeted, 1, -1)
    np.testing.assert_allclose(moved, towards * eps * np.linalg.norm(w, DUAL[norm]), atol=1e-5)


@every_climber
def test_loss_grows_with_eps_on_a_linear_model(attack, norm, targeted, linear_classifier):
    curve = [
        losses_of(linear_classifier, attacked(spec, linear_classifier, eps=eps), Y)
        for eps in (0.0, 0.01, 0.05, 0.2, 1.0, 30.0)
        for spec in [attack(ThreatModel(norm, eps))]
    ]
    steps = np.diff(curve, axis=0) * (-1 if targeted else 1)
    assert steps.min() >= -1e-5
    assert steps[0].min() > 0


@every_untargeted
def test_an_example_gets_the_same_result_whatever_its_batch(
    attack, norm, targeted, small_classifier
):
    x = np.random.default_rng(3).uniform(0, 1, (128, *X.shape[1:])).astype(np.float32)
    y = np.arange(128, dtype=np.int32) % 7
    seeds = np.arange(128, dtype=np.int32)
    spec = attack(ThreatModel(norm, RADIUS[norm]))
    settings = {"eps": RADIUS[norm]}
    whole = attacked(spec, small_classifier, x, y, seeds=seeds, **settings)
    for i in (0, 5, 127):
        row = slice(i, i + 1)
        alone = attacked(spec, small_classifier, x[row], y[row], seeds=seeds[row], **settings)
        np.testing.assert_allclose(alone, whole[row], rtol=0, atol=ALIKE[norm])
    again = attacked(spec, small_classifier, x, y, seeds=seeds, **settings)
    assert again.tobytes() == whole.tobytes()


@pytest.fixture(scope="module")
def convolutional(digits):
    """A network of convolutions trained on the first 1500 digits."""
    x, y = digits
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x[:1500], y[:1500], epochs=10, verbose=0)
    return Classifier(model)


@pytest.mark.slow  # four batch sizes, and pieces of each attack compile for each
@pytest.mark.parametrize(
    ("attack", "norm", "targeted"),
    [case for case in cases(lambda a: SETTINGS.get(a, ({},))[:1]) if not case.values[2]],
)
def test_an_engine_gives_an_example_the_same_result_whatever_the_batch_size(
    attack, norm, targeted, convolutional, digits
):
    """Passes through a convolution differ in their last bits in batches of 1, 3, 7 and 20."""
    x, y = digits[0][1500:1520], digits[1][1500:1520]
    spec = attack(ThreatModel(norm, LOUD[norm]))
    whole = engines.run(spec, convolutional, x, y, batch_size=20)
    for size in (1, 3, 7):
        part = engines.run(spec, convolutional, x, y, batch_size=size)
        if (attack.func, norm) in ENLARGE:
            assert part.success.tolist() == whole.success.tolist()
            continue
        np.testing.assert_allclose(part.x, whole.x, rtol=0, atol=1e-5)
        assert part.forward.tolist() == whole.forward.tolist()
        assert part.backward.tolist() == whole.backward.tolist()


@every_untargeted
def test_each_example_has_its_own_radius_and_the_spec_does_not_matter(
    attack, norm, targeted, small_classifier
):
    radii = np.array([0, 3, 0.1, 1, 2, 0, 10], np.float32) * RADIUS[norm]
    adv = attacked(attack(ThreatModel(norm, 9.0)), small_classifier, eps=radii)
    for i, eps in enumerate(radii):
        spec = attack(ThreatModel(norm, float(eps)))
        alone = attacked(spec, small_classifier, eps=float(eps))
        np.testing.assert_allclose(adv[i], alone[i], rtol=0, atol=ALIKE[norm])
    assert adv[[0, 5]].tobytes() == X[[0, 5]].tobytes()


@every_untargeted
def test_compiles_once_for_every_radius(attack, norm, targeted, small_classifier):
    for eps in (0.0, RADIUS[norm]):
        attacked(attack(ThreatModel(norm, eps)), small_classifier, eps=eps)
    _, shapes = compiled(attack(ThreatModel(norm, 0.0)), small_classifier)
    assert shapes.count(X.shape if backend.name() == "jax" else (None, *X.shape[1:])) == 1


@pytest.mark.skipif(backend.name() == "jax", reason="JAX compiles loops in eager mode too")
@once_each
def test_compiled_equals_eager(attack, norm, targeted, small_classifier):
    spec, settings = attack(ThreatModel(norm, RADIUS[norm])), {"eps": RADIUS[norm]}
    fast = attacked(spec, small_classifier, **settings)
    slow = attacked(spec, small_classifier, **settings, eager=True)
    np.testing.assert_allclose(fast, slow, rtol=0, atol=ALIKE[norm])


@every_untargeted
def test_nan_and_constant_logits_harm_nobody_else(attack, norm, targeted, small_classifier):
    """One example's logits are NaN, another's the same for all classes."""
    faults = np.array([SOUND, SOUND, NAN, SOUND, CONSTANT, SOUND, SOUND], np.int32)
    spec = attack(ThreatModel(norm, RADIUS[norm]))
    adv = attacked(spec, small_classifier, eps=RADIUS[norm], faults=faults)
    broken = np.isnan(adv).any(axis=(1, 2, 3))
    assert broken.tolist() == [i == 2 for i in range(len(X))]
    assert how_far(attack(ThreatModel(norm, 1.0)), X[~broken], adv[~broken]) <= (
        RADIUS[norm] + ROUNDING[norm]
    )
