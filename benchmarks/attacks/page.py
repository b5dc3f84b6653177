"""The sections of the page, from all rows that are kept."""

import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.attacks import MEMORY, ROWS, WHOLE
from benchmarks.attacks.auto_attack import Whole
from benchmarks.attacks.memory import GROWTH, Memory
from benchmarks.attacks.result import Result, Side, path_of
from benchmarks.attacks.scale import IN_A_ROW, SHORT
from robustnets.report.page import Block, Section, TableBlock, Text
from robustnets.report.table import Cell, Fixed, Percent, Seconds, Table, Word

FLOOR_BAR = 1.15  # times the bare passes, for attacks that run all their steps
MARGIN = 0.01  # by which random starts may make two equal attacks differ
MODELS = {"fc": "FC", "m": "M", "c": "C", "a": "A"}
TEXT = f"""FC is FC-100-100-10, M the MNIST CNN of CSCE496 (table 2) and C the CIFAR-10 CNN of
CSDS440 (figure 5), trained on the first 10,000 images; attacked are test images that the network
gets right. All ways of a row run in turn in one process, from NumPy to NumPy; a time is the best
of the calls after the first, which compiles; where a peer takes long, it is called once. A way
that takes less than {SHORT:g} seconds is called {IN_A_ROW} times in a row each time, and the last
call counts, because what ran before another way's call is no property of either.

- Peers get the logits as one compiled graph for any number of examples and the batch of the row,
  and settings that spend as much; "eager model" is Foolbox over the Keras model as it is.
- A ratio is the peer's time over that of `native`. A bar is reached if the ratio is at least
  that and `native` is no weaker: its success no more than {MARGIN:.0%} below the peer's, and for
  attacks that make distances small its median, failures counted as infinitely far, no more than
  {MARGIN:.0%} above.
- **floor**: the attack's passes alone, forward and backward, compiled, at the same batch, on data
  that are on the device already. An attack that runs all its steps may take {FLOOR_BAR} times
  as long, where a step is one forward and one backward pass; for the others, which ask or
  differentiate more or less often, the passes they counted are taken. The first kind of floor
  leaves out the looks that `native` takes at each example before, at its last point and at the end.
- Beside a bar that is not reached stands the ratio that the bare passes alone would give: where
  it is below the bar, no implementation of this attack could reach it on that machine.
- **load before**: the machine's load as the row began. Above its number of cores other work took
  its share of them all along: times are then long, and only what stands in one table compares.
- **cold start**: by how much the first call on a fresh classifier takes longer, tracing and
  compiling. In the last column it is counted into a job of 1,000 examples for `native`, and
  not for the peers."""

WHOLE_TEXT = """Each attack is run on what the ones before it left standing, and an example that is
broken leaves its batch at once. **Forward passes** are those of examples that were not done,
**rows asked about** all that went through the network, padding and examples that had not left yet
included. **If nobody left** is what the same examples would take if each stayed to the end; in the
last row, what all attacks would take on all images. Times are from a cold start, tracing included.

A is the MNIST CNN trained adversarially, see the page of the suite. ART's `AutoAttack` is another
set: APGD on the cross entropy and on DLR from five starting points each, DeepFool, and Square from
five; its default members, built with losses that run on Keras 3."""


def load(folder: Path, backend: str = "tensorflow") -> list[Result]:
    """The rows that are kept, in the order of `ROWS`."""
    paths = [path_of(folder, name, backend) for name in ROWS]
    return [Result.load(path) for path in paths if path.is_file()]


def sections(folder: Path) -> tuple[Section, ...]:
    """A section for each family that has a row, one for JAX, one for memory."""
    kept = load(folder)
    families = list(dict.fromkeys(result.family for result in kept))
    out = [_family(name, [r for r in kept if r.family == name]) for name in families]
    if out:
        said, missed = bars(kept)
        shown = () if missed is None else (TableBlock(missed, "attacks-bars"),)
        out.insert(0, Section("Attacks", (Text(TEXT), Text(said), *shown)))
    jax = load(folder, "jax")
    if jax:
        out.append(_jax(jax, {result.name: result for result in kept}))
    whole = [path_of(folder, name, "tensorflow") for name in WHOLE]
    kept_whole = [Whole.load(path) for path in whole if path.is_file()]
    if kept_whole:
        out.append(_whole(kept_whole))
    memory = [folder / f"{name}.json" for name in MEMORY]
    kept_memory = [Memory.load(path) for path in memory if path.is_file()]
    if kept_memory:
        out.append(_memory(kept_memory))
    return tuple(out)


def times(folder: Path) -> list[tuple[str, str, int, float]]:
    """(row, way, call, seconds) of all calls; call 0 compiles."""
    return [
        (f"attacks {result.name}", side.name, i, seconds)
        for result in load(folder)
        for side in result.sides
        if not side.failed
        for i, seconds in enumerate([side.first, *side.seconds])
    ]


def bars(results: Sequence[Result]) -> tuple[str, Table | None]:
    """How many bars are reached, and the table of those that are not, None where all are."""
    judged = [(r, side, word) for r in results for side in r.sides if (word := verdict(r, side))]
    missed = [(r, side, word) for r, side, word in judged if word.text != "yes"]
    said = f"**Bars**: {len(judged) - len(missed)} of {len(judged)} are reached."
    if not missed:
        return said, None
    beyond = [most for r, side, _ in missed if (most := _most(r, side)) and most < (side.bar or 0)]
    said += (
        f" For {len(beyond)} of the {len(missed)} that are not, the attack's bare passes alone "
        "would already take too long."
    )
    lines = []
    for result, side, word in missed:
        limit = _limit(side)
        lines.append((
            result.name,
            side.name,
            _bar(side),
            Fixed(side.best * side.n / (side.floor or math.nan) if limit else result.ratio(side)),
            None if limit else _fixed(_most(result, side)),
            _why(result, side, word),
        ))  # fmt: skip
    table = Table(
        ("row", "way", "bar", "measured", "the bare passes alone", "why"),
        tuple(lines),
        "The bars that are not reached. Weaker: fast enough or not, the native attack succeeds "
        "less often or goes farther than this way. Beyond the passes: the share of the native "
        "attack's time that its counted passes do not take, but other arithmetic, examples that "
        "are done and have not left yet, and the engine.",
    )
    return said, table


def _why(result: Result, side: Side, word: Word) -> Cell:
    """What keeps the native attack from a bar, as far as the numbers tell."""
    if word.text == "weaker":
        return Word("weaker", "bad")
    native, limit, most = result.sides[0], _limit(side), _most(result, side)
    judged = side if limit is not None else native
    if judged.floor is None or (most is None and limit is None):
        return None
    allowed = 1 - 1 / limit if limit is not None else 1 - (side.bar or 0) / (most or math.nan)
    if allowed < 0:
        return f"the passes alone take {1 - allowed:.2f} times what the bar allows"
    beyond = max(1 - judged.floor / (judged.best * judged.n), 0.0)
    return f"{beyond:.0%} of the time is beyond the passes, {allowed:.0%} may be"


def _most(result: Result, side: Side) -> float | None:
    """What the ratio would be if the native attack were its bare passes and nothing else."""
    native, ratio = result.sides[0], result.ratio(side)
    if native.floor is None or ratio is None or _limit(side) is not None:
        return None
    return ratio * native.best * native.n / native.floor


def _fixed(value: float | None) -> Fixed | None:
    return None if value is None else Fixed(value)


def _bar(side: Side) -> str | None:
    """The bar in a few characters."""
    limit = _limit(side)
    if limit is not None:
        return f"≤\N{NO-BREAK SPACE}{limit:g}\N{NO-BREAK SPACE}floor"
    return None if side.bar is None else f"≥\N{NO-BREAK SPACE}{side.bar:g}"


def verdict(result: Result, side: Side) -> Word | None:
    """Whether the bar of a side is reached, or in which way it is not."""
    native, limit = result.sides[0], _limit(side)
    if limit is not None and side.floor is not None:
        near = side.best * side.n <= limit * side.floor
        return Word("yes", "good") if near else Word("no", "bad")
    ratio = result.ratio(side)
    if side.bar is None or ratio is None:
        return None
    if weaker(result, side):
        return Word("weaker", "bad")
    return Word("yes", "good") if ratio >= side.bar and not native.failed else Word("no", "bad")


def _limit(side: Side) -> float | None:
    """How many times the floor a side may take, or None."""
    return side.limit or (FLOOR_BAR if side.all_steps else None)


def weaker(result: Result, side: Side) -> bool:
    """Whether `native` has less success than the side, or goes farther for it."""
    native = result.sides[0]
    if native.success < side.success - MARGIN:
        return True
    return result.minimal and native.median > (1 + MARGIN) * side.median


def _family(name: str, results: Sequence[Result]) -> Section:
    blocks: list[Block] = []
    for result in results:
        blocks += [TableBlock(_table(result), f"attacks-{result.name}"), Text(_note(result))]
    return Section(name, tuple(blocks))


def _table(result: Result) -> Table:
    return Table(
        (
            *("way", "n", "ms per example", "times native", "bar", "reached", "success"),
            *("median distance", "forward", "backward", "times floor", "cold start, s"),
            "times native, cold",
        ),
        tuple(_line(result, side) for side in result.sides),
        f"{result.title} on {MODELS[result.network]} ({result.name}). Success in percent; "
        "distances in the norm of the attack; passes per example.",
    )


def _line(result: Result, side: Side) -> tuple[Cell, ...]:
    head = (side.name, side.n)
    bar = _bar(side)
    if side.failed:
        return (*head, None, None, bar, Word("failed", "warn"), *[None] * 7)
    native = side is result.sides[0]
    job: Cell = None
    if result.job is not None and not native:
        job = Fixed(side.best * result.job[0] / result.job[1])
    return (
        *head,
        Fixed(1e3 * side.best, 3),
        None if native else Fixed(result.ratio(side)),
        bar,
        verdict(result, side),
        Percent(side.success, 1),
        Fixed(side.median, 4) if result.minimal else None,
        None if side.forward is None else Fixed(side.forward, 1),
        None if side.backward is None else Fixed(side.backward, 1),
        None if not side.floor else Fixed(side.best * side.n / side.floor),
        None if side.cold is None else Fixed(side.cold),
        job,
    )


def _note(result: Result) -> str:
    facts = result.facts
    out = (
        f"Batch {result.batch}; "
        f"native compiled by {facts['compiler']}, the faster floor by {facts['floor']}; the "
        f"network is right on {facts['accuracy']:.1%} of {facts['images']}; scale "
        f"{facts['scale']}, load before {facts['load before']}, {facts['device']}."
    )
    if result.job is not None:
        out += f" {result.job[0]:,} examples from a cold start: {result.job[1]:.2f} s."
    for side in result.sides:
        if side.failed:
            out += f" {side.name} ended with {side.failed.replace('`', '')}."
    return out


def _jax(results: Sequence[Result], tensorflow: dict[str, Result]) -> Section:
    lines = []
    for result in results:
        other = tensorflow.get(result.name)
        native, beside = result.sides[0], other.sides[0] if other else None
        lines.append((
            result.title,
            MODELS[result.network],
            Fixed(1e3 * native.best, 3),
            Fixed(1e3 * beside.best, 3) if beside else None,
            Fixed(native.best / beside.best) if beside else None,
            Percent(native.success, 1),
            Percent(beside.success, 1) if beside else None,
            None if native.cold is None else Fixed(native.cold),
        ))  # fmt: skip
    table = Table(
        (
            *("attack", "network", "ms per example, JAX", "ms per example, TensorFlow"),
            *("times TensorFlow", "success, JAX", "success, TensorFlow", "cold start, s"),
        ),
        tuple(lines),
        "The native engine on JAX, and on TensorFlow in another process.",
    )
    text = "JAX compiles with XLA, which on a CPU is slower than TensorFlow's graphs for "
    text += "convolutions. The two columns come from two processes: less exact than the ratios "
    text += "above."
    return Section("JAX", (Text(text), TableBlock(table, "attacks-jax")))


def _whole(kept: Sequence[Whole]) -> Section:
    blocks: list[Block] = [Text(WHOLE_TEXT)]
    for whole in kept:
        blocks += [TableBlock(_parts(whole), f"attacks-{whole.name}"), Text(_beside(whole))]
    return Section("The whole of AutoAttack", tuple(blocks))


def _parts(whole: Whole) -> Table:
    lines = [
        (
            part.attack,
            part.attacked,
            part.broke,
            Seconds(part.seconds),
            part.forward,
            part.asked,
            part.most,
            Percent(1 - (part.asked or part.forward) / part.most, 1) if part.most else None,
        )
        for part in whole.parts
    ]
    total, asked = sum(p.forward for p in whole.parts), sum(p.asked or 0 for p in whole.parts)
    # what each attack would take if it were run on all examples, to the end
    every = sum(whole.n * p.most // p.attacked for p in whole.parts if p.attacked)
    lines.append((
        "all, on every example to the end",
        whole.n,
        sum(p.broke for p in whole.parts),
        Seconds(whole.seconds),
        total,
        asked or None,
        every,
        Percent(1 - (asked or total) / every, 1) if every else None,
    ))  # fmt: skip
    return Table(
        (
            *("attack", "attacked", "broke", "time", "forward passes", "rows asked about"),
            *("if nobody left", "saved"),
        ),
        tuple(lines),
        f"{whole.title} ({whole.name}), {whole.n:,} images, batch {whole.batch}. Saved: rows asked "
        "about, less than if nobody left, in percent.",
    )


def _beside(whole: Whole) -> str:
    facts, beside = whole.facts, whole.beside
    out = (
        f"The network is right on {facts['accuracy']:.1%} of the images ({facts['images']}), and "
        f"{whole.robust:.1%} stand at the end; scale {facts['scale']}, load before "
        f"{facts['load before']}, {facts['device']}."
    )
    if beside is None:
        return out
    ours = f"{beside.seconds:.1f} s, {beside.robust:.0%} stand"
    if beside.failed or beside.art_seconds is None or beside.art_robust is None:
        return f"{out} On {beside.n} images, both cold: ours {ours}; ART's ended with " + (
            beside.failed.replace("`", "") + "."
        )
    return (
        f"{out} On {beside.n} images, both cold: ours {ours}; ART's {beside.art_seconds:.1f} s "
        f"({beside.art_seconds / beside.seconds:.1f} times), {beside.art_robust:.0%} stand."
    )


def _memory(kept: Sequence[Memory]) -> Section:
    lines = tuple(
        (
            memory.title,
            peak.n,
            Fixed(peak.peak / 2**20, 0),
            Fixed(peak.arrays / 2**20, 0),
            Fixed(peak.beyond / 2**20, 0),
            Fixed(peak.beyond / memory.peaks[0].beyond),
            _flat(memory) if peak is memory.peaks[-1] else None,
        )
        for memory in kept
        for peak in memory.peaks
    )
    table = Table(
        (
            *("attack", "examples", "peak, MiB", "arrays, MiB", "beyond them, MiB"),
            *("times the first", "flat"),
        ),
        lines,
        "Peak resident memory of whole processes, with TensorFlow and the network.",
    )
    text = (
        "Each line is a process of its own that attacks random images. The arrays are the examples "
        "handed in and those that come back; what is needed beyond them may grow by "
        f"{GROWTH - 1:.0%} from the first number of examples to the last."
    )
    return Section("Memory", (Text(text), TableBlock(table, "attacks-memory")))


def _flat(memory: Memory) -> Word:
    return Word("yes", "good") if memory.flat else Word("no", "bad")
