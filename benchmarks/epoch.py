"""One epoch of FC-100-100-10: one compiled call against `keras.Model.fit`."""

import itertools
from collections.abc import Callable

import numpy as np

from benchmarks import machine, timing
from benchmarks.measured import Goal, Measured
from benchmarks.scale import CLASSES, SHAPE, Scale, images

BATCH = 128
OURS, KERAS, FLOOR = "one compiled epoch", "model.fit", "bare matrix products"
TEXT = f"""One training epoch of FC-100-100-10 in batches of {BATCH}, SGD with Nesterov momentum.

- **{OURS}**: what `robustnets.training.fit` does in an epoch up to validation: it draws the order,
  then `backend.epoch_function` gathers, differentiates and updates in one call.
- **{KERAS}**: `keras.Model.fit(x, y, batch_size={BATCH}, epochs=1, verbose=0)` after `compile`
  with the same optimiser and loss, everything else as Keras has it.
- **{FLOOR}**: the matrix products of the forward and backward passes of the same batches and
  nothing else, in NumPy, on one thread or on all, whichever is faster: no activations, no loss,
  no update, no gathering. Whatever trains this network in these batches has to do them."""


def run(scale: Scale, progress: Callable[[int, int], None]) -> Measured:
    """Time it; compilation is left out."""
    import keras

    from robustnets import backend
    from robustnets.models import fc_100_100_10
    from robustnets.training.fit import batch_order, cross_entropy

    train, _, source = images(scale)
    sgd = {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}

    ours = fc_100_100_10(SHAPE, CLASSES, seed=0)
    optimizer = keras.optimizers.SGD(**sgd)
    optimizer.build(ours.trainable_variables)
    epoch = backend.epoch_function(ours, optimizer, cross_entropy, xla=True)
    x, y = map(keras.ops.convert_to_tensor, (train.x, train.y.astype("int32")))

    theirs = fc_100_100_10(SHAPE, CLASSES, seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    theirs.compile(keras.optimizers.SGD(**sgd), loss)

    steps = len(train) // BATCH
    products, threads = on_best_threads(
        matrix_products(train.x.reshape(len(train), -1), steps), max(1, scale.rounds // 5)
    )
    seconds = timing.interleaved(
        {
            OURS: lambda: epoch(x, y, batch_order(len(train), BATCH, 0, 0)),
            KERAS: lambda: theirs.fit(train.x, train.y, batch_size=BATCH, epochs=1, verbose=0),
            FLOOR: products,
        },
        scale.rounds,
        progress=progress,
    )
    giga = multiplications(steps * BATCH) / 1e9
    return Measured(
        "epoch",
        "An epoch of training",
        TEXT,
        seconds,
        (KERAS, FLOOR),
        (Goal(OURS, 1 / 3, KERAS),),
        {"images": f"{len(train)} ({source})", "steps": steps,
         **machine.versions("keras", "tensorflow", "numpy")},
        (
            f"The products are {giga:.1f} Gflop: {giga / np.median(seconds[FLOOR]):.0f} Gflop/s "
            f"in NumPy ({threads}), {giga / np.median(seconds[OURS]):.0f} Gflop/s in the compiled "
            "epoch.",
            f"Ours drops the incomplete last batch ({len(train) - steps * BATCH} images), "
            "`model.fit` trains on it too.",
        ),
    )  # fmt: skip


def multiplications(examples: int) -> float:
    """Floating-point operations in the matrix products: forward, then both backward ones.

    The first layer needs no gradient with respect to its input.
    """
    first, rest = 784 * 100, 100 * 100 + 100 * 10
    return 2.0 * examples * (2 * first + 3 * rest)


def on_best_threads(call: Callable[[], None], rounds: int) -> tuple[Callable[[], None], str]:
    """The same call with NumPy on one thread or on all of them, whichever is faster now."""
    from threadpoolctl import threadpool_limits

    def limited(threads: int | None) -> Callable[[], None]:
        def limited_call() -> None:
            with threadpool_limits(threads, user_api="blas"):
                call()

        return limited_call

    one, every = "one thread", "all threads"
    sides = {one: limited(1), every: limited(None)}
    seconds = timing.interleaved(sides, rounds)
    best = min(sides, key=lambda name: min(seconds[name]))
    return sides[best], best


def matrix_products(flat: np.ndarray, steps: int) -> Callable[[], None]:
    """A function that does the products of one epoch into memory that is there already."""
    rng = np.random.default_rng(0)
    widths = (flat.shape[1], 100, 100, CLASSES)
    kernels = [rng.random(shape, np.float32) for shape in itertools.pairwise(widths)]
    values = [rng.random((BATCH, width), np.float32) for width in widths[1:]]
    errors = [np.empty_like(value) for value in values]
    errors[-1][:] = values[-1]
    gradients = [np.empty_like(kernel) for kernel in kernels]

    def epoch() -> None:
        for start in range(0, steps * BATCH, BATCH):
            layers = [flat[start : start + BATCH], *values]
            for i, kernel in enumerate(kernels):
                np.matmul(layers[i], kernel, out=layers[i + 1])
            for i in (2, 1, 0):
                np.matmul(layers[i].T, errors[i], out=gradients[i])
                if i:
                    np.matmul(errors[i], kernels[i].T, out=errors[i - 1])

    return epoch
