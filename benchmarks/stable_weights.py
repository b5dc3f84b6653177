"""What it costs to watch every weight: `training.fit` with and without StableWeights."""

import threading
from collections.abc import Callable

from benchmarks import machine
from benchmarks.measured import Goal, Measured
from benchmarks.scale import CLASSES, SHAPE, Scale, images

WITH, WITHOUT = "with the rule", "without"
BATCH = 500


def run(scale: Scale, progress: Callable[[int, int], None]) -> Measured:
    """Train two networks in turn, a few epochs each, and time the epochs past the window."""
    from robustnets.training import FixedEpochs, StableWeights, Training

    train, test, source = images(scale)
    epochs = scale.patience + scale.epochs
    fixed = FixedEpochs(epochs)
    trainings = {
        # a threshold that is never reached: it looks at every epoch and never stops
        WITH: Training((fixed, StableWeights(scale.patience, 1e-9)), batch_size=BATCH,
                       max_epochs=epochs),
        WITHOUT: Training((fixed,), batch_size=BATCH, max_epochs=epochs),
    }  # fmt: skip
    seconds = in_turn(trainings, train, test, scale.block, lambda done: progress(done, epochs))
    blocks = {
        name: [
            sum(values[i : i + scale.block])
            for i in range(scale.patience, epochs - scale.block + 1, scale.block)
        ]
        for name, values in seconds.items()
    }
    return Measured(
        "stable-weights",
        "Watching the weights",
        f"Epochs of `training.fit` on FC-100-100-10 in batches of {BATCH}, validation on "
        f"{len(test)} images included, with a rule that follows the standard deviation of each "
        f"of its 89,610 weights over {scale.patience} epochs, and without. The two trainings "
        f"take turns every {scale.block} epochs; a time below is that of one turn, and only "
        "turns after the window is full are counted.",
        blocks,
        (WITHOUT,),
        (Goal(WITH, 1.05, WITHOUT),),
        {"images": f"{len(train)} ({source})", "epochs timed": len(blocks[WITH]) * scale.block,
         **machine.versions("keras", "tensorflow", "numpy")},
    )  # fmt: skip


def in_turn(trainings, train, validation, block: int, progress: Callable[[int], None]):
    """Train one network per training, `block` epochs at a time each.

    Each `fit` runs in a thread of its own and is held between two epochs while it is the
    other's turn, so that neither is cut into pieces.

    Returns:
        Seconds of each epoch, by name.

    Raises:
        Exception: whatever a `fit` raises.
    """
    from robustnets.models import fc_100_100_10
    from robustnets.training.fit import fit

    names = list(trainings)
    turns = {name: threading.Event() for name in names}
    following = dict(zip(names, names[1:] + names[:1]))
    seconds: dict[str, list[float]] = {}
    problems: list[BaseException] = []

    def hand_over(name: str) -> None:
        turns[name].clear()
        turns[following[name]].set()

    def work(name: str) -> None:
        def after_epoch(epoch: int, epochs: int, logs: dict[str, float]) -> None:
            progress(epoch)
            if epoch % block == 0 and epoch < epochs and not problems:
                hand_over(name)
                turns[name].wait()

        turns[name].wait()
        try:
            model = fc_100_100_10(SHAPE, CLASSES, seed=0)
            fitted = fit(model, train, validation, trainings[name], 0, progress=after_epoch)
            seconds[name] = fitted.curves["seconds"].tolist()
        except BaseException as problem:  # raised again below, in the caller's thread
            problems.append(problem)
            for turn in turns.values():
                turn.set()
        hand_over(name)  # for good

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    turns[names[0]].set()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return seconds
