"""What the distillation chapter says of gradients that vanish in float32: the same in float64."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robustnets.chapters.distillation.results import EPS, Results, name, percent, robust, untouched
from robustnets.core.record import Record
from robustnets.report.cells import Cell, Percent
from robustnets.report.page import Block, TableBlock, Text
from robustnets.report.table import Table


def in_float64(r: Results) -> tuple[Block, ...]:
    """Whose gradients come back, and what the attack does with them; nothing if it was not made."""
    found = _doubled(r)
    if not found:
        return ()
    return Text(_precision(r, found)), TableBlock(_float64_table(found), "float64")


@dataclass(frozen=True, slots=True)
class Doubled:
    """One network under the same attack in two precisions: view -> its Records."""

    dataset: str
    network: str
    t: float
    single: Mapping[str, Sequence[Record]]
    double: Mapping[str, Sequence[Record]]


def _doubled(r: Results) -> list[Doubled]:
    found = []
    for d in r.datasets:
        for network, t, groups in r.swept(d):
            double = {v: r.in_float64(d, network, t, v) for v in ("softmax", "logits")}
            if all(double.values()):
                found.append(Doubled(d, network, t, groups, double))
    return found


def _float64_table(found: Sequence[Doubled]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for x in found:
        cells: list[Cell] = []
        for view in ("softmax", "logits"):
            cells += [Percent(untouched(g[view]), 1) for g in (x.single, x.double)]
        for view in ("softmax", "logits"):
            cells += [Percent(robust(g[view], EPS), 1) for g in (x.single, x.double)]
        rows.append(
            (name(x.dataset), x.network, f"{x.t:g}", len(x.double["logits"][0].label), *cells)
        )
    heads = [
        f"{what}, {view}, {precision}"
        for what in ("zero gradients", f"eps {EPS:g}")
        for view in ("softmax", "logits")
        for precision in ("float32", "float64")
    ]
    return Table(
        ("data", "network", "T", "n", *heads),
        tuple(rows),
        "The fast gradient method once more with the network, the loss and its gradient computed "
        "in float64: share of the rightly classified images whose gradient is exactly zero, and "
        f"robust accuracy at eps {EPS:g}, on the same n images in both precisions; 95 % "
        "intervals.",
    )


def _precision(r: Results, found: Sequence[Doubled]) -> str:
    """What another precision brings back."""
    lines = []
    for d in r.datasets:
        own = [x for x in found if x.dataset == d and x.network == "distilled"]
        if not own:
            continue
        x = max(own, key=lambda each: each.t)
        zero = {
            (view, which): percent(untouched(group[view]))
            for view in ("softmax", "logits")
            for which, group in (("float32", x.single), ("float64", x.double))
        }
        after = {which: percent(robust(g["logits"], EPS))
                 for which, g in (("float32", x.single), ("float64", x.double))}  # fmt: skip
        scaled = robust(r.student(d, "logits / T", t=x.t), EPS)
        lines.append(
            f"- **{name(d)}**, distilled at T = {x.t:g}: through the softmax the gradient is zero "
            f"for {zero['softmax', 'float32']} of the images in float32 and for "
            f"{zero['softmax', 'float64']} in float64; through the logits for "
            f"{zero['logits', 'float32']} and {zero['logits', 'float64']}, and the attack through "
            f"them leaves {after['float32']} right in float32, {after['float64']} in float64 and "
            f"{percent(scaled)} once they are divided by T."
        )
    return (
        "**In float64.** Where gradients vanish, another precision tells rounding from a flat "
        "function. The clip of Keras' cross entropy, 1e-7 from 0 and 1, is no matter of precision: "
        "what it hides stays hidden. The cross entropy of logits underflows where the others are "
        "87 to 104 below the largest in float32, and 709 to 745 below in float64.\n\n"
        + "\n".join(lines)
    )
