"""`robustnets compare-engines`: mistakes, and one comparison from word to page."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from robustnets import backend, cli
from robustnets.attacks import PGD
from robustnets.core.store import Store
from robustnets.core.threat import ThreatModel
from robustnets.experiments import compare_engines as comparison


def invoke(*arguments):
    return CliRunner().invoke(
        cli.app, ["compare-engines", *map(str, arguments)], env={"COLUMNS": "200"}
    )


def text_of(result):
    return " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fgms"], "no attack 'fgms'; there are fgsm, bim, mi-fgsm, pgd,"),
        (["fgms"], "did you mean 'fgsm'?"),
        (["carlini"], "did you mean 'carlini-wagner'?"),
        (["pgd", "--set", "stepz=3"], "pgd has no setting 'stepz'; it has step, steps,"),
        (["pgd", "--set", "steps"], "settings are written key=value, got 'steps'"),
        (["pgd", "--set", "steps=0"], "steps must be an int >= 1, got 0"),
        (["pgd", "--set", "steps=many"], "steps must be an int >= 1, got 'many'"),
        (["hop-skip-jump", "--set", "starts=1"], "has no setting 'starts'"),
        (["pgd", "--set", "threat=1"], "pgd has no setting 'threat'"),
        (["deepfool", "--norm", "l1"], "DeepFool needs norm 'linf' or 'l2', got 'l1'"),
        (["fgsm", "--norm", "l3"], "norm must be one of linf, l2, l1, l0, got 'l3'"),
        (["fgsm", "--eps", "-1"], "eps must be finite and >= 0, got -1"),
        (["fgsm", "--dataset", "none.npz"], "there is no file none.npz"),
        (["fgsm", "--model", "fc"], "no model 'fc'; there are"),
        (["fgsm", "--model", "mine.keras"], "there is no file mine.keras"),
        (["fgsm", "--trust"], "are for a model of your own, got them for 'fc-100-100-10'"),
        (["fgsm", "-n", "0"], "Invalid value for '-n'"),
        ([], "Missing argument"),
    ],
)
def test_mistakes(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments, "--store", tmp_path / "store")
    assert result.exit_code == 2
    assert message in text_of(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(backend.name() != "tensorflow", reason="peers run on TensorFlow")
@pytest.mark.slow
def test_from_a_word_to_a_page(tmp_path, monkeypatch):
    store, out = tmp_path / "store", tmp_path / "out"
    settings = {"n": 20, "store": Store(store)}
    spec = comparison.spec_of("fgsm", None, 0.05)
    page = comparison.compare(spec, **settings)
    # what ART imports keeps hold of the streams that it finds, so not from within the command
    monkeypatch.setattr(comparison, "compare", lambda *args, **kwargs: page)
    result = invoke("fgsm", "--eps", 0.05, "--store", store, "--out", out, "-n", 20)
    assert result.exit_code == 0, result.output
    for engine in ("native", "art", "cleverhans"):
        assert f" {engine} " in result.output
    with open(out / "tables" / "engines.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["engine"] for row in rows] == ["native", "art", "cleverhans"]
    assert len({row["success, percent"] for row in rows}) == 1
    assert float(rows[1]["largest difference"]) < 1e-6
    assert float(rows[2]["same example as native, percent"]) == 1.0
    assert {(float(r["forward passes"]), float(r["backward passes"])) for r in rows} == {(2, 1)}
    assert "FGSM through each engine" in (out / "index.html").read_text()
    networks = [p.stat().st_mtime_ns for p in store.rglob("*.keras")]
    assert len(networks) == 1

    # the same network again, and what peers refuse
    monkeypatch.undo()
    page = comparison.compare(PGD(ThreatModel("l1", 5.0)), **settings)
    table, refused = page.sections[0].blocks
    assert [row[0] for row in table.table.rows] == ["native"]
    assert "- **cleverhans**: the cleverhans engine cannot carry out PGD" in refused.markdown
    assert networks == [p.stat().st_mtime_ns for p in store.rglob("*.keras")]


@pytest.mark.skipif(backend.name() != "tensorflow", reason="peers run on TensorFlow")
def test_a_model_of_ones_own(tmp_path, trained_classifier, digits):
    trained_classifier.model.save(tmp_path / "mine.keras")
    np.savez(tmp_path / "mine.npz", x=digits[0][1500:1530], y=digits[1][1500:1530])
    spec = comparison.spec_of("fgsm", None, 0.05)
    own = {"model": str(tmp_path / "mine.keras"), "dataset": str(tmp_path / "mine.npz"), "n": 20}
    page = comparison.compare(spec, **own, store=Store(tmp_path / "store"))
    (block,) = page.sections[0].blocks
    assert [row[0] for row in block.table.rows] == ["native", "art", "cleverhans"]
    assert trained_classifier.digest in page.facts["network"]
    assert not (tmp_path / "store").exists()
    with pytest.raises(ValueError, match="no layer 'nothing'; it has flatten, dense_0, dense_1"):
        comparison.compare(spec, **own, logits="nothing")
