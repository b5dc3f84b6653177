"""What a chapter is: a few words that load nothing, and parts that are imported when asked for."""

import importlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robustnets.core.record import Record
    from robustnets.report.index import IndexEntry
    from robustnets.report.page import Page


@dataclass(frozen=True, slots=True)
class Chapter:
    """A question, the Cells that answer it, and the page made from their Records.

    The package `robustnets.chapters.SLUG` has the Chapter itself as CHAPTER, `cells.py` with
    `cells`, and `kept` where a page needs arrays of a Record beyond the predictions, and
    `page.py` with `page` and `entry`. Pages are made from Records alone, so that `page.py` loads
    no deep-learning library; `cells` does so when called.

    Args:
        slug: the package's name, and the folder's under `reports/`.
        title: of the page.
        question: that the chapter answers.
    """

    slug: str
    title: str
    question: str

    def cells(
        self,
        scale: str,
        dataset: str | None = None,
        seeds: int | None = None,
        engine: str = "native",
    ) -> tuple[Any, ...]:
        """What is to be measured.

        Args:
            scale: one of `SCALES`.
            dataset: in place of the scale's, by name or as an `.npz` file.
            seeds: how many training seeds, in place of the scale's.
            engine: who carries out what it has; the native engine does the rest.
        """
        return self._part("cells").cells(scale, dataset, seeds, engine)

    def kept(self, record: "Record") -> Collection[str]:
        """The names of a Record's arrays that the page needs beyond its predictions."""
        kept = getattr(self._part("cells"), "kept", None)
        return () if kept is None else kept(record)

    def page(self, records: "Sequence[Record]", run: Mapping[str, Any]) -> "Page":
        """The page.

        Args:
            records: of the Cells of one scale.
            run: how they were made: "command", "scale", "jobs".
        """
        return self._part("page").page(records, run)

    def entry(self, records: "Sequence[Record]", run: Mapping[str, Any]) -> "IndexEntry":
        """The card on the index page; arguments as for `page`."""
        return self._part("page").entry(records, run)

    def _part(self, name: str) -> Any:
        return importlib.import_module(f"robustnets.chapters.{self.slug}.{name}")
