"""The README's promises: its code runs, its results are those of the reports, its links resolve."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import convolving

from robustnets.chapters.write import BEGIN, END, write_results

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)


def test_the_worked_layer_runs_and_is_twenty_lines_or_so():
    (code,) = [code for code in BLOCKS if "class Contrast" in code]
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    names = [line.split()[0] for line in run.stdout.splitlines() if "Interval" in line]
    assert names == ["gray-box", "white-box"]
    written = [
        line for line in code.splitlines() if line and not line.startswith(("import", "from"))
    ]
    assert len(written) <= 20


def test_the_attack_on_a_model_of_ones_own_runs(trained_classifier, digits):
    (code,) = [code for code in BLOCKS if "classifier = Classifier(model)" in code]
    x, y = digits[0][1500:1520], digits[1][1500:1520]
    names = {"model": trained_classifier.model, "x": x, "y": y}
    exec(code, names)
    assert names["found"].success.any()
    (suite,) = [code for code in BLOCKS if "worst_case" in code]
    exec(suite.replace("0.1)", "0.01)"), names)
    assert names["found"].finished
    assert [found.success.mean() for found in names["curve"]] == sorted(
        found.success.mean() for found in names["curve"]
    )


def test_three_lines_evaluate_a_model(trained_classifier, digits, monkeypatch):
    from robustnets.evaluation import verdict

    (code,) = [code for code in BLOCKS if "import evaluate" in code]
    assert len([line for line in code.splitlines() if line]) == 3
    monkeypatch.setattr(verdict, "checks_of", lambda *args, **kwargs: ())
    x, y = digits[0][1500:1520], digits[1][1500:1520]
    names = {"model": convolving(trained_classifier).model, "x": x, "y": y}
    exec(code, names)
    assert names["found"].robust_accuracy.n == 20


def test_the_results_are_those_of_the_reports(tmp_path):
    shutil.copytree(ROOT / "reports", tmp_path / "reports")
    readme = tmp_path / "README.md"
    readme.write_text(TEXT)
    write_results(readme, tmp_path / "reports")
    assert readme.read_text() == TEXT
    assert TEXT.split(BEGIN)[1].split(END)[0].count("\n- **") >= 2


def test_a_readme_without_marks_is_refused(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no marks")
    with pytest.raises(ValueError, match="must hold the lines"):
        write_results(readme, tmp_path)


def test_links_inside_the_repository_resolve():
    targets = re.findall(r"\]\(([^)#]+)\)", TEXT)
    inside = [t for t in targets if not t.startswith("http")]
    assert inside
    assert [t for t in inside if not (ROOT / t).exists()] == []


def test_every_make_target_that_the_readme_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"\bmake ([a-z]+)", TEXT))
    assert {"demo", "test"} <= named <= targets


def test_the_requirements_beside_another_tensorflow_are_those_of_setup_cfg():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    needed = config["options"]["install_requires"].split()
    command = re.search(r"after `pip install ([^`]*)`", TEXT).group(1)
    named = [word.strip("'") for word in command.split()]
    assert "keras>=3.12.1" in needed
    assert "keras>=3.12.1" in named
    names = {re.split("[<>=]", line)[0] for line in needed} - {"tensorflow"}
    assert sorted(re.split("[<>=]", word)[0] for word in named) == sorted(names)
