"""What chapter pages share: runs grouped by seed, rates over them, facts for the footer."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from robustnets.core.record import Record
from robustnets.core.spec import digest
from robustnets.report.cells import Cell, Percent, Word, seconds
from robustnets.report.seeds import ALPHA, share
from robustnets.report.text import points_text
from robustnets.stats.intervals import Interval
from robustnets.stats.multiplicity import holm

NOT_SHOWN = "no difference shown"


def finding(
    group: Sequence[Record],
    data: str,
    network: str,
    attack: str = "none",
    knowledge: str | None = None,
    eps: float | None = None,
    lucky: bool = False,
) -> dict[str, Cell]:
    """A line of the front page's table: accuracy on all examples, under attack or not.

    Args:
        group: Records of one network and attack, one for each training seed.
        data: the data set's name for readers.
        network: what was attacked.
        attack: what with.
        knowledge: what its maker knew, such as "white-box".
        eps: the radius; None is the accuracy before the attack.
        lucky: count what the attack happens to put right as well, as some reports do.
    """
    if eps is None:
        right = [r.correct for r in group]
    else:
        right = [(r.right if lucky else r.robust)[r.at(eps)] for r in group]
    return {
        "data": data,
        "network": network,
        "attack": attack,
        "attacker": knowledge,
        "accuracy": Percent(share(right), 1),
        "test examples": len(right[0]),
        "training seeds": len(group),
    }


class _Pair(Protocol):
    """A paired difference of `stats.paired`, of rates or of means."""

    @property
    def difference(self) -> Interval: ...
    @property
    def p(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Contrast:
    """One difference of a family of comparisons, and whether it is shown.

    Args:
        difference: with its interval.
        p: its raw p-value.
        adjusted: its p-value after Holm's adjustment over the family.
    """

    difference: Interval
    p: float
    adjusted: float

    @property
    def shown(self) -> bool:
        """Whether the adjusted test tells the difference from chance."""
        return self.adjusted < ALPHA and self.difference.estimate != 0

    @property
    def more(self) -> bool:
        """Whether it is shown, and above zero."""
        return self.shown and self.difference.estimate > 0

    @property
    def less(self) -> bool:
        """Whether it is shown, and below zero."""
        return self.shown and self.difference.estimate < 0

    def word(self, more: str = "higher", less: str = "lower", better: int = 1) -> Word:
        """The verdict for a table.

        Args:
            more, less: what a shown difference above and below zero is called.
            better: 1 where more is better, -1 where less is, 0 where neither.
        """
        if not self.shown:
            return Word(NOT_SHOWN)
        kinds = {1: ("good", "bad"), -1: ("bad", "good"), 0: ("plain", "plain")}[better]
        return Word(more, kinds[0]) if self.more else Word(less, kinds[1])

    def said(self, digits: int = 1) -> str:
        """For running text: "+1.2 (+0.8 to +1.6) points", or with "(no difference shown)" added."""
        text = f"{points_text(self.difference, digits)} points"
        return text if self.shown else f"{text} ({NOT_SHOWN})"


Key = TypeVar("Key", bound=Hashable)


def family(pairs: "Mapping[Key, _Pair]") -> "dict[Key, Contrast]":
    """Adjust a declared family of paired differences by Holm.

    Args:
        pairs: by comparison, all that the family has.

    Example:
        >>> from robustnets.stats.paired import paired_rates
        >>> pair = paired_rates([True] * 8, [False] * 8)
        >>> family({"a": pair, "b": pair})["a"].adjusted == 2 * pair.p
        True
    """
    adjusted = holm([pair.p for pair in pairs.values()])
    return {
        key: Contrast(pair.difference, pair.p, p)
        for (key, pair), p in zip(pairs.items(), adjusted, strict=True)
    }


def facts(records: Sequence[Record], run: dict[str, Any]) -> dict[str, object]:
    """Where the numbers come from, for the page's list of facts.

    Args:
        records: of one chapter, at least one.
        run: "command", "scale" and "jobs", as `robustnets run` wrote them.
    """
    first = records[0]
    about = first.about
    seeds = {record.cell["network"]["seed"] for record in records}
    return {
        "command": run["command"],
        "scale": run["scale"],
        "data": f"{first.cell['network']['dataset']['name']}, fingerprint {about['data']}",
        "test examples": len(first.label),
        "training seeds": len(seeds),
        "device": about["device"],
        "software": ", ".join(
            f"{name} {about[name]}"
            for name in ("robustnets", "keras", "tensorflow", "jax", "python")
            if name in about
        ),
        "training, summed": seconds(_training_seconds(records)),
        "attacks, summed": seconds(sum(r.about["attack_seconds"] for r in records)),
        "worker processes": run["jobs"],
        "networks": len({digest(_trained_as(r)) for r in records}),
        "Records": f"{len(records)}, fingerprint "
        + digest(sorted(record.fingerprint for record in records)),
    }


def _training_seconds(records: Sequence[Record]) -> float:
    """Wall time of all training loops; the stops of one trajectory count once."""
    longest: dict[str, float] = {}
    for record in records:
        network = _trained_as(record)
        network.pop("rule")
        if record.curves:  # a network that was trained for this Record or one beside it
            key = digest(network)
            longest[key] = max(longest.get(key, 0.0), record.curves["seconds"].sum())
    return sum(longest.values())


def _trained_as(record: Record) -> dict[str, Any]:
    """The network of a Record as it was trained: one that lends its weights is no other."""
    network = dict(record.cell["network"])
    defense = network.get("defense")
    if defense is not None and defense.get("type") == "OtherTraining":
        training = defense["training"]
        network |= {"training": training, "rule": training["rules"][0], "defense": None}
    return network


def network_setup(training: Mapping[str, Any]) -> str:
    """What the thesis leaves open about its network, and what was chosen."""
    sgd = training["optimizer"]
    return (
        "What the thesis leaves open was chosen once and not tuned. From the code published "
        "with Bhagoji et al. 2017 "
        "([arXiv:1704.02654](https://arxiv.org/abs/1704.02654)), the paper it points to, "
        "come the sigmoid hidden units and SGD with learning rate "
        f"{sgd['learning_rate']:g} and Nesterov momentum {sgd['momentum']:g}. Chosen here: batches "
        f"of {training['batch_size']}, Glorot-uniform weights, and the last "
        f"{training['validation']:.1%} of the training split held out for validation."
    )


def caution(like_for_like: bool, report: str = "the thesis", data: str = "MNIST") -> str:
    """A warning for the head of a page whose scale is not the original's.

    Args:
        like_for_like: nothing to warn of.
        report: what the page repeats, such as "the thesis".
        data: the data set of the original's own scale.
    """
    if like_for_like:
        return ""
    return (
        f"> Not at the report's scale: this page was made at a smaller scale than {report}, with "
        "other data, fewer images or fewer epochs. The reported numbers stand beside ours to show "
        f"the layout, without a verdict, until the chapter runs at `--scale full` on {data}.\n\n"
    )
