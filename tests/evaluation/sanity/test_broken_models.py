"""Models and attacks that are broken on purpose: each is caught by the check made for it."""

from dataclasses import dataclass, replace
from typing import ClassVar

import keras
import numpy as np
import pytest
from keras import ops

from robustnets import backend
from robustnets.attacks import FGSM, PGD, Square
from robustnets.attacks.base import ascend
from robustnets.attacks.losses import ascent_gradient
from robustnets.core.threat import ThreatModel
from robustnets.evaluation.sanity import CHECKS, headline_holds, sanity_block
from robustnets.evaluation.worst_case import worst_case
from robustnets.layers import with_gradient_of
from robustnets.models.classifier import Classifier

THREAT = ThreatModel("linf", 0.1)
SUITE = (PGD(THREAT, steps=40, restarts=2), Square(THREAT, budget=200))
ALL = tuple(name for name, _ in CHECKS)


class Named(keras.layers.Layer):
    """A layer that calls a function of the class, so that it can be cloned by its config."""

    def __init__(self, dtype=None, **kwargs):
        super().__init__(dtype=dtype, **kwargs)


class Coarse(Named):
    def call(self, x):
        return ops.floor(x * 9.0 + 0.5) / 9.0


class Detached(Named):
    def call(self, x):
        return ops.stop_gradient(x)


class Reversed(Named):
    def call(self, x):
        return with_gradient_of(lambda v: -v, lambda v: v)(x)


class Rooted(Named):
    """A gradient that is infinite at 0."""

    def call(self, x):
        return x + 1e-3 * ops.sqrt(x)


class Undefined(Named):
    """Not a number where a value is 0."""

    def call(self, x):
        return x + ops.sqrt(x - 1e-3)


class Stuck(keras.layers.BatchNormalization):
    """Normalises by the batch, whatever it is told."""

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=True, mask=mask)


class Noisy(Named):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, x):
        return x + 0.1 * keras.random.normal(ops.shape(x), seed=self.seeds)


@pytest.fixture(scope="module")
def held_out(digits):
    return digits[0][1500:1580], digits[1][1500:1580]


@pytest.fixture(scope="module")
def network(digits):
    """A small convolutional network, which compiles faster than dense layers do."""
    x, y = digits
    start = keras.initializers.GlorotUniform
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=start(seed=0)),
            keras.layers.Flatten(),
            keras.layers.Dense(20, "tanh", kernel_initializer=start(seed=1)),
            keras.layers.Dense(10, kernel_initializer=start(seed=2)),
        ]
    )
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)

    def loss(labels, logits):
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return ops.mean(losses)

    epoch = backend.epoch_function(model, optimizer, loss, xla=False)
    data = (ops.convert_to_tensor(x[:1500]), ops.convert_to_tensor(y[:1500].astype(np.int32)))
    rng = np.random.default_rng(0)
    for _ in range(12):
        epoch(*data, rng.permutation(1500).reshape(30, 50).astype(np.int32))
    return model


@pytest.fixture(scope="module")
def honest(network):
    """Nothing is wrong with it; one object for all, which compiles each attack once."""
    return Classifier(network)


def before(network, layer):
    inputs = keras.Input(network.inputs[0].shape[1:])
    return Classifier(keras.Model(inputs, network(layer(inputs))))


def behind(network, *layers):
    outputs = network.outputs[0]
    for layer in layers:
        outputs = layer(outputs)
    return Classifier(keras.Model(network.inputs, outputs))


def block(classifier, held_out, *names, suite=SUITE, **settings):
    """The checks of these names, or all, by name."""
    x, y = held_out
    found = None
    if suite is not None:
        found = worst_case(suite, classifier, x, y, seed=3, batch_size=len(x))
    checks = sanity_block(
        classifier, x, y, found, threat=THREAT, seed=5, only=names or None, **settings
    )
    return {check.name: check for check in checks}


def levels(checks):
    return {name: check.level for name, check in checks.items()}


def test_an_honest_model_passes_every_check(honest, held_out):
    seen = []
    checks = block(honest, held_out, progress=lambda *arguments: seen.append(arguments))
    assert levels(checks) == dict.fromkeys(ALL, "PASS")
    assert not any(check.remedy for check in checks.values())
    assert all(check.number for check in checks.values())
    assert seen == [(name, i, len(ALL)) for i, name in enumerate(ALL)]
    assert headline_holds(checks.values())


def test_a_softmax_head_is_taken_off(network, held_out):
    with pytest.warns(UserWarning, match="ends in a softmax"):
        classifier = behind(network, keras.layers.Softmax())
    checks = block(classifier, held_out, "logits, not probabilities", suite=None)
    assert set(levels(checks).values()) == {"PASS"}


def test_a_hidden_softmax_is_caught_and_every_check_has_its_row(network, held_out):
    """The engines refuse such a model: there is no evaluation to look at."""
    classifier = behind(network, keras.layers.Softmax(), keras.layers.Activation("linear"))
    checks = block(classifier, held_out, suite=None)
    assert tuple(checks) == ALL
    assert checks["logits, not probabilities"].level == "FAIL"
    assert "without its softmax" in checks["logits, not probabilities"].remedy
    assert not headline_holds(checks.values())
    failed = {name for name, check in checks.items() if check.level == "FAIL"}
    assert failed == {"logits, not probabilities"}
    assert checks["white-box beats noise"].number == "not checked: outputs are probabilities"


def test_a_softmax_times_ten_is_caught(network, held_out):
    classifier = behind(network, keras.layers.Softmax(), keras.layers.Rescaling(10.0))
    checks = block(classifier, held_out, "logits, not probabilities", suite=None)
    assert checks["logits, not probabilities"].level == "FAIL"


def test_logits_times_1000_are_saturated(network, held_out):
    classifier = behind(network, keras.layers.Rescaling(1000.0))
    names = ("zero or NaN gradients", "saturated logits", "no probe beats the suite")
    checks = block(classifier, held_out, *names, suite=(FGSM(THREAT),))
    assert levels(checks) == dict(zip(names, ("PASS", "FAIL", "FAIL")))
    assert "PGD (margin)" in checks["no probe beats the suite"].number


def test_gradients_that_underflow_are_back_in_float64(network, held_out):
    classifier = behind(network, keras.layers.Rescaling(30.0))
    name = "gradients in float64"
    found = block(classifier, held_out, name, suite=None)[name]
    assert found.level == "FAIL", found
    back, lost = (int(word) for word in found.number.split() if word.isdigit())
    assert back == lost > 20


def test_noise_in_every_pass_is_caught(network, held_out):
    names = ("deterministic forward pass", "batch invariance")
    checks = block(before(network, Noisy()), held_out, *names, suite=None)
    assert checks[names[0]].level == "FAIL"
    if backend.name() == "tensorflow":
        assert checks[names[1]].number == "not checked: the model draws at random"
    else:
        assert "freezes" in checks[names[0]].remedy


def test_noise_that_the_evaluation_averaged_is_no_failure(network, held_out):
    if backend.name() != "tensorflow":
        pytest.skip("a compiled model has no noise there")
    classifier, (x, y) = before(network, Noisy()), held_out
    suite = (PGD(THREAT, steps=2, expectation=2),)
    found = worst_case(suite, classifier, x, y, evaluations=3, needed=2)
    (check,) = sanity_block(
        classifier, x, y, found, threat=THREAT, seed=0, only=["deterministic forward pass"]
    )
    assert check.level == "WARN"


def test_quantised_input_has_no_gradients_and_queries_win(network, held_out):
    names = ("zero or NaN gradients", "white-box beats black-box", "broken by queries only",
             "unbounded eps reaches 0 %", "gradients in float64")  # fmt: skip
    suite = (PGD(THREAT, steps=5, random_start=False), SUITE[1])
    checks = block(before(network, Coarse()), held_out, *names, suite=suite)
    assert levels(checks) == dict(zip(names, [*["FAIL"] * 4, "PASS"]))
    assert checks["gradients in float64"].number.startswith("0 of ")


def test_a_detached_gradient_is_zero(network, held_out):
    name = "zero or NaN gradients"
    checks = block(before(network, Detached()), held_out, name, suite=None)
    assert checks[name].level == "FAIL"


def test_a_gradient_that_is_not_finite_is_caught(network, held_out):
    name = "zero or NaN gradients"
    check = block(before(network, Rooted()), held_out, name, suite=None)[name]
    assert check.level == "FAIL"
    assert check.number.startswith("0 zero and ")


def test_outputs_that_are_not_finite_fail_and_every_check_has_its_row(network, held_out):
    checks = block(before(network, Undefined()), held_out, suite=None)
    assert tuple(checks) == ALL
    failed = {name for name, check in checks.items() if check.level == "FAIL"}
    assert failed == {"logits, not probabilities"}
    assert checks["white-box beats noise"].number == "not checked: outputs are not finite"


def test_batch_statistics_are_caught(network, held_out):
    names = ("deterministic forward pass", "batch invariance")
    checks = block(before(network, Stuck()), held_out, *names, suite=None)
    assert levels(checks) == dict(zip(names, ("PASS", "FAIL")))
    assert "a pass updates" in checks["batch invariance"].number


@dataclass(frozen=True)
class Leaking:
    """Steps towards the label, as a loss of the wrong sign takes them: it shows the label."""

    norms: ClassVar[tuple[str, ...]] = ("linf",)
    minimal: ClassVar[bool] = False
    targeted: ClassVar[bool] = False
    passes: ClassVar[tuple[int, int]] = (4, 4)
    threat: ThreatModel
    steps: int = 4

    def perturb(self, logits, x, y, seeds, eps):
        at = x
        for _ in range(self.steps):
            gradient = ascent_gradient(logits, at, y, True)
            at = ascend(self.threat, x, at, gradient, eps / 2, eps)
        return at


@dataclass(frozen=True)
class Overstepping:
    """FGSM at three times the radius."""

    norms: ClassVar[tuple[str, ...]] = ("linf",)
    minimal: ClassVar[bool] = False
    targeted: ClassVar[bool] = False
    passes: ClassVar[tuple[int, int]] = (1, 1)
    threat: ThreatModel

    def perturb(self, logits, x, y, seeds, eps):
        return FGSM(self.threat).perturb(logits, x, y, seeds, 3 * eps)


def test_an_attack_that_leaks_the_label_is_caught(honest, held_out):
    names = ("planted example found", "iterative beats single-step", "label leaking",
             "unbounded eps reaches 0 %")  # fmt: skip
    checks = block(honest, held_out, *names, suite=(Leaking(THREAT),))
    assert set(levels(checks).values()) == {"FAIL"}
    assert "makes the model surer of" in checks["label leaking"].number


def test_a_single_step_that_raises_accuracy_leaks_the_label(network, held_out):
    """What adversarial training with single steps makes of a gradient: it points elsewhere."""
    name = "label leaking"
    classifier = before(network, Reversed())
    checks = block(classifier, held_out, name, suite=None, attack=FGSM(THREAT))
    assert checks[name].level == "FAIL"


def test_an_attack_that_leaves_the_ball_is_caught(honest, held_out):
    names = ("inside the ball", "inside the box", "outcomes reproduced", "no probe beats the suite")
    checks = block(honest, held_out, *names, suite=(Overstepping(THREAT),))
    assert levels(checks) == dict(zip(names, ("FAIL", "PASS", "PASS", "PASS")))
    assert "farthest 0.3 of 0.1" in checks["inside the ball"].number


def test_examples_made_elsewhere_must_not_win(honest, held_out):
    """What was transferred beats an evaluation by one weak step."""
    x, y = held_out
    strong = worst_case(SUITE[:1], honest, x, y).x
    weak = worst_case([FGSM(ThreatModel("linf", 0.02))], honest, x, y)
    name = "no probe beats the suite"
    settings = {"threat": THREAT, "seed": 0, "only": [name]}
    (check,) = sanity_block(honest, x, y, weak, others={"transfer": strong}, **settings)
    assert check.level == "FAIL"
    assert "transfer " in check.number
    far = np.clip(x + 0.5, 0, 1)
    (check,) = sanity_block(honest, x, y, weak, others={"too far": far}, **settings)
    assert "too far" not in check.number


def test_a_budget_makes_an_upper_bound(honest, held_out):
    found = worst_case(SUITE, honest, *held_out, time_budget=1e-9)
    (check,) = sanity_block(honest, *held_out, found, threat=THREAT, seed=0, only=["whole suite"])
    assert check.level == "FAIL"
    assert "PGD, Square" in check.remedy


def test_few_classes_are_noticed(held_out):
    x, y = held_out
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    (check,) = sanity_block(
        Classifier(model), x, y % 3, None, threat=THREAT, seed=0, only=["number of classes"]
    )
    assert (check.level, check.number) == ("WARN", "3 classes")


def test_norms_without_gradient_attacks_say_so(honest, held_out):
    names = ("white-box beats noise", "planted example found", "gradients in float64")
    checks = sanity_block(honest, *held_out, None, threat=ThreatModel("l0", 2), seed=0, only=names)
    assert [c.level for c in checks] == ["PASS", "WARN", "WARN"]
    assert checks[2].number == "not checked: there is no PGD in l0"


def test_arguments_must_fit(honest, held_out):
    x, y = held_out
    found = worst_case([FGSM(THREAT)], honest, x, y)
    for message, arguments in (
        ("examples must be an int >= 1, got 0", {"examples": 0}),
        ("its clean x is another one", {"x": x[:, ::-1]}),
        ("its clean y is another one", {"y": y[::-1]}),
        ("x and y must hold the same", {"y": y[:4]}),
        ("only must hold names", {"only": ["gradients"]}),
        ("attack must be untargeted", {"attack": FGSM(THREAT, targeted=True)}),
        ("attack must be untargeted, in", {"attack": FGSM(replace(THREAT, eps=0.2))}),
        (r"others\['a'\] must be", {"others": {"a": x[:3]}}),
    ):
        given = {"x": x, "y": y, "threat": THREAT, "seed": 0, **arguments}
        with pytest.raises(ValueError, match=message):
            sanity_block(honest, given.pop("x"), given.pop("y"), found, **given)
