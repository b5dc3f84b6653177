"""CleverHans as an engine, its TensorFlow 2 functions.

What is worked around, always towards what the spec asks for:
- its l2 step divides by no less than 1e-6, so that small gradients give steps shorter than
  eps: see `peers.logits_function`;
- it compiles once per model function and keeps that function for the life of the process:
  one function per classifier is handed over, at one batch shape;
- TensorFlow's cross entropy, its default, loses the true class of confident examples: it is
  given `losses.cross_entropy`;
- its PGD has the last iterate, not the worst one: left so;
- its random starts are TensorFlow's: seeded for the call, and the seed put back;
- labels default to the model's predictions: true labels are always passed.
"""

from typing import Any

from robustnets.attacks import losses
from robustnets.attacks.base import Attack
from robustnets.attacks.fgsm import FGSM
from robustnets.attacks.pgd import PGD
from robustnets.engines import peers
from robustnets.engines.job import Job, Outcome, fixed_cost


def supports(attack: Attack) -> bool:
    """Whether CleverHans has the same attack; of PGD, without restarts."""
    if type(attack) is PGD and attack.restarts > 1:
        return False
    return type(attack) is FGSM or peers.takes_their_steps(attack)


def generate(job: Job) -> Outcome:
    """Attack checked arrays.

    Raises:
        RuntimeError: on a backend other than TensorFlow.
    """
    peers.require_tensorflow("cleverhans")
    import tensorflow as tf
    from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method
    from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

    attack, threat = job.attack, job.attack.threat
    logits = peers.logits_function(job.classifier)
    settings = {
        "eps": float(threat.eps),
        "loss_fn": _LOSSES[attack.loss if type(attack) is PGD else "cross_entropy"],
        "norm": peers.ORDERS[threat.norm],
        "clip_min": float(threat.low),
        "clip_max": float(threat.high),
        "targeted": attack.targeted,
    }
    method = fast_gradient_method
    if type(attack) is not FGSM:
        step = peers.step_length(attack)
        if step > threat.eps > 0:
            raise ValueError(
                f"CleverHans refuses steps longer than eps, got {step:g} > {threat.eps:g}; "
                "use engine='native' or 'art'"
            )
        method = projected_gradient_descent
        settings["eps_iter"], settings["nb_iter"] = min(step, float(threat.eps)), attack.steps
        settings["rand_init"] = type(attack) is PGD and attack.random_start

    def attack_batch(part, labels):
        return method(
            logits, tf.constant(part), y=tf.constant(labels, tf.int64), **settings
        ).numpy()

    if type(attack) is FGSM:
        return fixed_cost(attack, peers.in_batches(attack_batch, job))
    with peers.seeded(job.seed):
        return peers.stepped(attack, peers.in_batches(attack_batch, job))


# one function per loss: CleverHans compiles again for each that it has not met
_LOSSES: dict[str, Any] = {
    name: (lambda labels, logits, loss=loss: loss(logits, labels))
    for name, loss in losses.LOSSES.items()
}
