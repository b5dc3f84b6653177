"""What an evaluation found, example by example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robustnets.core.threat import ThreatModel
from robustnets.evaluation.curve import Curve, Nearest
from robustnets.evaluation.outcome import WorstCase, combined
from robustnets.evaluation.sanity import Check
from robustnets.evaluation.subject import Subject
from robustnets.evaluation.threats import UNDEFENDED, Row
from robustnets.report.page import Page
from robustnets.stats.intervals import Interval, rate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, slots=True)
class Attacker:
    """One row of an evaluation, carried out.

    Args:
        row: who attacked.
        case: what was left.
        predicted: int64 (N,), a class for each outcome of `case`, see `judged_classes`.
        source_class: int64 (N,), what the model that examples are crafted on says of the
            examples as they stand, where that is another one than the victim; else None.
    """

    row: Row
    case: WorstCase
    predicted: np.ndarray
    source_class: np.ndarray | None = None

    @property
    def took_part(self) -> bool:
        """False where a budget left all its attacks out, so that nothing is known of it."""
        return any(part.attacked for part in self.case.parts) or not self.case.right.any()

    @property
    def accuracy(self) -> Interval:
        """Robust accuracy against this attacker alone."""
        return rate(int(self.case.robust.sum()), len(self.case.y))

    @property
    def source_accuracy(self) -> Interval | None:
        """Accuracy of the other model that examples are crafted on, or None.

        What is crafted on a model that is itself wrong says little about the victim.
        """
        if self.source_class is None:
            return None
        return rate(int((self.source_class == self.case.y).sum()), len(self.case.y))


@dataclass(frozen=True, eq=False, slots=True)
class Convergence:
    """How an average over draws pays off.

    Args:
        draws: int (D,), passes averaged in each gradient.
        robust: bool (D, M), of the first M examples; what falls here counts in the worst of all.
        attack: what was run, but for its draws.
    """

    draws: tuple[int, ...]
    robust: np.ndarray
    attack: Any


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Evaluation:
    """How robust a model is, with all that is behind the number.

    `robust_accuracy` is the share of all examples that are right as they stand and that no
    attacker broke, whatever the attacker knows. Where `upper_bound` has reasons, the true one
    may be lower for these reasons.

    Args:
        threat: norm and radius.
        suite: its name.
        seed: of every draw.
        subject: the model, the defense, and what was found of it.
        attackers: rows in order.
        nearest: the nearest adversarial example known for each example.
        predicted: int64 (N,), what the model takes `nearest.x` for, never the true class where
            that is an adversarial example; the true class where none is known.
        curve: over the radius.
        convergence: for a model that draws at random, or None.
        checks: the sanity block.
        recipe: how the defense was taken apart, a sentence.
        upper_bound: why the number is only an upper bound, a sentence each; empty where it
            is not.
        left_out: what a budget left out or cut down.
        seconds: wall clock of all attacks, those read from a store with what they took then.
        class_names: one for each logit.
        about: facts such as the model's file, the data, the command, versions.
    """

    threat: ThreatModel
    suite: str
    seed: int
    subject: Subject
    attackers: tuple[Attacker, ...]
    nearest: Nearest
    predicted: np.ndarray
    curve: Curve
    convergence: Convergence | None
    checks: tuple[Check, ...]
    recipe: str
    upper_bound: tuple[str, ...]
    left_out: tuple[str, ...]
    seconds: float
    class_names: tuple[str, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def found(self) -> WorstCase:
        """The worst of all attackers of the defended model."""
        return combined([a.case for a in self.attackers if a.row.counts])

    @property
    def y(self) -> np.ndarray:
        """int64 (N,), true labels."""
        return self.attackers[0].case.y

    @property
    def x(self) -> np.ndarray:
        """float32 (N, H, W, C), the examples as they stand."""
        return self.attackers[0].case.clean

    @property
    def right(self) -> np.ndarray:
        """bool (N,): right as it stands."""
        return self.nearest.distance > 0

    @property
    def robust(self) -> np.ndarray:
        """bool (N,): right, and no adversarial example within eps is known."""
        return self.nearest.robust(self.threat.eps)

    @property
    def accuracy(self) -> Interval:
        """Share of all examples that are right as they stand."""
        return rate(int(self.right.sum()), len(self.y))

    @property
    def robust_accuracy(self) -> Interval:
        """Share of all examples that are right and that nobody broke."""
        return rate(int(self.robust.sum()), len(self.y))

    @property
    def undefended(self) -> Attacker | None:
        """The model without its defense under attack, or None."""
        return self.who(UNDEFENDED)

    def who(self, knowledge: str) -> Attacker | None:
        """The first attacker of this kind that took part, or None."""
        some = (a for a in self.attackers if a.row.knowledge == knowledge and a.took_part)
        return next(some, None)

    @property
    def headline(self) -> str:
        """The number in one sentence, Markdown."""
        robust, clean = self.robust_accuracy, self.accuracy
        kind = "Upper bound only: robust accuracy" if self.upper_bound else "Robust accuracy"
        return (
            f"{kind} in {self.threat.norm} at eps {radius_text(self.threat.eps)}"
            f"{self.threat.units}: "
            f"**{robust.estimate:.1%}** (95 % interval {robust.low:.1%} to {robust.high:.1%}, "
            f"n = {robust.n}); accuracy without an attack {clean.estimate:.1%} "
            f"({clean.low:.1%} to {clean.high:.1%})."
        )

    def __repr__(self) -> str:
        said = self.headline.replace("**", "")
        return f"<Evaluation of {self.subject.classifier.model.name}, {self.suite}: {said}>"

    def short_of(self, bar: float) -> str:
        """Why the robust accuracy is not known to reach a bar, in a sentence; "" where it is.

        A number that is an upper bound only is short of every bar above 0: whatever it says,
        the true one may be lower.

        Args:
            bar: robust accuracy in [0, 1].
        """
        reached = self.robust_accuracy.estimate
        if reached < bar:
            return f"robust accuracy {reached:.3f} is below {bar:g}"
        if self.upper_bound and bar > 0:
            why = " ".join(self.upper_bound)
            return (
                f"robust accuracy {reached:.3f} is an upper bound only, so it does not show that "
                f"{bar:g} is reached: {why}"
            )
        return ""

    def to_frame(self) -> "pd.DataFrame":
        """One row for each example, for pandas: `evaluation.to_frame().to_csv(path)`.

        Returns:
            N rows, numbered by the index "example", with the columns "label" and "clean" int,
            the true class and the one predicted without an attack; "clean_correct" bool, and
            "robust" bool, whether it is right and nobody broke it within eps, whose means are
            `accuracy` and `robust_accuracy`; "distance" float64, in the norm of the threat, of
            the nearest adversarial example known: 0 where the example is wrong as it stands,
            infinite where none is known; "nearest" int, the class predicted there. Then for
            each attacker that took part, by the key of its row, "KEY: outcome", which is
            "wrong" (as it stands), "broken" or "robust"; "KEY: broken by", the name of the
            attack, or ""; "KEY: predicted" int, what its victim says of the attacked example;
            "KEY: forward" and "KEY: backward" int, the passes spent on the example.
        """
        import pandas as pd

        attacked = next(a for a in self.attackers if a.row.counts)
        columns: dict[str, Any] = {
            "label": self.y,
            # an example that is wrong as it stands is left as it stands
            "clean": np.where(self.right, self.y, attacked.predicted),
            "clean_correct": self.right,
            "robust": self.robust,
            "distance": self.nearest.distance,
            "nearest": self.predicted,
        }
        for a in self.attackers:
            if not a.took_part:
                continue
            key, case = a.row.key, a.case
            names = [type(part.attack).__name__ for part in case.parts]
            columns |= {
                f"{key}: outcome": np.select(
                    [case.robust, case.right], ["robust", "broken"], "wrong"
                ),
                f"{key}: broken by": [names[i] if i >= 0 else "" for i in case.broken_by],
                f"{key}: predicted": a.predicted,
                f"{key}: forward": case.forward,
                f"{key}: backward": case.backward,
            }
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.y), name="example"))

    def page(self) -> Page:
        """The evaluation as a page."""
        from robustnets.evaluation.page import page_of

        return page_of(self)

    def summary(self) -> Page:
        """The number, the attackers and the checks alone, for a terminal."""
        from robustnets.evaluation.page import summary_of

        return summary_of(self)

    def save(self, folder: str | Path) -> Path:
        """Write the page, Records, every example's outcome and `model_info.json`.

        Args:
            folder: gets index.html, README.md, tables/, figures/, records/*.npz,
                outcomes.npz and model_info.json.

        Returns:
            The path of index.html.
        """
        from robustnets.evaluation.export import save

        return save(self, Path(folder))

    def _repr_html_(self) -> str:
        from robustnets.evaluation.page import summary_html

        return summary_html(self)


def radius_text(eps: float) -> str:
    """A radius as people write it: "8/255" where it is one, else "0.1".

    Example:
        >>> radius_text(8 / 255), radius_text(0.1)
        ('8/255', '0.1')
    """
    levels = eps * 255
    whole = round(levels)
    # a radius such as 0.2 is 51/255, too, and nobody writes it so
    if 0 < whole <= 32 and abs(levels - whole) < 1e-6 and len(f"{eps:g}") > 4:
        return f"{whole}/255"
    return f"{eps:g}"
