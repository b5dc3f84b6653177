"""The attack contract finds what it is there to find: attacks with one fault each fail it.

Each mutant is an attack of the package with one thing turned round; the row names the part of the
contract that must object. The attacks themselves pass the same parts next door.
"""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import test_attacks_contract as contract
from keras import ops

from robustnets import backend
from robustnets.attacks import BIM, FGSM, PGD, CarliniWagner, DeepFool, balls
from robustnets.attacks.losses import ascent_gradient, cross_entropy
from robustnets.core.threat import ThreatModel

pytestmark = pytest.mark.skipif(
    backend.name() == "jax", reason="it is the contract that is tested, compiling takes long"
)
NEVER_LOWERS = contract.test_never_lowers_the_loss_of_a_linear_model
OPTIMUM = contract.test_reaches_its_share_of_the_optimum_of_a_linear_model
CLOSED_FORM = contract.test_a_minimal_attack_crosses_near_the_closed_form
BEATS_NOISE = contract.test_beats_noise_of_its_radius
BOUNDS = contract.test_stays_inside_the_ball_and_the_box


def mutant(attack, **changes):
    """A subclass of an attack whose `perturb` sees other arguments, or gives another result.

    Args:
        attack: the class.
        changes: by the name of an argument, a function of it; by "result", a function of x and
            of what the attack gave.
    """

    def perturb(self, logits, x, y, seeds, eps):
        given = {"logits": logits, "y": y, "seeds": seeds, "eps": eps}
        given = {k: changes[k](v) if k in changes else v for k, v in given.items()}
        adv = attack.perturb(self, x=x, **given)
        return changes["result"](x, adv) if "result" in changes else adv

    return type(f"Mutant{attack.__name__}", (attack,), {"perturb": perturb})


def descending(logits):
    """The same logits with the opposite gradient."""
    return lambda x: (lambda z: 2 * ops.stop_gradient(z) - z)(logits(x))


def neighbours(logits):
    """The same logits with the gradient of the next example."""

    def swapped(x):
        z = logits(x)
        other = ops.roll(z, 1, axis=0)
        return ops.stop_gradient(z) + other - ops.stop_gradient(other)

    return swapped


def next_label(y):
    return ops.roll(y, 1, axis=0)


def twice_as_far(x, adv):
    return ops.clip(2 * adv - x, 0.0, 1.0)


@dataclass(frozen=True)
class WorstKept:
    """A loss whose gradient is that of the cross entropy and whose value is the opposite."""

    def __call__(self, logits, y):
        loss = cross_entropy(logits, y)
        return loss - 2 * ops.stop_gradient(loss)


@dataclass(frozen=True)
class MomentumFGSM:
    """Momentum iterative FGSM (Dong et al. 2018, arXiv:1710.06081), linf.

    Args:
        way: 1 adds gradients up, as in the paper; -1 takes them off.
    """

    norms: ClassVar[tuple[str, ...]] = ("linf",)
    minimal: ClassVar[bool] = False

    threat: ThreatModel
    targeted: bool = False
    way: int = 1
    steps: ClassVar[int] = 4

    def perturb(self, logits, x, y, seeds, eps):
        at, total = x, ops.zeros_like(x)
        for _ in range(self.steps):
            gradient = ascent_gradient(logits, at, y, self.targeted)
            size = ops.mean(ops.abs(gradient), axis=(1, 2, 3), keepdims=True)
            total = total + self.way * gradient / (size + 1e-12)
            at = at + balls.per_example(eps / self.steps, x) * ops.sign(total)
            at = balls.move(x, balls.project(at - x, "linf", eps), 0.0, 1.0)
        return at


class DiagonalFGSM(FGSM):
    """The step of linf, scaled to the length of an l2 step."""

    def direction(self, logits, x, y):
        signs = ops.sign(ascent_gradient(logits, x, y, self.targeted))
        return balls.steepest(signs, "l2")


MUTANTS = {
    "descends": (mutant(FGSM, logits=descending), {}, "linf", NEVER_LOWERS),
    "momentum takes off": (MomentumFGSM, {"way": -1}, "linf", NEVER_LOWERS),
    "label of another": (mutant(BIM, y=next_label), {"steps": 4}, "l2", NEVER_LOWERS),
    "gradient of another": (mutant(PGD, logits=neighbours), {"steps": 4}, "linf", NEVER_LOWERS),
    "ignores the target": (
        type("Untargeted", (FGSM,), {"direction": lambda self, logits, x, y: FGSM.direction(
            FGSM(self.threat), logits, x, y)}),
        {"targeted": True}, "linf", NEVER_LOWERS,
    ),
    "keeps the worst": (PGD, {"steps": 4, "loss": WorstKept()}, "linf", OPTIMUM),
    "small radius": (mutant(FGSM, eps=lambda eps: 0.5 * eps), {}, "l2", OPTIMUM),
    "another norm's step": (DiagonalFGSM, {}, "l2", OPTIMUM),
    "never moves": (PGD, {"steps": 4, "step": 1e-9}, "linf", BEATS_NOISE),
    "gives x back": (mutant(PGD, result=lambda x, adv: x), {"steps": 4}, "l2", BEATS_NOISE),
    "no projection": (mutant(BIM, result=twice_as_far), {"steps": 4}, "linf", BOUNDS),
    "no clipping": (
        mutant(FGSM, result=lambda x, adv: x + 1.5 * (adv - x)), {}, "l2", BOUNDS
    ),
    "halts before the boundary": (
        mutant(DeepFool, result=lambda x, adv: x + 0.9 * (adv - x)), {}, "l2", CLOSED_FORM
    ),
    "goes on behind it": (
        mutant(CarliniWagner, result=twice_as_far), contract.PATIENT[CarliniWagner][0], "l2",
        CLOSED_FORM,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_fails(name, linear_classifier, small_classifier, blobs):
    attack, settings, norm, part = MUTANTS[name]
    with pytest.raises(AssertionError):
        run(part, attack, settings, norm, linear_classifier, small_classifier, blobs)


@pytest.mark.parametrize("part", [NEVER_LOWERS, OPTIMUM, BEATS_NOISE, BOUNDS])
def test_momentum_of_the_right_sign_passes(part, linear_classifier, small_classifier, blobs):
    run(part, MomentumFGSM, {}, "linf", linear_classifier, small_classifier, blobs)


def run(part, attack, settings, norm, linear, small, blobs):
    """One part of the contract on one attack."""

    def made(threat):
        return attack(threat, **settings)

    model = {BEATS_NOISE: blobs, BOUNDS: small}.get(part, linear)
    part(made, norm, settings.get("targeted", False), model)
