"""Attacks that search, held against the same attacks of ART, CleverHans, Foolbox and SciPy."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import convolving

from robustnets import backend
from robustnets.attacks import BIM, LBFGS, CarliniWagner, DeepFool, HopSkipJump, OnePixel, balls
from robustnets.attacks.starts import Starts
from robustnets.core.threat import ThreatModel
from robustnets.engines import run
from robustnets.models.classifier import Classifier

pytestmark = [
    pytest.mark.skipif(backend.name() != "tensorflow", reason="peers run on TensorFlow"),
    pytest.mark.slow,
]
FAR = 1e6  # a radius that cuts nothing
CW = {"steps": 60, "rounds": 4, "first": 1.0, "rate": 0.05, "abort_early": False}
HSJ = {"max_iter": 6, "max_eval": 60, "init_eval": 20}
each_norm = pytest.mark.parametrize("norm", ["linf", "l2"])


@pytest.fixture(scope="module")
def right(trained_classifier, digits):
    """A hundred examples or so that the classifier has right."""
    x, y = digits[0][1500:1600], digits[1][1500:1600]
    chosen = trained_classifier.predict(x).argmax(axis=1) == y
    return x[chosen], y[chosen]


@pytest.fixture(scope="module")
def foolbox_model(trained_classifier):
    foolbox = pytest.importorskip("foolbox")
    return foolbox.TensorFlowModel(trained_classifier.model, bounds=(0, 1))


def distances(classifier, x, y, moved, norm, targeted=False):
    """float64 (N,): infinite for those that are no success."""
    hit = (classifier.predict(moved).argmax(axis=1) == y) == targeted
    return np.where(hit, balls.distances(x, moved)[norm], np.inf)


def no_worse(ours, theirs, share=1.0):
    """At least as many successes, and no larger median distance."""
    assert np.isfinite(ours).sum() >= np.isfinite(theirs).sum()
    assert np.isfinite(np.median(ours))
    assert np.median(ours) <= share * np.median(theirs)


def by_foolbox(attack, model, x, y):
    # Foolbox compares labels by their type
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, moved, _ = attack(
            model, ops.convert_to_tensor(x), ops.convert_to_tensor(y, "int64"), epsilons=None
        )
    return np.clip(moved.numpy(), 0, 1)


@each_norm
def test_deepfool_is_no_farther_than_foolbox(norm, trained_classifier, foolbox_model, right):
    import foolbox

    kind = {"l2": foolbox.attacks.L2DeepFoolAttack, "linf": foolbox.attacks.LinfDeepFoolAttack}
    ours = run(DeepFool(ThreatModel(norm, FAR)), trained_classifier, *right)
    theirs = by_foolbox(kind[norm](steps=50, candidates=10), foolbox_model, *right)
    no_worse(
        distances(trained_classifier, *right, ours.x, norm),
        distances(trained_classifier, *right, theirs, norm),
        share=1 + 1e-5,  # the same steps, up to rounding
    )
    # the bars on speed are met by fewer passes, too: Foolbox takes all steps with all examples
    assert ours.backward.mean() < 60


def test_deepfool_is_no_farther_than_art(trained_classifier, right):
    spec = DeepFool(ThreatModel("l2", FAR))
    ours, theirs = (run(spec, trained_classifier, *right, engine=e) for e in ("native", "art"))
    assert theirs.success.all()
    no_worse(
        distances(trained_classifier, *right, ours.x, "l2"),
        distances(trained_classifier, *right, theirs.x, "l2"),
    )
    assert theirs.backward[0] % 10 == 0  # a gradient for each class, and a step for each image
    assert set(theirs.backward) == {theirs.backward[0]}
    assert ours.backward.mean() < theirs.backward[0]


@pytest.fixture(scope="module")
def convolutional(digits):
    """A small network with convolutions, trained on the first 1500 digits."""
    x, y = digits
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(x[:1500], y[:1500], batch_size=50, epochs=6, verbose=0)
    return Classifier(model)


def test_deepfool_succeeds_wherever_a_peer_does(convolutional, digits):
    foolbox = pytest.importorskip("foolbox")
    x, y = digits[0][1500:1600], digits[1][1500:1600]
    sure = convolutional.predict(x).argmax(axis=1) == y
    x, y = x[sure], y[sure]
    ball = ThreatModel("l2", FAR)
    ours = distances(convolutional, x, y, run(DeepFool(ball), convolutional, x, y).x, "l2")
    by_art = run(DeepFool(ball), convolutional, x, y, engine="art").x
    model = foolbox.TensorFlowModel(convolutional.model, bounds=(0, 1))
    theirs = by_foolbox(foolbox.attacks.L2DeepFoolAttack(steps=50), model, x, y)
    for moved in (by_art, theirs):
        other = distances(convolutional, x, y, moved, "l2")
        assert np.isfinite(ours[np.isfinite(other)]).all()
        assert np.median(ours) <= 1.001 * np.median(other)
    assert np.isfinite(ours).all()


def test_art_deepfool_takes_its_steps_in_any_box(affine_box):
    """ART alone multiplies the step by the width of the box."""
    (small, x), (large, wide) = affine_box
    y = small.predict(x).argmax(axis=1)
    one = run(DeepFool(ThreatModel("l2", FAR)), small, x, y, engine="art")
    other = run(DeepFool(ThreatModel("l2", FAR, -20.0, 80.0)), large, wide, y, engine="art")
    assert one.success.all()
    assert other.success.all()
    np.testing.assert_allclose((other.x + 20) / 100, one.x, rtol=0, atol=1e-5)


@pytest.fixture
def affine_box():
    """The same classifier of images in [0, 1] and in [-20, 80], with those images."""
    from tiny_models import dense_classifier

    small, large = dense_classifier(6, seed=2), dense_classifier(6, seed=2)
    kernel = np.array(small.model.layers[-1].weights[0])
    large.model.layers[-1].weights[0].assign(kernel / 100)
    large.model.layers[-1].weights[1].assign(20 * kernel.sum(axis=0) / 100)
    x = np.random.default_rng(0).uniform(0.3, 0.7, (7, 5, 4, 3)).astype(np.float32)
    return (small, x), (large, (x * 100 - 20).astype(np.float32))


@pytest.mark.parametrize("targeted", [False, True])
def test_carlini_wagner_is_that_of_cleverhans(targeted, trained_classifier, right):
    x, y = right[0][:20], right[1][:20]
    labels = (y + 1) % 10 if targeted else y
    spec = CarliniWagner(ThreatModel("l2", FAR), targeted=targeted, **CW)
    ours, theirs = (
        run(spec, trained_classifier, x, labels, engine=e) for e in ("native", "cleverhans")
    )
    a, b = (distances(trained_classifier, x, labels, f.x, "l2", targeted) for f in (ours, theirs))
    no_worse(a, b, share=1.002)
    # the same steps of the same optimiser from the same place
    assert np.isclose(a, b, rtol=0.01, atol=0).mean() >= 0.9
    assert set(ours.backward) == set(theirs.backward) == {60 * 4}


@pytest.mark.parametrize("convolves", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 100, "rounds": 5, "first": 1.0, "rate": 0.05},
        # too small a budget for some: where Foolbox finds nothing it returns a black image, which
        # can be of another class than x
        {"steps": 100, "rounds": 9, "first": 1e-3, "rate": 0.01},
    ],
    ids=["all reached", "some not reached"],
)
def test_carlini_wagner_is_never_weaker_than_foolbox(
    settings, convolves, trained_classifier, right
):
    foolbox = pytest.importorskip("foolbox")
    x, y = right
    assert len(x) >= 90
    classifier = convolving(trained_classifier) if convolves else trained_classifier
    attack = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=settings["rounds"],
        steps=settings["steps"],
        stepsize=settings["rate"],
        initial_const=settings["first"],
        abort_early=False,
    )
    model = foolbox.TensorFlowModel(backend.compiled(classifier.logits), bounds=(0, 1))
    moved = by_foolbox(attack, model, x, y)
    theirs = distances(classifier, x, y, moved, "l2")
    theirs[~moved.any(axis=(1, 2, 3))] = np.inf
    found = run(CarliniWagner(ThreatModel("l2", FAR), **settings), classifier, x, y)
    ours = distances(classifier, x, y, found.x, "l2")
    reached = np.isfinite(theirs)
    assert reached.sum() >= 80
    assert np.isfinite(ours[reached]).all()
    ratio = ours[reached] / theirs[reached]
    assert np.median(ratio) <= 1.001
    # roundings lead some to another c
    assert (ratio <= 1.01).mean() >= 0.95


def test_carlini_wagner_is_no_farther_than_art(trained_classifier, right):
    x, y = right[0][:8], right[1][:8]
    settings = {**CW, "steps": 15, "rounds": 2}
    theirs = run(
        CarliniWagner(ThreatModel("l2", FAR), **settings), trained_classifier, x, y, engine="art"
    )
    # at no more than its passes
    steps = int(theirs.backward.mean() // settings["rounds"])
    ours = run(
        CarliniWagner(ThreatModel("l2", FAR), **{**settings, "steps": steps}),
        trained_classifier,
        x,
        y,
    )
    assert ours.backward.mean() <= theirs.backward.mean()
    no_worse(
        distances(trained_classifier, x, y, ours.x, "l2"),
        distances(trained_classifier, x, y, theirs.x, "l2"),
    )


@each_norm
def test_hop_skip_jump_is_no_farther_than_art(norm, trained_classifier, right):
    x, y = right[0][:24], right[1][:24]
    spec = HopSkipJump(ThreatModel(norm, FAR), **HSJ)
    theirs = run(spec, trained_classifier, x, y, engine="art", seed=1)
    # at no more than its queries
    budget = int(theirs.forward.mean())
    limited = HopSkipJump(ThreatModel(norm, FAR), **{**HSJ, "max_iter": 50}, budget=budget)
    ours = run(limited, trained_classifier, x, y, seed=1)
    assert ours.forward.mean() <= theirs.forward.mean() + 1
    no_worse(
        distances(trained_classifier, x, y, ours.x, norm),
        distances(trained_classifier, x, y, theirs.x, norm),
    )


@each_norm
def test_hop_skip_jump_is_no_farther_than_foolbox(norm, trained_classifier, foolbox_model, right):
    import foolbox

    x, y = right[0][:24], right[1][:24]
    np.random.seed(0)  # noqa: NPY002
    theirs = by_foolbox(
        foolbox.attacks.HopSkipJumpAttack(
            steps=HSJ["max_iter"],
            initial_gradient_eval_steps=HSJ["init_eval"],
            max_gradient_eval_steps=HSJ["max_eval"],
            constraint=norm,
        ),
        foolbox_model,
        x,
        y,
    )
    ours = run(HopSkipJump(ThreatModel(norm, FAR), **HSJ), trained_classifier, x, y)
    no_worse(
        distances(trained_classifier, x, y, ours.x, norm),
        distances(trained_classifier, x, y, theirs, norm),
    )


def test_art_hop_skip_jump_draws_by_example_and_uses_starts(trained_classifier, right):
    x, y = right[0][:6], right[1][:6]
    labels = (y + 1) % 10
    starts = Starts.of(right[0], trained_classifier.predict(right[0]).argmax(axis=1))
    spec = HopSkipJump(
        ThreatModel("l2", FAR), max_iter=2, max_eval=20, init_eval=10, targeted=True, starts=starts
    )
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    whole = run(spec, trained_classifier, x, labels, engine="art", seed=4)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert whole.success.all()
    few = run(spec, trained_classifier, x[:3], labels[:3], engine="art", seed=4, batch_size=2)
    assert few.x.tobytes() == whole.x[:3].tobytes()
    assert few.forward.tolist() == whole.forward[:3].tolist()
    assert (whole.backward == 0).all()


@pytest.mark.parametrize("loss", ["margin", "cross_entropy"])
def test_one_pixel_of_art_changes_the_pixels_it_may(loss, trained_classifier, right):
    x, y = right[0][:20], right[1][:20]
    settings = {"population": 60, "generations": 12, "loss": loss}
    for eps in (0.5, 1, 3):
        spec = OnePixel(ThreatModel("l0", eps), **settings)
        theirs = run(spec, trained_classifier, x, y, engine="art")
        again = run(spec, trained_classifier, x[7:9], y[7:9], engine="art", batch_size=1)
        assert balls.pixels(x, theirs.x).max() <= eps
        assert again.success.shape == (2,)
        if eps >= 1:
            assert theirs.success.any()
            # a success as it stands aside, the first population and a generation at least
            assert theirs.forward[theirs.forward > 1].min() >= 2 * 54
    ours = run(spec, trained_classifier, x, y)
    assert ours.success.sum() >= theirs.success.sum() - 2


def test_lbfgs_is_no_farther_than_scipy_image_by_image(trained_classifier, right):
    from scipy.optimize import minimize

    x, y = right[0][:4], right[1][:4]
    goals = (y + 1) % 10
    spec = LBFGS(ThreatModel("l2", FAR), steps=30, rounds=7, targeted=True)
    ours = run(spec, trained_classifier, x, goals)

    def objective(flat, origin, goal, c):
        def value(z):
            entropy = -ops.log_softmax(trained_classifier.logits(z))[:, goal]
            far = ops.sum(ops.square(z - origin), axis=(1, 2, 3))
            return far + c * entropy

        return backend.value_and_grad(value)(flat)

    differentiate = backend.compiled(lambda flat, origin, goal, c: objective(flat, origin, goal, c))
    found = x.copy()
    for i, goal in enumerate(goals):
        origin, number = ops.convert_to_tensor(x[i : i + 1]), ops.convert_to_tensor(int(goal))
        nearest, c, lower, upper = np.inf, spec.first, 0.0, np.inf
        for _ in range(spec.rounds):

            def both(flat, c=c, origin=origin, number=number):
                image = ops.convert_to_tensor(flat.reshape(origin.shape).astype(np.float32))
                value, slope = differentiate(
                    image, origin, number, ops.convert_to_tensor(c, "float32")
                )
                return float(value[0]), np.array(slope, np.float64).ravel()

            end = minimize(
                both,
                x[i].ravel().astype(np.float64),
                jac=True,
                method="L-BFGS-B",
                bounds=[(0, 1)] * x[i].size,
                options={"maxfun": spec.steps, "maxcor": spec.history},
            )
            image = end.x.reshape(x[i : i + 1].shape).astype(np.float32)
            won = trained_classifier.predict(image).argmax() == goal
            distance = np.linalg.norm(image - x[i])
            if won and distance < nearest:
                nearest, found[i] = distance, image[0]
            lower, upper = (lower, min(c, upper)) if won else (max(c, lower), upper)
            c = 10 * c if upper == np.inf else (lower * upper) ** 0.5 if lower else upper / 10
    no_worse(
        distances(trained_classifier, x, goals, ours.x, "l2", True),
        distances(trained_classifier, x, goals, found, "l2", True),
    )


@pytest.mark.parametrize("engine", ["native", "art", "cleverhans"])
@pytest.mark.parametrize("eps", [0.25, 10.0])
def test_steps_differ_by_rounding_alone(eps, engine, trained_classifier, digits):
    """Ten l2 steps against the same in float64: all engines go the same way.

    Steps as long as 1 multiply the rounding of the first by about a hundred.
    """
    x, labels = digits[0][1500:1637], (digits[1][1500:1637] + 3) % 10
    weights = [np.array(w, np.float64) for w in trained_classifier.model.weights]
    exact = origin = x.reshape(len(x), -1).astype(np.float64)
    for _ in range(10):
        hidden = np.tanh(exact @ weights[0] + weights[1])
        z = hidden @ weights[2] + weights[3]
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True) - np.eye(10)[labels]
        slope = ((p @ weights[2].T) * (1 - hidden**2)) @ weights[0].T
        delta = exact - origin - eps / 10 * slope / np.linalg.norm(slope, axis=1, keepdims=True)
        length = np.linalg.norm(delta, axis=1, keepdims=True)
        exact = np.clip(origin + delta * np.minimum(1, eps / length), 0, 1)
    spec = BIM(ThreatModel("l2", eps), steps=10, targeted=True)
    found = run(spec, trained_classifier, x, labels, engine=engine, attack_wrong=True)
    np.testing.assert_allclose(
        found.x.reshape(len(x), -1), exact, rtol=0, atol=1e-6 if eps < 1 else 5e-5
    )
