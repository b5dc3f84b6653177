"""The same attack on the same examples through several engines: do they agree, at what price?"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustnets import engines
from robustnets.attacks import EveryPixel, OnePixel, balls
from robustnets.engines import Adversarial
from robustnets.models.classifier import Classifier
from robustnets.report.table import Percent, Seconds, Table
from robustnets.stats.intervals import rate

SAME = 1e-5  # of the box: what rounding makes of the same computation
COLUMNS = (
    "engine",
    "success, percent",
    "median distance",
    "same outcome as native, percent",
    "same example as native, percent",
    "largest difference",
    "forward passes",
    "backward passes",
    "time",
    "time again",
)
TWICE = 10.0  # seconds: what took less is run again, to see what compilation was


@dataclass(frozen=True, eq=False, slots=True)
class Carried:
    """What became of an attack in one engine.

    Args:
        engine: its name.
        made: the examples, or None where the engine refused.
        why: what it said then.
        again: seconds of a second run, with everything compiled, or None if there was none.
    """

    engine: str
    made: Adversarial | None
    why: str = ""
    again: float | None = None


def carry_out(
    attack: Any,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    names: Sequence[str] = engines.ENGINES,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Carried, ...]:
    """Attack the same examples through every engine.

    Args:
        attack: the spec.
        classifier, x, y, seed, batch_size: as for `engines.run`.
        names: of `engines.ENGINES`, in the order of the rows.
        progress: called with (engine, examples done, of how many).

    Raises:
        ValueError: for an unknown engine, or arguments that no engine takes.
    """
    carried = []
    for name in names:
        report: Any = False if progress is None else functools.partial(progress, name)

        def attack_all(name=name, report=report):
            return engines.run(
                attack,
                classifier,
                x,
                y,
                engine=name,
                seed=seed,
                batch_size=batch_size,
                progress=report,
            )

        try:
            made = attack_all()
        except (ValueError, RuntimeError) as problem:
            # what native does not take is wrong for all
            if name == "native" or name not in engines.ENGINES:
                raise
            carried.append(Carried(name, None, str(problem)))
        else:
            again = attack_all().seconds if made.seconds < TWICE else None
            carried.append(Carried(name, made, again=again))
    return tuple(carried)


def distance(attack: Any, x: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """How far each example was moved in the norm of the attack, float64 (N,)."""
    if isinstance(attack, (OnePixel, EveryPixel)):
        return balls.pixels(x, moved).astype(float)
    return balls.distances(x, moved)[attack.threat.norm].astype(float)


def compare(
    attack: Any,
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    carried: Sequence[Carried],
) -> Table:
    """One row per engine that carried the attack out.

    Success is over the examples that were no success as they stand, the median distance too,
    with failures infinitely far. Agreement is with the native engine, example by example.

    Args:
        attack: the spec.
        classifier, x, y: what was attacked.
        carried: as `carry_out` gives it.

    Raises:
        ValueError: if every example is a success as it stands, so that nothing was attacked.
    """
    predicted = classifier.predict(x).argmax(axis=1)
    rows = np.flatnonzero((predicted == y) != attack.targeted)
    if len(rows) == 0:
        raise ValueError("every example is a success as it stands: there is nothing to attack")
    native = next((c.made for c in carried if c.engine == "native"), None)
    width = attack.threat.high - attack.threat.low
    lines = []
    for one in carried:
        made = one.made
        if made is None:
            continue
        moved, hit = made.x[rows], made.success[rows]
        far = np.where(hit, distance(attack, x[rows], moved), np.inf)
        agreement: tuple = (None, None, None)
        if native is not None and one.engine != "native":
            apart = np.abs(moved - native.x[rows]).reshape(len(rows), -1).max(axis=1)
            agreement = (
                Percent(float((hit == native.success[rows]).mean()), 1),
                Percent(float((apart <= SAME * width).mean()), 1),
                float(apart.max()),
            )
        lines.append(
            (
                one.engine,
                Percent(rate(int(hit.sum()), len(rows)), 1),
                float(np.median(far)),
                *agreement,
                float(made.forward[rows].mean()),
                float(made.backward[rows].mean()),
                Seconds(made.seconds),
                Seconds(one.again),
            )
        )
    caption = (
        f"{attack!r} on {len(rows)} of {len(x)} examples, those that are no success as they "
        "stand. Success with its 95 % interval; the median counts failures as infinitely far; "
        f"same examples differ by at most {SAME:g} of the box in any value; passes are means "
        f"per example. Time includes compilation; what took less than {TWICE:g} s is run again "
        "without it."
    )
    return Table(COLUMNS, tuple(lines), caption)
