"""Committed Records are those of the Cells that the chapters make today."""

import json
from pathlib import Path

import pytest

from robustnets.chapters import CHAPTERS, chapter
from robustnets.core.spec import digest, to_dict

REPORTS = Path(__file__).parents[2] / "reports"


@pytest.mark.parametrize("slug", CHAPTERS)
def test_every_committed_record_is_of_a_cell_of_its_chapter(slug, monkeypatch):
    monkeypatch.delenv("ROBUSTNETS_IMAGENET_WEIGHTS", raising=False)
    scale = json.loads((REPORTS / slug / "run.json").read_text())["scale"]
    wanted = {digest(to_dict(cell)) for cell in chapter(slug).cells(scale)}
    there = {path.stem for path in (REPORTS / slug / "records").glob("*.npz")}
    assert there == wanted
