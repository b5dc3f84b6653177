"""The Adversarial Robustness Toolbox as an engine, on TensorFlow.

What is worked around, always towards what the spec asks for:
- importing ART writes a configuration file into the home directory: not from here;
- ART replaces NaN gradients by zeros and goes on: non-finite logits raise here;
- it clips to the box before it projects onto the ball, so that a rounding can leave the box:
  clipped once more;
- its float32 norm of a tiny gradient is zero: see `peers.logits_function`;
- Keras' cross entropy loses the true class of confident examples: ART is given
  `losses.cross_entropy` for its loss object;
- at eps = 0 and for zero gradients it warns of a 0/0 whose result it does not use: silenced,
  as is at import that PyTorch and a notebook's progress bars are missing;
- its PGD has the last iterate of the last successful restart, not the worst iterate: left so,
  and counted by its steps, without the passes that it spends on its own logs;
- its random starts are NumPy's: seeded for the call, and the state put back.
The attacks that are not steps of a fixed number are in `art_attacks`, with their own list.
`KerasClassifier` is not used: it hands Keras arguments that some releases refuse.
"""

import importlib.util
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from robustnets.attacks import losses
from robustnets.attacks.base import Attack
from robustnets.attacks.fgsm import FGSM
from robustnets.attacks.pgd import PGD
from robustnets.engines import art_attacks, peers
from robustnets.engines.job import Job, Outcome, fixed_cost


def supports(attack: Attack) -> bool:
    """Whether ART has the same attack."""
    return type(attack) is FGSM or peers.takes_their_steps(attack) or art_attacks.supports(attack)


@peers.of_its_rows
def generate(job: Job) -> Outcome:
    """Attack checked arrays.

    Raises:
        RuntimeError: on a backend other than TensorFlow.
        FloatingPointError: if the logits are not finite.
    """
    peers.require_tensorflow("art")
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PyTorch not found|IProgress not found")
        import_art()
        from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentTensorFlowV2
        from art.estimators.classification import TensorFlowV2Classifier
    attack, classifier = job.attack, job.classifier
    if art_attacks.supports(attack):
        return art_attacks.generate(job)

    logits = peers.logits_function(classifier)

    def model(images, training):
        if training:
            raise ValueError("the classifier runs in inference mode only, got training=True")
        values = logits(images)
        # ART predicts in a graph, where there is nothing to look at yet
        if tf.executing_eagerly() and not np.isfinite(values).all():
            raise FloatingPointError(f"logits of {classifier.model.name} are not finite")
        return values

    threat = attack.threat
    loss = losses.of(attack.loss if type(attack) is PGD else "cross_entropy")
    estimator = TensorFlowV2Classifier(
        model=model,
        nb_classes=classifier.classes,
        input_shape=classifier.image_shape,
        loss_object=lambda one_hot, z: ops.sum(loss(z, ops.argmax(one_hot, axis=1))),
        clip_values=(threat.low, threat.high),
    )
    shared = {
        "norm": peers.ORDERS[threat.norm],
        "eps": float(threat.eps),
        "targeted": attack.targeted,
        "batch_size": job.batch_size,
    }
    if type(attack) is FGSM:
        method = FastGradientMethod(estimator, **shared)
    else:
        method = ProjectedGradientDescentTensorFlowV2(
            estimator,
            # ART refuses steps of 0; at eps = 0 the projection undoes any
            eps_step=peers.step_length(attack) or 1.0,
            max_iter=attack.steps,
            num_random_init=attack.restarts * attack.random_start if type(attack) is PGD else 0,
            verbose=False,
            **shared,
        )
    one_hot = np.eye(classifier.classes, dtype=np.float32)

    def attack_batch(part, labels):
        with np.errstate(invalid="ignore"):
            return np.clip(method.generate(part, y=one_hot[labels]), threat.low, threat.high)

    if type(attack) is FGSM:
        return fixed_cost(attack, peers.in_batches(attack_batch, job))
    with peers.seeded(job.seed):
        return peers.stepped(attack, peers.in_batches(attack_batch, job))


def import_art() -> None:
    """Import ART without the folder it makes in the home directory.

    A configuration that is already there is read as ever. Otherwise `art.config` alone is
    executed first, with an empty temporary folder for a home.
    """
    home = Path.home()
    if "art" in sys.modules or (home / ".art" / "config.json").exists():
        import art

        return
    package = importlib.util.find_spec("art")
    if package is None or package.origin is None:
        raise ImportError("no module 'art'; pip install adversarial-robustness-toolbox")
    spec = importlib.util.spec_from_file_location(
        "art.config", Path(package.origin).with_name("config.py")
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"ART at {package.origin} has no config.py")
    config: Any = importlib.util.module_from_spec(spec)
    names = ("HOME", "USERPROFILE")
    before = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory() as empty:
        try:
            os.environ.update(dict.fromkeys(names, empty))
            spec.loader.exec_module(config)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
    # where its downloads would go; made when something is downloaded
    config.ART_DATA_PATH = str(home / ".art" / "data")
    sys.modules["art.config"] = config
    import art

    art.config = config
