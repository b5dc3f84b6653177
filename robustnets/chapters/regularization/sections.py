"""The page on penalties: reported and reproduced, the grid, the boundary, confidence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from robustnets.chapters.regularization.boundary import boundary, nearest
from robustnets.chapters.regularization.confidence import confidence
from robustnets.chapters.regularization.paired import changed, of_pgd
from robustnets.chapters.regularization.results import (
    BOX,
    BOX_NOISE,
    CHOSEN,
    DEEPFOOL,
    FREE,
    FREE_NOISE,
    ITERATED,
    LENT,
    NAMES,
    NONE,
    ROUNDED,
    STRONG,
    WEAK,
    Pair,
    Results,
    average,
    one_run,
    percent_of,
)
from robustnets.chapters.shared import common
from robustnets.report import reported
from robustnets.report.cells import Cell, Fixed, Percent, points
from robustnets.report.compare import Comparison, comparison_table
from robustnets.report.figure import Figure
from robustnets.report.heat import Heat, heat_figure
from robustnets.report.images import image_grid
from robustnets.report.page import Block, FigureBlock, Section, TableBlock, Text
from robustnets.report.seeds import median, share
from robustnets.report.table import Table
from robustnets.report.text import p_text


def sections(r: Results) -> tuple[Section, ...]:
    """The page below its lead."""
    lacok = reported.load("lacok2016")
    return (
        Section("The question and the set-up", (Text(_setup(r)),)),
        Section("Reported and reproduced", _reproduced(r, lacok)),
        Section("Examples made for another network", _lent(r, lacok)),
        Section("What the networks see", _digits(r)),
        Section("The grid of penalties", _grid(r)),
        Section("The boundary, or only the gradient?", boundary(r)),
        Section("Refusing what the network is unsure of", confidence(r)),
    )


def answer(r: Results) -> str:
    """The answer in short, with its numbers."""

    def both(kind: str, eps: float | None, digits: int = 1) -> str:
        before, after = (percent_of(r.errors(p, kind, eps), digits) for p in (NONE, CHOSEN))
        return f"from {before} to {after}"

    said = f" (the report: {100 * _reported_weak('2'):.1f} %)" if r.like_for_like else ""
    trainings = f"In these {r.seeds} trainings, with" if r.seeds > 1 else "In this training, with"
    return (
        f"{trainings} L1 = L2 = {CHOSEN[0]:g}, the error under fast gradient sign at eps {WEAK:g} "
        f"goes **{both(FREE, WEAK)}**{said}, and that on images that nobody attacked "
        f"{both(FREE, None)}. {_verdict(r)} PGD at eps {WEAK:g}, pixels kept in their range, goes "
        f"**{both(ITERATED, WEAK)}**; at {STRONG:g} it goes {both(ITERATED, STRONG)}. In L2, "
        f"{nearest(r)}. On examples crafted for the network without the penalty, the penalised "
        f"one errs on {percent_of(r.errors(CHOSEN, LENT, WEAK))} at eps {WEAK:g}"
        + (
            ", which is closer to what the report prints."
            if r.like_for_like and _lent_is_closer(r)
            else "."
        )
    )


def _reported_weak(table: str) -> float:
    """The error that the report prints for the smaller radius."""
    return next(
        row.natural
        for row in reported.load("lacok2016")
        if row.table == table and "eps=0.10" in row.condition and row.metric == "error_rate"
    )


def _verdict(r: Results) -> str:
    found = changed(r, ITERATED, WEAK)
    adjusted = f"paired over {r.unit}, adjusted {p_text(found.adjusted)}"
    return {
        "shown": f"It is not only the gradient ({adjusted}):",
        "more": f"Under the better attack the penalty makes it worse ({adjusted}):",
        "these": (
            f"In each of the {r.seeds} trainings it is not only the gradient (McNemar over the "
            f"images of each), while over so few trainings no difference is shown ({adjusted}):"
        ),
        "no": f"Under the better attack no difference is shown ({adjusted}):",
    }[of_pgd(r)]


def _setup(r: Results) -> str:
    network = r.of(NONE, FREE)[0].cell["network"]
    before, after = (_reported_weak(table) for table in ("1", "2"))
    training = network["training"]
    optimizer = training["optimizer"]
    unit = (
        f"There is one training seed, so every interval and test here is over the {r.n:,} test "
        "examples: it says how sure the numbers are for these trained networks, and nothing of "
        "how much another training would differ."
        if r.seeds == 1
        else f"{_who(r)} with {r.seeds} seeds each; intervals and tests are over these seeds."
    )
    validation = max(1, round(training["validation"] * 60_000))
    data = (
        f", the last {validation} training images held out (the report's loop of whole batches "
        "never reaches them either)"
        if r.like_for_like
        else ""
    )
    return (
        f"{common.caution(r.like_for_like, 'the report')}"
        "Lacok (2016) trains a network of two hidden "
        "layers of 625 ReLU on MNIST, breaks it with fast gradient sign, and then adds a penalty "
        "of l1 times the sum of the absolute weights and l2 times the sum of their squares to the "
        "loss. Of nine pairs of penalties the report prints the best, "
        f"l1 = l2 = {CHOSEN[0]:g}, which took the error at eps {WEAK:.2f} from "
        f"{100 * before:.0f} % to {100 * after:.0f} %.\n\n"
        "The network here is the one of the report's appendix: no biases, weights drawn from "
        "N(0, 0.01), dropout of 20 % at the input and 50 % at both hidden layers, RMSProp with "
        f"rate {optimizer['learning_rate']:g}, rho {optimizer['rho']:g} and epsilon "
        f"{optimizer['epsilon']:g} inside the root, batches of {training['batch_size']}, "
        f"{network['rule']['epochs']} epochs{data}.\n\n"
        "**Error** is the share of all test images that are classified wrongly, those that were "
        "wrong before the attack among them; **confidence** is the softmax of the predicted "
        "class, whichever it is. Both are the report's. **Free** attacks add eps times a sign to "
        "every pixel and leave the values where they land, as the report's program does, so "
        f"that an image may reach from -{STRONG:g} to {1 + STRONG:g}. **In the box**, values are "
        "kept in [0, 1], where images live; most pixels of a digit are 0 or 1, and half of the "
        "signs then do nothing. "
        f"{unit}"
    )


def _who(r: Results) -> str:
    """Which networks have all the training seeds."""
    if r.grid_seeds == r.seeds:
        return "Every network was trained"
    return (
        f"The other penalties of the grid were trained with {_seeds(r.grid_seeds)}, the network "
        "without a penalty and that with the report's"
    )


def _compared(
    r: Results, row: reported.Reported, kind: str | None = None, note: str = ""
) -> Comparison:
    network, _, data = row.condition.partition(" / ")
    pair = NONE if network == "no penalty" else CHOSEN
    which, eps = {
        "original": (FREE, None),
        "adversarial eps=0.10": (FREE, WEAK),
        "adversarial eps=0.25": (FREE, STRONG),
        "random noise eps=0.25": (FREE_NOISE, STRONG),
    }[data]
    if row.metric == "error_rate":
        values = r.errors(pair, kind or which, eps)
        interval = share(values)
    else:
        values = r.confidences(pair, kind or which, eps)
        interval = average(values)
    return Comparison.of(row, interval, one_run(values), n=r.n, seeds=r.seeds, note=note)


def _reproduced(r: Results, lacok) -> tuple[Block, ...]:
    note = "" if r.like_for_like else "another scale"
    tables = {
        name: [_compared(r, row, note=note) for row in lacok if row.table == name]
        for name in ("1", "2")
    }
    far = {name: _gap(rows, "error_rate") for name, rows in tables.items()}
    against = (
        "the interval over test examples, which is narrower than what another training seed "
        'would give: "above" and "below" may be the luck of one training'
        if r.seeds == 1
        else "the interval for one new training run"
    )
    worst = max(tables["2"], key=lambda c: abs(c.reported - c.reproduced.estimate))
    held = (
        f" Verdicts are held against {against}: {_inside(tables['1'])} of table 1 and "
        f"{_inside(tables['2'])} of table 2 lie inside."
        if r.like_for_like
        else ""
    )
    return (
        Text(
            f"Table 1, without a penalty: the four reported error rates are {far['1']:.1f} "
            f"percentage points from ours on average. Table 2, with it: {far['2']:.1f} points, "
            f"the largest gap being {worst.condition.partition(' / ')[2]}, "
            f"{worst.metric.replace('_', ' ')} {100 * worst.reported:.1f} % reported and "
            f"{100 * worst.reproduced.estimate:.1f} % here; the next section looks into it."
            f"{held}"
        ),
        TableBlock(
            comparison_table(tables["1"], "The report's table 1, no penalty.", r.like_for_like),
            "table-1",
        ),
        TableBlock(
            comparison_table(
                tables["2"],
                "The report's table 2, penalties of 0.0001, examples crafted on that network.",
                r.like_for_like,
            ),
            "table-2",
        ),
    )


def _inside(rows: Sequence[Comparison]) -> str:
    inside = sum(c.verdict == "inside" for c in rows)
    return (
        f"all {inside} numbers" if inside == len(rows) else f"{inside} of the {len(rows)} numbers"
    )


def _gap(rows: Sequence[Comparison], metric: str | None = None) -> float:
    """Mean distance from the reported values, in points."""
    gaps = [abs(c.reported - c.reproduced.estimate) for c in rows if metric in (None, c.metric)]
    return 100 * float(np.mean(gaps))


def _lent_gaps(r: Results) -> tuple[float, float]:
    """Points from the adversarial numbers of table 2: crafted on the network, and lent to it."""
    rows = [
        row
        for row in reported.load("lacok2016")
        if row.table == "2" and "adversarial" in row.condition
    ]
    return _gap([_compared(r, row) for row in rows]), _gap(
        [_compared(r, row, LENT) for row in rows]
    )


def _lent_is_closer(r: Results) -> bool:
    mine, theirs = _lent_gaps(r)
    return theirs < mine


def _lent(r: Results, lacok) -> tuple[Block, ...]:
    rows = [row for row in lacok if row.table == "2" and "adversarial" in row.condition]
    lent = [_compared(r, row, LENT, "crafted without the penalty") for row in rows]
    own = [_compared(r, row) for row in rows]
    mine, theirs = _lent_gaps(r)
    if not r.like_for_like:
        guess = "At this scale that says nothing about the report."
    elif theirs < mine:
        guess = (
            "So the reported gain fits examples that were made for the other network better than "
            "examples made for the network under test. That is a reading of the numbers and of "
            "the printed program, not a fact about what was run in 2016."
        )
    else:
        guess = "Here this does not bring the numbers closer, so it explains nothing."
    said = (
        (f", and {_inside(lent)} lie inside our interval", f", and {_inside(own)} lie inside")
        if r.like_for_like
        else ("", "")
    )
    plain = [r.errors(CHOSEN, ROUNDED, WEAK), r.errors(CHOSEN, FREE, WEAK)]
    return (
        Text(
            "The report's program looks for a file of adversarial examples first and crafts new "
            "ones only where it finds none. A penalised network that is tested after the plain "
            "one would meet the plain one's examples. This is a **transferred** attack, and so "
            "a weaker one: the examples point where another network errs.\n\n"
            "Measured that way, from the same initial weights and the same training seed, the "
            f"four adversarial numbers of table 2 are {theirs:.1f} points from the reported ones "
            f"on average{said[0]}; crafted on the penalised "
            f"network itself they are {mine:.1f} points away{said[1]}. "
            f"{guess} "
            f"{_way(plain)}With cross entropy as "
            "most libraries compute it, the penalised network's error at "
            f"eps {WEAK:g} is {percent_of(plain[0], 2)}, with the exact gradient "
            f"{percent_of(plain[1], 2)}."
        ),
        TableBlock(
            comparison_table(
                lent,
                "The adversarial rows of table 2, examples crafted without the penalty.",
                r.like_for_like,
            ),
            "table-2-lent",
        ),
    )


def _way(plain: Sequence[Sequence[np.ndarray]]) -> str:
    """Whether the errors by two ways of computing the gradient are the same to 0.1 points."""
    first, second = (share(outcomes).estimate for outcomes in plain)
    if abs(first - second) < 0.001:
        return "The way of computing the gradient is not the reason. "
    return ""


def _digits(r: Results) -> tuple[Block, ...]:
    images, labels, notes = [], [], []
    for pair in (NONE, CHOSEN):
        attacked, noisy = r.of(pair, BOX)[0], r.of(pair, BOX_NOISE)[0]
        shown, noise = attacked.pictures["adversarial"], noisy.pictures["adversarial"]
        m = range(shown.shape[1])
        name = "eps" if pair == NONE else "penalised"
        if pair == NONE:
            images.append(shown[0])
            labels.append("original")
            notes.append([f"{attacked.clean[i]}" for i in m])
        for eps in (WEAK, STRONG):
            images.append(shown[attacked.at(eps) + 1])
            labels.append(f"{name} {eps:.2f}")
            notes.append([f"{attacked.adversarial[attacked.at(eps), i]}" for i in m])
        if pair == NONE:
            images.append(noise[1])
            labels.append(f"noise {STRONG:g}")
            notes.append([f"{noisy.adversarial[0, i]}" for i in m])
    figure = Figure(
        "digits",
        "The first test images as the report's figure 1 shows them, here with pixels kept in "
        "their range: original, fast gradient sign at both radii, random signs; below, the same "
        "attack on the penalised network. Under each the class that its network predicts; the "
        "first four rows are the network without a penalty.",
        "Rows of digits: original, attacked with eps 0.10 and 0.25, with random noise, and "
        "attacked through the penalised network.",
        image_grid(np.array(images), labels, [""] * len(images[0]), notes),
        raster=True,
    )
    return (FigureBlock(figure),)


def _grid(whole: Results) -> tuple[Block, ...]:
    r = whole.of_the_grid()
    l1s, l2s = sorted({p[0] for p in r.grid}), sorted({p[1] for p in r.grid})
    few = min(len(r.of(pair, ITERATED)[0].label) for pair in r.grid)

    def values(of) -> np.ndarray:
        return np.array([[of((a, b)) for b in l2s] for a in l1s])

    def rates(kind: str, eps: float | None, first: int | None = None):
        return values(lambda pair: share(r.errors(pair, kind, eps, first)).estimate)

    bounds: dict[str, Any] = {"low": 0.0, "high": 1.0, "percent": True}
    figure = Figure(
        "grid",
        f"The {len(r.grid)} penalised networks: error in percent, and the median L2 distance that "
        "DeepFool finds (zero counts for images that are wrong from the start). The frame "
        "marks the pair that the report prints.",
        "Six heat maps over the L1 and the L2 penalty.",
        heat_figure(
            [
                Heat("original, error %", rates(FREE, None), **bounds),
                Heat(f"noise {STRONG:g}, error %", rates(FREE_NOISE, STRONG), **bounds),
                Heat(f"FGSM {WEAK:.2f}, error %", rates(FREE, WEAK), **bounds),
                Heat(f"FGSM {STRONG:g}, error %", rates(FREE, STRONG), **bounds),
                Heat(f"PGD {WEAK:.2f} in the box, error %", rates(ITERATED, WEAK, few), **bounds),
                Heat(
                    "DeepFool, median L2",
                    values(lambda pair: median(r.distances(pair, DEEPFOOL)).estimate),
                    low=0.0,
                    digits=2,
                ),
            ],
            [_short(a) for a in l1s],
            [_short(b) for b in l2s],
            "L2 penalty",
            "L1 penalty",
            marked=(l1s.index(CHOSEN[0]), l2s.index(CHOSEN[1])),
        ),
    )
    rows = tuple(
        (
            _named(pair),
            Percent(share(r.errors(pair, FREE)), 1),
            Percent(share(r.errors(pair, FREE_NOISE, STRONG)).estimate, 1),
            Percent(share(r.errors(pair, FREE, WEAK)).estimate, 1),
            Percent(share(r.errors(pair, FREE, STRONG)).estimate, 1),
            Percent(share(r.errors(pair, ITERATED, WEAK, few)), 1),
            Fixed(median(r.distances(pair, DEEPFOOL)).estimate, 2),
        )
        for pair in (NONE, *r.grid)
    )
    table = Table(
        (
            "penalty",
            "original",
            f"noise {STRONG:g}",
            f"FGSM {WEAK:.2f}",
            f"FGSM {STRONG:g}",
            f"PGD {WEAK:.2f}, box",
            "median L2",
        ),
        rows,
        "Error in percent, FGSM and noise free as in the report; PGD on the first "
        f"{few:,} test images; median L2 distance by DeepFool over "
        f"{len(r.of(NONE, DEEPFOOL)[0].label):,} images. Intervals of 95 % over {r.unit}.",
    )
    whose = (
        f" All numbers of this section are of {_seeds(r.seeds)}, where the rest of the page has "
        f"{whole.seeds}: another training would move them."
        if r.seeds < whole.seeds
        else ""
    )
    return (Text(_grid_text(r, few) + whose), FigureBlock(figure), TableBlock(table, "grid"))


def _seeds(count: int) -> str:
    return "one training seed" if count == 1 else f"{count} training seeds"


def _named(pair: Pair) -> str:
    return NAMES[NONE] if pair == NONE else f"L1 {_short(pair[0])}, L2 {_short(pair[1])}"


def _short(penalty: float) -> str:
    """1e-5 as that, where Python's own format has two digits in the exponent."""
    return f"{penalty:g}".replace("e-0", "e-")


def _grid_text(r: Results, few: int) -> str:
    def error(pair: Pair, kind: str, eps: float | None, first: int | None = None) -> float:
        return 100 * share(r.errors(pair, kind, eps, first)).estimate

    clean = {pair: error(pair, FREE, None) for pair in r.grid}
    broken = [pair for pair in r.grid if clean[pair] > 10]
    sound = [pair for pair in r.grid if pair not in broken]
    strongest = max(p[0] for p in r.grid)
    said = (
        "The report says that larger penalties push the error on unattacked images to around "
        "10 % and that smaller ones do nothing against the attack. "
    )
    if broken:
        low, high = min(clean[p] for p in broken), max(clean[p] for p in broken)
        all_l1 = {p[0] for p in broken} == {strongest} and len(broken) == len(
            [p for p in r.grid if p[0] == strongest]
        )
        who = f"those with L1 = {strongest:g}" if all_l1 else f"{len(broken)} of the {len(r.grid)}"
        said += (
            f"Here {who} hardly learn: their error without any attack is {low:.0f} to "
            f"{high:.0f} %. "
        )
    if sound:
        smallest = min(sound)
        best = {
            "FGSM": min(sound, key=lambda p: error(p, FREE, WEAK)),
            "PGD": min(sound, key=lambda p: error(p, ITERATED, WEAK, few)),
        }
        said += (
            f"The smallest penalties of all, {_named(smallest)}, bring the error under FGSM at "
            f"eps {WEAK:g} from {error(NONE, FREE, WEAK):.1f} to "
            f"{error(smallest, FREE, WEAK):.1f} % and cost "
            f"{points((clean[smallest] - error(NONE, FREE, None)) / 100, 1)} points on unattacked "
            f"images; the report's pair brings it to {error(CHOSEN, FREE, WEAK):.1f} % and costs "
            f"{points((clean[CHOSEN] - error(NONE, FREE, None)) / 100, 1)}. "
        )
        same = best["FGSM"] == best["PGD"]
        said += (
            f"Of the {len(sound)} that learn, the lowest error here under FGSM {WEAK:.2f} is that "
            f"of {_named(best['FGSM'])}, at {error(best['FGSM'], FREE, WEAK):.1f} %; under PGD "
            f"{WEAK:.2f} that of {'the same' if same else _named(best['PGD'])}, at "
            f"{error(best['PGD'], ITERATED, WEAK, few):.1f} % ("
            f"{error(NONE, ITERATED, WEAK, few):.1f} % without a penalty, on the same {few:,} "
            "images)."
        )
    return said


def findings(r: Results) -> list[dict[str, Cell]]:
    """The chapter's lines of the front page's table."""
    out = []
    for pair in (NONE, CHOSEN):
        free, iterated = (r.of(pair, kind) for kind in (FREE, ITERATED))
        data, network = free[0].cell["network"]["dataset"]["name"], NAMES[pair]
        out += [
            common.finding(free, data, network),
            common.finding(
                free, data, network, f"FGSM {WEAK:g}, pixels free", "white-box", WEAK, lucky=True
            ),
            common.finding(iterated, data, network, f"PGD {WEAK:g}", "white-box", WEAK, lucky=True),
        ]
    return out
