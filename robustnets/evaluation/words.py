"""What an evaluation's page says in sentences, all of it computed."""

import numpy as np

from robustnets.evaluation.evaluation import Attacker, Evaluation, radius_text
from robustnets.evaluation.threats import GRAY
from robustnets.report.cells import points, seconds
from robustnets.stats.distances import median_distance
from robustnets.stats.paired import PairedRates, paired_rates

GROUPS = {True: "the model as it is", False: "without its defense"}


def title(found: Evaluation) -> str:
    """The page's title."""
    name = str(found.about.get("model", found.subject.classifier.model.name))
    behind = f" behind {found.subject.defense}" if found.subject.defense else ""
    return f"How robust is {name}{behind}?"


def lead(found: Evaluation) -> str:
    """The number, why it is a bound if it is, and the verdict on a defense."""
    said = [found.headline]
    if found.upper_bound:
        said.append(" ".join(found.upper_bound))
    return "\n\n".join(said)


def verdict(found: Evaluation) -> str:
    """Who did most, and what the defense is worth, in words."""
    attackers = [a for a in found.attackers if a.row.counts and a.took_part]
    if not attackers:
        return "There was no time for any attack."
    best = min(attackers, key=lambda a: a.case.robust_accuracy)
    said = [
        f"The strongest attacker alone is **{best.row.label}** ({best.row.how}): "
        f"{best.case.robust_accuracy:.1%} of the examples withstand it, and "
        f"{found.robust_accuracy.estimate:.1%} withstand all."
    ]
    undefended, gray = found.undefended, found.who(GRAY)
    if undefended is not None and gray is not None:
        said.append(worth(found, undefended, gray))
    return "\n\n".join(said)


def worth(found: Evaluation, undefended: Attacker, gray: Attacker) -> str:
    """What the defense gains against one who does not know it, and against all."""
    bare = undefended.case.robust
    seeming, real = paired_rates(gray.case.robust, bare), paired_rates(found.robust, bare)
    said = (
        f"Without the defense {undefended.case.robust_accuracy:.1%} of the examples withstand "
        f"gradient attacks. Behind it {gray.case.robust_accuracy:.1%} withstand attacks crafted "
        f"without it, a difference of {_difference(seeming)}; "
        f"**{found.robust_accuracy.estimate:.1%} withstand all attackers, a difference of "
        f"{_difference(real)}**."
    )
    gain = real.difference
    if gain.low > 0:
        kept = "" if seeming.difference.estimate <= 0 else (
            f" Of the {points(seeming.difference.estimate, 1)} points that the defense seems to "
            f"gain, {points(gain.estimate, 1)} remain against who knows it."
        )  # fmt: skip
        return f"{said}{kept}"
    if gain.high < 0:
        return f"{said} The defended model is less robust than the bare one."
    return f"{said} These examples cannot tell that from no difference at all."


def _difference(pair: PairedRates) -> str:
    d = pair.difference
    return f"{points(d.estimate, 1)} points ({points(d.low, 1)} to {points(d.high, 1)}, paired)"


def distances(found: Evaluation) -> str:
    """Median and quartiles of the distance to the nearest adversarial example."""
    far = found.nearest.distance
    low, high = np.quantile(far, [0.25, 0.75], method="inverted_cdf")
    middle = median_distance(far)
    never, wrong = int(np.isinf(far).sum()), int((far == 0).sum())
    tried = (
        "The model draws at random, so that a distance is known as the smallest radius that was "
        "tried with success." if found.subject.stochastic
        else "Each is an upper bound: a nearer one may exist."
    )  # fmt: skip
    return (
        f"Median distance in {found.threat.norm} to the nearest adversarial example known: "
        f"**{_far(middle.estimate)}** (95 % interval {_far(middle.low)} to {_far(middle.high)}; "
        f"quartiles {_far(low)} and {_far(high)}), over all {len(far)} examples; {wrong} are "
        f"wrong as they stand and count as 0, {never} were never broken at any radius and count "
        f"as infinite. {tried}"
    )


def _far(value: float) -> str:
    return "infinite" if np.isinf(value) else f"{value:.3g}"


def made(found: Evaluation) -> str:
    """The command, what success means, and what was left out."""
    said = []
    command = found.about.get("command")
    if command:
        said.append(f"```\n{command}\n```")
    processes = found.about.get("processes", 1)
    summed = "" if processes == 1 else f", summed over {processes} processes"
    said.append(
        f"Examples were attacked in {found.threat.norm} within eps "
        f"{radius_text(found.threat.eps)} of themselves and inside [{found.threat.low:g}, "
        f"{found.threat.high:g}]. An example is robust if it is right as it stands and no "
        "attacker broke it; examples that are wrong count as broken. All attacks together took "
        f"{seconds(found.seconds)}{summed}."
    )
    if found.threat.units:
        wide = found.threat.high - found.threat.low
        said.append(
            "eps and all distances are in the units of the model's inputs, in which the whole "
            f"range is {wide:g} wide: eps {radius_text(found.threat.eps)} is "
            f"{found.threat.eps / wide:.4g} of it."
        )
    case = found.found
    if case.evaluations > 1:
        said.append(
            f"The model draws at random: an example counts as wrong if it is in {case.needed} of "
            f"{case.evaluations} fresh evaluations."
        )
    if found.left_out:
        said.append("Left out or cut down to fit the time:\n\n" + "\n".join(
            f"- {one}" for one in found.left_out
        ))  # fmt: skip
    return "\n\n".join(said)


def lower_first(text: str) -> str:
    """A sentence that goes on after a comma."""
    return text[:1].lower() + text[1:]
