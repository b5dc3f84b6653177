"""The five original reports, as they name themselves, and what of each a chapter repeats."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Report:
    """One original report.

    Args:
        authors: as its first page has them.
        title: as its first page has it.
        kind: what it is, and where and when it was made, as far as it says.
        year: as it states it, or None where it states none.
        chapters: slug of a chapter -> the sections that the chapter repeats.
        rest: what no chapter repeats yet.
    """

    authors: str
    title: str
    kind: str
    year: int | None
    chapters: Mapping[str, str]
    rest: str

    @property
    def cited(self) -> str:
        """Authors, title, kind and year, in Markdown."""
        year = "which states no year" if self.year is None else str(self.year)
        return f"{self.authors}, “{self.title}”, {self.kind}, {year}"


# keyed as in the reported numbers
REPORTS: Mapping[str, Report] = {
    "thesis": Report(
        "Giuseppe Crino'",
        "Robust neural networks against adversarial examples",
        "thesis advised by Dario Malchiodi and Nicolo' Cesa-Bianchi",
        None,
        {"stopping": "sections 3.1 to 3.5", "filters": "sections 3.6 to 3.10"},
        "",
    ),
    "lacok2016": Report(
        "Robert Lacok",
        "Adversarial Examples in Neural Networks",
        "MiA (Mathematics in Action)",
        2016,
        {"regularization": "tables 1 and 2 and figure 1"},
        "",
    ),
    "psl_iasd": Report(
        "Mehdi Bentaleb, Yassine Abou Hadid and Mohamed Benmaiza",
        "Robust Neural Networks",
        "data science project of the Master 2 IASD, PSL Research University",
        None,
        {},
        "adversarial training, black-box attacks and randomised networks (sections 2 to 4)",
    ),
    "csce496": Report(
        "Cale Harms, Colton Harper and Krishnamohan Sunkara",
        "CSCE496 Deep Learning: Final Project Report",
        "course report of February 4",
        2019,
        {},
        "ensembles by bagging with noise, and adversarial retraining",
    ),
    "csds440": Report(
        "Shaochen (Henry) Zhong, Minyang Tie, Alex Useloff, Austin Keppers and David Meshnick",
        "Adversarial Machine Learning",
        "CSDS 440 class project",
        2020,
        {
            "evasion": "section 2.1 (Zhong), figures 3 and 4 of section 2.5 (Meshnick) and "
            "section 3.2.1",
            "smoothing": "table 3 of section 2.2 (Tie) and section 3.3.2",
            "distillation": "figures 1 and 2 of section 2.4 (Keppers)",
        },
        "feature collision, poisoning, unlearning and detection (parts of sections 2.1, 2.2, 2.3, "
        "3.2.2, 3.3.1 and 3.3.3)",
    ),
}


def source(slug: str) -> str:
    """The line of a chapter's page that names its source, in Markdown.

    Raises:
        ValueError: for a chapter of no report.
    """
    for report in REPORTS.values():
        if slug in report.chapters:
            return f"*Source: {report.cited}; here {report.chapters[slug]}.*"
    raise ValueError(f"no report in REPORTS has the chapter {slug!r}")


def listed(written: Collection[str], below: str = "") -> str:
    """What of each report is covered: a list in Markdown.

    Args:
        written: slugs of the chapters that have a page, to which the list links.
        below: the path of the folder of chapters, ending in a slash; "" is that folder itself.
    """
    lines = []
    for report in REPORTS.values():
        covered = [
            f"{sections} in "
            + (f"[{slug}]({below}{slug}/README.md)" if slug in written else f"`{slug}`")
            for slug, sections in report.chapters.items()
        ]
        covered += [f"not yet: {report.rest}"] if report.rest else []
        lines.append(f"- {report.cited}: {'; '.join(covered)}.")
    return "\n".join(lines)
