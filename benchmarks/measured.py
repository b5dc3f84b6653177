"""What a benchmark measured, its file, and its section of the page."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import Spread, ratio
from robustnets.core.store import write_atomically
from robustnets.report.page import Section, TableBlock, Text
from robustnets.report.table import Cell, Fixed, Table, Word


@dataclass(frozen=True, slots=True)
class Goal:
    """What is hoped for.

    Args:
        side: whose time is judged, by its median.
        limit: the largest ratio to `against`, or of seconds where that is empty.
        against: another side, or "".
    """

    side: str
    limit: float
    against: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of each side of one benchmark, round by round.

    Args:
        name: of the benchmark.
        title: its heading.
        text: what was timed, Markdown.
        seconds: by side, all of the same length.
        references: the sides that all others are divided by.
        goals: what is hoped for.
        facts: sizes, versions and the machine, by name.
        notes: what the numbers alone do not say, one line each.
    """

    name: str
    title: str
    text: str
    seconds: dict[str, list[float]]
    references: tuple[str, ...]
    goals: tuple[Goal, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def save(self, folder: Path) -> Path:
        """Write `NAME.json`, every repetition in it."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        return write_atomically(folder / f"{self.name}.json", lambda p: p.write_text(text))

    @classmethod
    def load(cls, path: Path) -> "Measured":
        """Read what `save` wrote."""
        data = json.loads(path.read_text())
        return cls(
            **{
                **data,
                "references": tuple(data["references"]),
                "goals": tuple(Goal(**goal) for goal in data["goals"]),
                "notes": tuple(data["notes"]),
            }
        )

    def table(self) -> Table:
        """One row per side."""
        ratios = [f"times {reference}" for reference in self.references]
        return Table(
            ("what", "seconds", *ratios, "n", "goal", "reached"),
            tuple(self._row(side) for side in self.seconds),
            f"{self.title}: seconds, and how many times those of another row, round by round. "
            "Median [smallest, largest] of n rounds.",
        )

    def section(self) -> Section:
        """The benchmark's part of the page."""
        notes = "\n".join(f"- {note}" for note in self.notes)
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return Section(
            self.title,
            (
                Text(self.text),
                TableBlock(self.table(), self.name),
                Text("\n\n".join(part for part in (notes, f"*{facts}.*") if part)),
            ),
        )

    def _row(self, side: str) -> tuple[Cell, ...]:
        seconds = self.seconds[side]
        row: list[Cell] = [side, Fixed(Spread.of(seconds), 3)]
        for reference in self.references:
            own = reference == side
            row.append(None if own else Fixed(ratio(seconds, self.seconds[reference]), 2))
        goal = next((goal for goal in self.goals if goal.side == side), None)
        if goal is None:
            return (*row, len(seconds), None, None)
        spread, unit = Spread.of(seconds), "s"
        if goal.against:
            spread, unit = ratio(seconds, self.seconds[goal.against]), f"times {goal.against}"
        verdict = Word("yes", "good") if spread.estimate <= goal.limit else Word("no", "bad")
        return (*row, len(seconds), f"at most {goal.limit:.3g} {unit}", verdict)
