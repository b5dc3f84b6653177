"""What the distillation chapter concludes, on each data set from what was tried there."""

from robustnets.chapters.distillation.attacks import (
    CLEAN,
    TOGETHER,
    attacks_of,
    of_fgsm,
    worth,
)
from robustnets.chapters.distillation.results import EPS, Results, gap, name, paired
from robustnets.chapters.shared import common
from robustnets.chapters.shared.common import Contrast
from robustnets.report.text import listed, points_text


def verdict(r: Results) -> str:
    """What the numbers say, in words."""
    lines = []
    for d in r.datasets:
        shown, left = of_fgsm(r, d, "softmax"), of_fgsm(r, d, "logits / T")
        lost = worth(r)[d, CLEAN, "", "", ""]
        lines.append(
            f"- **{name(d)}.** Through the softmax, distillation at T = {r.top(d):g} changes "
            f"accuracy at eps {EPS:g} by {shown.said()}; against the logits at "
            f"temperature it changes it by {left.said()}. Clean accuracy changes by {lost.said()}."
        )
    ends = " ".join(_left(r, d) for d in r.datasets)
    return "\n".join(lines) + f"\n\n{ends} {_hidden(r)}"


def _left(r: Results, d: str) -> str:
    """What stands against all attacks that were tried on a data set."""
    tests = worth(r)
    real = tests.get((d, TOGETHER, "", "", f"linf {EPS:g}")) or of_fgsm(r, d, "logits / T")
    rows = [row for row in attacks_of(r, d) if row.eps == EPS and row.radius.startswith("linf")]
    kinds = listed(list(dict.fromkeys(row.attack for row in rows)))
    against = f"Against all linf attacks together that were made on {name(d)} ({kinds})"
    return f"{against} {left_over(real)}"


def left_over(real: Contrast) -> str:
    """What the adjusted test of the worst of all attacks allows to be said.

    Args:
        real: accuracy of the distilled network minus that of the undefended one.
    """
    size = f"{points_text(real.difference, 1)} points at eps {EPS:g}"
    if real.more:
        return (
            f"something is left, {size}; it is an upper bound, because stronger attacks exist than "
            "were run here."
        )
    if real.less:
        return f"the distilled network is less robust than the undefended one, by {size}."
    return f"no difference to the undefended network is shown ({size})."


def _hidden(r: Results) -> str:
    """What hides from whom, as far as it was tried: per data set the ways past the softmax."""
    ways = _ways(r)
    said = [
        f"on {name(d)} {listed(passed)}"
        for d in r.datasets
        if (passed := [text for (own, text), found in ways.items() if own == d and found.less])
    ]
    if not said:
        return (
            "No attack that was tried here is shown to leave fewer images right than the attack "
            f"through the softmax does ({len(ways)} comparisons, adjusted)."
        )
    return (
        "What distillation hides is the direction of the gradient from whoever reads it off a "
        "saturated softmax. These leave fewer images right than the attack through the softmax "
        f"does (paired, Holm-adjusted over the {len(ways)} attacks at eps {EPS:g} that were "
        f"compared with it): {'; '.join(said)}. What was not tried on a data set is not claimed "
        "for it."
    )


def _ways(r: Results) -> dict[tuple[str, str], Contrast]:
    """(data set, attack in words) -> what it leaves minus what FGSM through the softmax leaves.

    All attacks at EPS on the distilled networks of all data sets: one family.
    """
    pairs = {}
    for d in r.datasets:
        shown = r.student(d, "softmax")
        for row in attacks_of(r, d):
            if row.eps != EPS or not row.radius.startswith("linf") or row.view == "softmax":
                continue
            pair = paired(row.student, shown, EPS)
            how = f"through the {row.view}"
            if row.knowledge == "black-box":
                how = "by queries alone"
            elif row.knowledge == "gray-box":
                how = "crafted on the undefended network"
            pairs[d, f"{row.attack} {how} ({gap(pair)} points)"] = pair
    return common.family(pairs)
