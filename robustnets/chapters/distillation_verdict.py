"""What the distillation chapter concludes, on each data set from what was tried there."""

from robustnets.chapters.distillation_attacks import attacks_of, together
from robustnets.chapters.distillation_results import EPS, Results, gap, listed, name, paired


def verdict(r: Results) -> str:
    """What the numbers say, in words."""
    lines = []
    for d in r.datasets:
        shown = paired(r.student(d, "softmax"), r.undefended(d, "softmax"), EPS)
        left = paired(r.student(d, "logits / T"), r.undefended(d, "logits"), EPS)
        lost = paired(r.student(d, "softmax"), r.undefended(d, "softmax"))
        lines.append(
            f"- **{name(d)}.** Through the softmax, distillation at T = {r.top(d):g} seems worth "
            f"{gap(shown)} points of accuracy at eps {EPS:g}; against the logits at "
            f"temperature it is worth {gap(left)} points. Clean accuracy changes by {gap(lost)} "
            "points."
        )
    ends = " ".join(_left(r, d) for d in r.datasets)
    return "\n".join(lines) + f"\n\n{ends} {_hidden(r)}"


def _left(r: Results, d: str) -> str:
    """What stands against all attacks that were tried on a data set."""
    found = together(r, d, EPS)
    real = found[0] if found else paired(r.student(d, "logits / T"), r.undefended(d, "logits"), EPS)
    rows = [row for row in attacks_of(r, d) if row.eps == EPS and row.radius.startswith("linf")]
    kinds = listed(list(dict.fromkeys(row.attack for row in rows)))
    against = f"Against all linf attacks together that were made on {name(d)} ({kinds})"
    if real.p < 0.05 and real.difference.estimate > 0:
        return (
            f"{against} something is left, {gap(real)} points at eps {EPS:g}; it is an upper "
            "bound, because stronger attacks exist than were run here."
        )
    if real.p < 0.05:
        return (
            f"{against} the distilled network is less robust than the undefended one, by "
            f"{gap(real)} points at eps {EPS:g}."
        )
    return (
        f"{against} no difference to the undefended network is shown ({gap(real)} points at eps "
        f"{EPS:g})."
    )


def _hidden(r: Results) -> str:
    """What hides from whom, as far as it was tried: per data set the ways past the softmax."""
    ways = {d: _ways(r, d) for d in r.datasets}
    said = []
    for d, passed in ways.items():
        if passed:
            said.append(f"on {name(d)} {listed(passed)}")
    if not said:
        return "No attack that was tried here got past what distillation hides."
    return (
        "What distillation hides is the direction of the gradient from whoever reads it off a "
        "saturated softmax. These leave fewer images right than the attack through the softmax "
        f"does: {'; '.join(said)}. What was not tried on a data set is not claimed for it."
    )


def _ways(r: Results, d: str) -> list[str]:
    """Attacks at EPS that leave surely fewer right than FGSM through the softmax does."""
    shown = r.student(d, "softmax")
    found = []
    for row in attacks_of(r, d):
        if row.eps != EPS or not row.radius.startswith("linf") or row.view == "softmax":
            continue
        pair = paired(row.student, shown, EPS)
        if pair.p < 0.05 and pair.difference.estimate < 0:
            how = "queries alone" if row.knowledge == "black-box" else f"through the {row.view}"
            if row.knowledge == "gray-box":
                how = "crafted on the undefended network"
            found.append(
                f"{row.attack} {how} ({gap(pair)} points)".replace(
                    "Square queries", "Square by queries"
                )
            )
    return found
