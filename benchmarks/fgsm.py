"""FGSM through each engine and through Foolbox, on the same network and images."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import machine, timing
from benchmarks.measured import Measured
from benchmarks.scale import CLASSES, SHAPE, Scale, images

EPS, BATCH = 0.1, 500
NATIVE, FLOOR = "native", "one forward and one backward pass"


def run(scale: Scale, progress: Callable[[int, int], None]) -> Measured:
    """Time each way to the same examples, and say how far they agree."""
    from robustnets import engines
    from robustnets.attacks import FGSM
    from robustnets.core.threat import ThreatModel
    from robustnets.models import Classifier, fc_100_100_10
    from robustnets.training import FixedEpochs, Training
    from robustnets.training.fit import fit

    train, test, source = images(scale)
    model = fc_100_100_10(SHAPE, CLASSES, seed=0)
    fit(model, train, test, Training((FixedEpochs(3),), batch_size=BATCH, max_epochs=3), 0)
    classifier = Classifier(model)
    attack = FGSM(ThreatModel("linf", EPS))
    made: dict[str, np.ndarray] = {}

    def through(engine: str) -> Callable[[], None]:
        def attacked() -> None:
            made[engine] = engines.run(
                attack, classifier, test.x, test.y, engine=engine, batch_size=BATCH
            ).x

        return attacked

    sides = {name: through(name) for name in engines.ENGINES}
    notes = []
    if importlib.util.find_spec("foolbox") is None:
        notes.append("Foolbox is not installed and was left out; it comes with the extra `dev`.")
    else:
        sides["foolbox"] = _foolbox(model, test, made)
    sides[FLOOR] = _passes(classifier, test)
    seconds = timing.interleaved(sides, scale.rounds, progress=progress)
    notes += [
        f"{name}: {np.isclose(x, made[NATIVE], rtol=0, atol=1e-6).mean():.4%} of the pixels are "
        "those of native."
        for name, x in made.items()
        if name != NATIVE
    ]
    packages = ["keras", "tensorflow", "adversarial-robustness-toolbox", "cleverhans"]
    packages += ["foolbox"] if "foolbox" in sides else []
    return Measured(
        "fgsm",
        "One gradient step",
        f"FGSM in linf at eps {EPS:g} on FC-100-100-10 after three epochs, in batches of {BATCH}, "
        "from NumPy images to NumPy images, checks included. ART and CleverHans run through our "
        "engines, which hand them compiled logits and batches of one shape; Foolbox runs by its "
        f"own `LinfFastGradientAttack` over its `TensorFlowModel`. **{FLOOR}** is the gradient "
        "alone, compiled, over batches that are on the device already.",
        seconds,
        (NATIVE, FLOOR),
        (),
        {"images": f"{len(test)} ({source})", **machine.versions(*packages)},
        tuple(notes),
    )


def _foolbox(model: Any, test: Any, made: dict[str, np.ndarray]) -> Callable[[], None]:
    import foolbox
    import tensorflow as tf

    wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1))
    attack = foolbox.attacks.LinfFastGradientAttack()

    def attacked() -> None:
        parts = []
        for start in range(0, len(test), BATCH):
            rows = slice(start, start + BATCH)
            x, y = tf.constant(test.x[rows]), tf.constant(test.y[rows].astype(np.int64))
            _, clipped, _ = attack(wrapped, x, y, epsilons=EPS)
            parts.append(clipped.numpy())
        made["foolbox"] = np.concatenate(parts)

    return attacked


def _passes(classifier: Any, test: Any) -> Callable[[], None]:
    import keras

    from robustnets import backend
    from robustnets.attacks.losses import cross_entropy

    gradient = backend.compiled(
        lambda x, y: backend.value_and_grad(lambda z: cross_entropy(classifier.logits(z), y))(x)[1]
    )
    parts = [
        (
            keras.ops.convert_to_tensor(test.x[i : i + BATCH]),
            keras.ops.convert_to_tensor(test.y[i : i + BATCH].astype(np.int32)),
        )
        for i in range(0, len(test), BATCH)
    ]

    def passes() -> None:
        for part in parts:
            last = gradient(*part)
        keras.ops.convert_to_numpy(last)

    return passes
