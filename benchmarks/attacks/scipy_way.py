"""SciPy's L-BFGS-B, image by image, over a compiled gradient: the loop that L-BFGS replaces.

The same objective, box, search for c and number of evaluations as `attacks.LBFGS`; and, as
there, the nearest success of all points that the model was asked about is the result.
"""

from typing import Any

import numpy as np

from benchmarks.attacks.ways import Way
from robustnets.attacks.carlini_wagner import LARGEST
from robustnets.models import Classifier


def lbfgs(classifier: Classifier, attack: Any, batch: int) -> Way:
    """One image after the other, the batch of the gradient is one."""
    del batch
    import keras
    from scipy.optimize import minimize

    from robustnets import backend
    from robustnets.attacks import losses
    from robustnets.attacks.lbfgs import _loss

    def evaluate(image, origin, y, c):
        def objective(inputs):
            z = classifier.logits(inputs)
            far = keras.ops.sum(keras.ops.square(inputs - origin), axis=(1, 2, 3))
            value = far + c * _loss(z, y, attack.targeted)
            return value, (far, losses.is_hit(z, y, attack.targeted))

        return backend.value_and_grad(objective, aux=True)(image)

    compiled = backend.compiled(evaluate)
    asked = [0]

    def attack_one(x, y):
        origin = keras.ops.convert_to_tensor(x[None])
        label = keras.ops.convert_to_tensor(y[None].astype(np.int32))
        best, distance = x, np.inf
        c, lower, upper = attack.first, 0.0, LARGEST
        for _ in range(attack.rounds):
            weight = keras.ops.convert_to_tensor(np.float32([c]))
            last = False

            def both(flat, weight=weight):
                nonlocal best, distance, last
                image = flat.reshape(x.shape).astype(np.float32)
                (value, (far, hit)), slope = compiled(
                    keras.ops.convert_to_tensor(image[None]), origin, label, weight
                )
                asked[0] += 1
                last = bool(hit[0])
                if last and float(far[0]) < distance:
                    best, distance = image, float(far[0])
                return float(value[0]), np.asarray(slope, np.float64).ravel()

            found = minimize(
                both,
                x.ravel().astype(np.float64),
                jac=True,
                method="L-BFGS-B",
                bounds=[(attack.threat.low, attack.threat.high)] * x.size,
                options={
                    "maxiter": attack.steps,
                    "maxfun": attack.steps,
                    "maxcor": attack.history,
                },
            )
            both(found.x)
            if last:
                upper = min(upper, c)
            else:
                lower = max(lower, c)
            if upper >= LARGEST:
                c = min(10 * c, LARGEST)
            else:
                c = np.sqrt(lower * upper) if lower > 0 else upper / 10
        return best

    def attacked(x, y):
        asked[0] = 0
        return np.stack([attack_one(one, label) for one, label in zip(x, y)])

    return Way(attacked, lambda: (asked[0], asked[0]))
