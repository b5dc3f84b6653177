"""Both chapters through the command line, from Cells to pages, on embedded digits."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from robustnets import cli
from robustnets.chapters.filters import cells as filters_cells
from robustnets.chapters.stopping import cells as stopping_cells
from robustnets.experiments import runner
from robustnets.experiments.publish import published
from robustnets.report.seeds import successes

# one process runs the demo once for all of these tests
pytestmark = pytest.mark.xdist_group("chapters demo")

SLUGS = ("stopping", "filters")
RUN = ["run", *SLUGS, "--scale", "demo", "--seeds", "1"]


def small():
    """The demo scale with fewer epochs and filters, for both chapters."""
    return (
        replace(
            stopping_cells.SCALES["demo"], long=60, short=40, patience=8, plateau=4, max_epochs=60
        ),
        filters_cells.Scale((40, 10, 5), (10, 5), (0.05, 0.1, 0.2), 1, (10, 5), 1, 5),
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Folder of the pages, the store, and what the command said."""
    folder = tmp_path_factory.mktemp("pages")
    store = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        for module, scale in zip((stopping_cells, filters_cells), small()):
            patch.setitem(module.SCALES, "demo", scale)
        result = CliRunner().invoke(
            cli.app, [*RUN, "--store", str(store), "--out", str(folder), "--jobs", "1"]
        )
        assert result.exit_code == 0, result.output
        yield folder, store, result.output


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_pages_exist(demo):
    folder, _, output = demo
    assert "stopping: 11 Cells, 0 stored" in output
    assert str((folder / "index.html").resolve()) in output.replace("\n", "")
    for name in ("index.html", "README.md", "results.csv"):
        assert (folder / name).stat().st_size > 200
    for slug in SLUGS:
        page = folder / slug
        for name in ("index.html", "README.md", "run.json"):
            assert (page / name).is_file()
        assert len(list((page / "figures").glob("*.png"))) >= 2
        assert len(list((page / "tables").glob("*.csv"))) >= 3


def test_links_resolve(demo):
    folder, _, _ = demo
    seen = 0
    for page in (folder, *(folder / slug for slug in SLUGS)):
        text = (page / "README.md").read_text()
        html = (page / "index.html").read_text()
        targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'(?:src|href)="([^"]+)"', html)
        for target in targets:
            if target.startswith(("http", "#", "data:")):
                continue
            seen += 1
            assert (page / target.split("#")[0]).exists(), f"{page.name}: {target}"
    assert seen > 10


def test_pages_say_what_was_run(demo):
    folder, _, _ = demo
    for slug in SLUGS:
        text = (folder / slug / "README.md").read_text()
        assert f"robustnets run {slug} --scale demo --seeds 1" in text
        assert "smaller scale than the thesis" in text
        assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE)
        run = json.loads((folder / slug / "run.json").read_text())
        assert (run["scale"], run["jobs"]) == ("demo", 1)


def test_numbers_on_the_page_are_those_of_the_records(demo):
    folder, _, _ = demo
    records, _ = published(folder / "filters")
    bare = [r for r in records if r.cell["network"]["defense"] is None]
    assert len(bare) == 1
    success = np.mean([r.fooled[r.at(0.1)].sum() / r.correct.sum() for r in bare])
    text = (folder / "filters" / "README.md").read_text()
    assert f"**{100 * success:.1f} %** of the images" in text


def test_report_gives_the_same_bytes(demo):
    folder, _, _ = demo
    before = files(folder)
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".md", ".png", ".svg", ".csv"):
            path.unlink()
    result = CliRunner().invoke(cli.app, ["report", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    after = files(folder)
    assert after.keys() == before.keys()
    assert [str(name) for name in before if after[name] != before[name]] == []


def test_report_loads_no_deep_learning(demo):
    folder, _, _ = demo
    script = (
        "import sys, pathlib\n"
        "from robustnets.chapters import chapter\n"
        "from robustnets.experiments.publish import published\n"
        f"for slug in {SLUGS}:\n"
        "    records = published(pathlib.Path(sys.argv[1]) / slug)\n"
        "    chapter(slug).page(*records), chapter(slug).entry(*records)\n"
        "print(sorted({'keras', 'tensorflow', 'jax'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_a_shard_writes_no_page(demo, monkeypatch):
    _, store, _ = demo
    monkeypatch.setattr(runner, "_work", None)  # all is stored
    before = files(store)
    result = CliRunner().invoke(cli.app, [*RUN, "--store", str(store), "--shard", "2/3"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "stopping: 4 Cells, 4 stored"
    assert lines[-1] == "shard 2/3 is done; a run without --shard writes the page"
    assert files(store) == before


def test_the_same_command_again_computes_nothing(demo, monkeypatch):
    folder, store, _ = demo

    def work(*args):
        raise AssertionError("something was computed again")

    monkeypatch.setattr(runner, "_work", work)
    before = files(folder)
    result = CliRunner().invoke(cli.app, [*RUN, "--store", str(store), "--out", str(folder)])
    assert result.exit_code == 0, result.output
    assert "stopping: 11 Cells, 11 stored" in result.output
    assert files(folder) == before


def test_dry_run_lists_and_computes_nothing(demo, tmp_path):
    _, store, _ = demo
    before = files(store).keys()
    result = CliRunner().invoke(
        cli.app, [*RUN[:-1], "2", "--dry-run", "--store", str(store), "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    assert "stopping: 22 Cells, 11 stored" in result.output
    assert len(re.findall(r"^  missing  [0-9a-f]{16}  ", result.output, re.M)) == 11 + 1 + 2 * (
        11 + 3
    )
    assert files(store).keys() == before
    assert list(tmp_path.iterdir()) == []


def test_report_without_records(tmp_path):
    result = CliRunner().invoke(cli.app, ["report", "filters", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "robustnets run filters" in " ".join(result.output.split())


def _mnist():
    folder = os.environ.get("ROBUSTNETS_DATA")
    return folder and (Path(folder) / "mnist.npz").is_file()


@pytest.mark.skipif(not _mnist(), reason="needs mnist.npz in the folder ROBUSTNETS_DATA")
def test_a_slice_of_mnist(tmp_path):
    from robustnets.attacks import FGSM
    from robustnets.core.threat import ThreatModel
    from robustnets.defenses import InFront
    from robustnets.experiments.cell import Cell, DatasetRef, Network
    from robustnets.layers import FilterSpec
    from robustnets.training import SGD, FixedEpochs, Training

    rule = FixedEpochs(15)
    training = Training((rule,), SGD(0.1), batch_size=50)
    network = Network(DatasetRef("mnist", 2000, 300), "fc_100_100_10", training, rule, 0)
    defended = replace(network, defense=InFront(FilterSpec("pca", 20)))
    attack, etas = FGSM(ThreatModel("linf", 0.1)), (0.0, 0.1, 0.3)
    bare, gray, white = runner.run(
        [
            Cell(network, attack, etas, knowledge="white-box"),
            Cell(defended, attack, etas, knowledge="gray-box"),
            Cell(defended, attack, etas, knowledge="white-box"),
        ],
        runner.Settings(str(tmp_path)),
    )
    assert bare.correct.mean() > 0.8
    for record in (bare, gray, white):
        (success,) = successes([record])
        assert success[0] == 0.0
        assert (np.diff(success) > 0).all(), success
    np.testing.assert_array_equal(gray.clean, white.clean)
    np.testing.assert_array_equal(gray.adversarial[0], white.adversarial[0])
    assert (gray.adversarial[1] != white.adversarial[1]).mean() > 0.05
    # through the filter the attack does better than past it
    assert successes([white], 0.1)[0] > successes([gray], 0.1)[0] + 0.1
