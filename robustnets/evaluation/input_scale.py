"""Whether images come in the scale that a model was trained on, which its accuracy gives away.

A network that wants images in 0..255 or in [-1, 1] still answers images in [0, 1], only worse, and
a radius means something else to it. So the same images are shown to it in the scales that are
usual, and the answers compared.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from scipy.stats import binom, binomtest

from robustnets.core.dataset import evenly_by_class
from robustnets.engines import memory
from robustnets.evaluation.scales import Scale, usual
from robustnets.models.classifier import Classifier

EXAMPLES = 200  # that are looked at, evenly by class
CHANCE = 0.02  # p below which a difference between two scales is none of chance
GAIN, LEAST_GAIN = 0.25, 0.03  # in accuracy: enough alone to refuse, and the least to be told
CLEARLY_WRONG = 10  # examples that one class for everything gets wrong, none of them by chance
ALIKE = 3  # scales that are named, where the images cannot tell them apart
SAME = 0.02  # of accuracy: between scales so close the likelihood decides
TEMPERATURES = 2.0 ** np.arange(-4, 9)
GUESS = 0.01  # chance of so many right ones among guesses, above which they may be guesses


@dataclass(frozen=True, slots=True)
class Entry:
    """How remedies are given to whoever asked.

    Args:
        in_front: how the scaling is put in front of the model: {layer}, {call}, {shape}.
        take_range: how another box is given: {low}, {high}, {code}; "" where it cannot be.
        meant: how to say that the scale as it is is meant: {low}, {high}; "" where it cannot
            be said.
    """

    in_front: str
    take_range: str
    meant: str


PYTHON = Entry(
    "put it in front: u = keras.Input({shape}); model = keras.Model(u, model({call}))",
    "for images u in [0, 1] give x = {code} with low={low}, high={high} and eps in these units",
    "If the images are right as they are, give their box by name: low={low}, high={high}",
)
PYTHON_ATTACK = Entry(
    PYTHON.in_front,
    "for images u in [0, 1] give x = {code} and attacks whose ThreatModel has low={low}, "
    "high={high} and eps in these units",
    "If the images are right as they are, pass range_given=True",
)
COMMAND = Entry(
    "put {layer} in front of it and save it again",
    "give --input-range {low},{high} and --eps in these units",
    "If the images are right as they are, give --input-range {low},{high}",
)
COMMAND_WITHOUT_RANGE = Entry("put {layer} in front of it and save it again", "", "")


LARGE = 10.0  # a largest value above which images are those of 0..255


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What a model says of images.

    Args:
        predicted: int64 (N,); -1 where its numbers are not finite.
        right: bool (N,).
        likelihood: mean log-likelihood of the labels at the best temperature, so that larger
            images, and with them larger logits, have no part in it.
    """

    predicted: np.ndarray
    right: np.ndarray
    likelihood: float

    @classmethod
    def to(cls, classifier: Classifier, x: np.ndarray, y: np.ndarray) -> "Answers":
        """Ask the model about x, float32 (N, H, W, C), of the classes y, int64 (N,)."""
        size = memory.batch_size(None, classifier)
        logits = classifier.predict(np.ascontiguousarray(x, np.float32), size)
        finite = np.isfinite(logits).all(axis=1)
        predicted = np.where(finite, logits.argmax(axis=1), -1)
        likelihood = -math.inf
        if finite.all():
            likelihood = max(
                log_softmax(logits / temperature, axis=1)[np.arange(len(y)), y].mean()
                for temperature in TEMPERATURES
            )
        return cls(predicted, predicted == y, likelihood)

    @property
    def accuracy(self) -> float:
        """Share of right ones."""
        return float(self.right.mean())


def check_scale(
    classifier: Classifier,
    x: np.ndarray,
    y: np.ndarray,
    *,
    low: float = 0.0,
    high: float = 1.0,
    given: bool = False,
    entry: Entry = PYTHON,
) -> str:
    """Refuse images that a model does not take as they are; say where it only guesses.

    Args:
        classifier: the victim, defense included.
        x: float32 (N, H, W, C) in [low, high].
        y: int64 (N,), true labels.
        low, high: the box.
        given: whether somebody named the box. What would be refused is then a warning, unless
            it is that very box that the images are not scaled to.
        entry: how remedies are given.

    Returns:
        What was warned of, or "".

    Raises:
        ValueError: where another usual scale does far better, or all predictions are one
            class although the labels are not; saying what to do.
    """
    rows = evenly_by_class(y, EXAMPLES)
    x, y = x[rows], y[rows]
    answers = Answers.to(classifier, x, y)
    meant = entry.meant.format(low=f"{low:g}", high=f"{high:g}")
    better = _better(classifier, x, y, answers, low, high)
    if better is not None:
        (scale, theirs), *near = better
        alike = "".join(f", and on {a.accuracy:.0%} {s.words}" for s, a in near)
        alike = f"{alike}; take the one that it was trained with" if alike else ""
        said = (
            f"the model is right on {answers.accuracy:.0%} of the images as they are given, in "
            f"[{x.min():.3g}, {x.max():.3g}], and on {theirs.accuracy:.0%} of the same images "
            f"{scale.words}{alike}: {_remedy(scale, classifier, entry, low, high)}"
        )
        refused = _by_far(answers, theirs) and (not given or scale.box == (low, high))
        # noise inside a model weighs less on larger images, whatever it was trained with
        refused = refused and not classifier.randomness
    else:
        said = _guessing(classifier, y, answers)
        others = int((y != answers.predicted[0]).sum())
        refused = _constant(answers) and others >= CLEARLY_WRONG and not given
    if refused:
        more = "" if given or not meant else f" {meant}" if said.endswith("?") else f". {meant}"
        raise ValueError(said + more)
    if said:
        warnings.warn(said, stacklevel=3)
    return said


def _constant(answers: Answers) -> bool:
    return len(answers.predicted) > 1 and len(np.unique(answers.predicted)) == 1


def _guessing(classifier: Classifier, y: np.ndarray, answers: Answers) -> str:
    """What is to be said of a model that seems to know nothing of these labels, or ""."""
    question = (
        "is it trained, are the labels its own, in its order, and is what prepares its images "
        "part of it?"
    )
    right, n = int(answers.right.sum()), len(y)
    if _constant(answers) and right < n:
        return (
            f"the model gives class {answers.predicted[0]} for all {n} images, of which {right} "
            f"are of that class, so that what it withstands says nothing: {question}"
        )
    counts = np.bincount(y)
    if answers.accuracy <= 0.5 and binom.sf(right - 1, n, 1 / classifier.classes) > GUESS:
        what = f"a guess among {classifier.classes} classes"
    elif right <= counts.max() < n and n >= 2 * CLEARLY_WRONG:
        what = f"always saying class {counts.argmax()}"
    else:
        return ""
    return f"the model is right on {right} of {n} examples, no better than {what}: {question}"


def _better(
    classifier: Classifier, x: np.ndarray, y: np.ndarray, given: Answers, low: float, high: float
) -> list[tuple[Scale, Answers]] | None:
    """The scale in which the model does clearly better, its answers there, and scales as good."""
    wrong = int((~given.right).sum())
    # fewer could not be told from chance, and are no reason to ask again and again
    if wrong == 0 or binomtest(wrong, wrong, 0.5).pvalue > CHANCE:
        return None
    most = np.bincount(y).max() / len(y)
    found = []
    for scale in usual(x, low, high):
        if np.allclose(scale.x, x, rtol=0, atol=1e-3 * (high - low)):
            continue
        theirs = Answers.to(classifier, scale.x, y)
        gained = int((theirs.right & ~given.right).sum())
        lost = int((given.right & ~theirs.right).sum())
        differs = gained > lost and binomtest(gained, gained + lost, 0.5).pvalue < CHANCE
        knows = binom.sf(theirs.right.sum() - 1, len(y), most) < CHANCE
        if differs and knows:
            found.append((scale, theirs))
    if not found:
        return None
    best = max(theirs.accuracy for _, theirs in found)
    # neighbouring scales hardly differ: first the box that was named, then those that are fixed,
    # then the small ones, because images far larger than its own change few answers of a network,
    # then the likelier ones
    same = max(SAME, 2.5 / len(y))
    near = [pair for pair in found if pair[1].accuracy >= best - same]
    named = (low, high)
    near.sort(
        key=lambda p: (
            p[0].box != named,
            p[0].fitted,
            np.abs(p[0].x).max() > LARGE,
            -p[1].likelihood,
        )
    )
    theirs = near[0][1]
    told = _by_far(given, theirs) or (
        theirs.accuracy >= 0.5 and theirs.accuracy - given.accuracy >= LEAST_GAIN
    )
    return near[:ALIKE] if told else None


def _by_far(given: Answers, theirs: Answers) -> bool:
    """Whether another scale explains most of what a model gets wrong."""
    gain = theirs.accuracy - given.accuracy
    halved = 1 - theirs.accuracy <= 0.5 * (1 - given.accuracy)
    return gain > GAIN or (halved and gain >= LEAST_GAIN)


def _remedy(scale: Scale, classifier: Classifier, entry: Entry, low: float, high: float) -> str:
    """What to do, or what to do instead."""
    ways = []
    if entry.take_range and scale.box is not None:
        lowest, highest = (f"{v:g}" for v in scale.box)
        ways.append(entry.take_range.format(low=lowest, high=highest, code=scale.code))
    if (low, high) == (0, 1):
        call, shape = scale.call or f"{scale.layer}(u)", classifier.image_shape
        ways.append(entry.in_front.format(layer=scale.layer, call=call, shape=shape))
    elif not ways:
        ways.append("scale the images so")
    return ", or ".join(ways)
