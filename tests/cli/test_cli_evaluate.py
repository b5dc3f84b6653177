"""`robustnets evaluate`: the first line at once, exit codes, files, and what is wrong in words."""

import importlib.util
import json
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from tiny_models import convolving
from typer.testing import CliRunner

from robustnets.cli import app
from robustnets.core.record import Record
from robustnets.evaluation import verdict
from robustnets.evaluation.sanity import Check


@pytest.fixture(scope="module")
def files(tmp_path_factory, trained_classifier, digits):
    folder = tmp_path_factory.mktemp("evaluate")
    convolving(trained_classifier).model.save(folder / "model.keras")
    x, y = digits[0][1500:1540], digits[1][1500:1540]
    np.savez(folder / "examples.npz", x=x, y=y)
    return folder


@pytest.fixture(autouse=True)
def unchecked(monkeypatch):
    monkeypatch.setattr(verdict, "checks_of", lambda *args, **kwargs: ())


def evaluate(files, *arguments, model="model.keras", eps="0.1"):
    command = ["evaluate", str(files / model), "--data", str(files / "examples.npz")]
    command += ["--suite", "quick", "--store", str(files / "store"), "--eps", eps]
    return CliRunner().invoke(app, [*command, *arguments])


def said(done):
    return " ".join(done.output.split())


def test_a_page_and_a_verdict(files):
    done = evaluate(files, "--out", str(files / "out"), "-n", "30", "--fail-under", "0.01")
    assert done.exit_code == 0, done.output
    assert said(done).startswith("evaluating")
    assert "Robust accuracy in linf at eps 0.1" in said(done)
    info = json.loads((files / "out" / "model_info.json").read_text())
    assert info["name"] == "model.keras"
    assert info["robustnets"]["n"] == 30
    assert (files / "out" / "index.html").is_file()
    assert (files / "out" / "records" / "white.npz").is_file()


def test_below_the_bar_is_exit_code_1(files):
    done = evaluate(files, "-n", "30", "--fail-under", "0.99")
    assert done.exit_code == 1
    assert "is below 0.99" in said(done)


def test_an_upper_bound_passes_no_bar(files, monkeypatch):
    broken = Check("monotone", "FAIL", "it rises", "look again")
    monkeypatch.setattr(verdict, "checks_of", lambda *args, **kwargs: (broken,))
    done = evaluate(files, "-n", "30", "--fail-under", "0.01")
    assert done.exit_code == 1, done.output
    assert "upper bound only, so it does not show that 0.01 is reached" in said(done)
    assert evaluate(files, "-n", "30").exit_code == 0


@pytest.mark.slow
def test_other_processes_find_the_same(files, tmp_path):
    """80 examples: two pieces of each attack, in one process, in two and on a cluster."""
    x, y = (np.concatenate([np.load(files / "examples.npz")[k]] * 2) for k in "xy")
    np.savez(tmp_path / "twice.npz", x=x, y=y)
    command = ["evaluate", str(files / "model.keras"), "--data", str(tmp_path / "twice.npz")]
    command += ["--suite", "quick", "--eps", "0.1"]
    ways = {"alone": (), "jobs": ("-j", "2")}
    if importlib.util.find_spec("distributed"):
        ways["dask"] = ("--workers", "dask", "-j", "2")
    if importlib.util.find_spec("ray"):
        ways["ray"] = ("--workers", "ray", "-j", "2")
    found = {}
    for way, more in ways.items():
        folder = ["--store", str(tmp_path / way), "--out", str(tmp_path / way / "page")]
        done = CliRunner().invoke(app, [*command, *folder, *more])
        assert done.exit_code == 0, done.output
        records = (tmp_path / way / "page" / "records").glob("*.npz")
        found[way] = {path.stem: Record.load(path).fingerprint for path in records}
        parts = list((tmp_path / way).rglob("parts/*.npz"))
        found[way]["parts"] = sorted(path.name for path in parts)
    assert set(found["alone"]) == {"white", "queries", "curve", "parts"}
    for way in ways:
        assert found[way] == found["alone"], way


def test_a_defense_by_name(files, monkeypatch):
    (files / "my_defense.py").write_text(
        "import keras\n"
        "class Halve(keras.layers.Layer):\n"
        "    def call(self, x):\n        return 0.5 * x + 0.25\n"
    )
    monkeypatch.syspath_prepend(str(files))
    done = evaluate(files, "-n", "20", "--defense", "my_defense.Halve")
    assert done.exit_code == 0, done.output
    assert "gray-box" in said(done)
    assert "Without the defense" in said(done)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suite", "slow"), "suite must be one of quick, standard, autoattack"),
        (("--norm", "l0"), "norm must be linf, l2 or l1"),
        (("--eps", "much"), "eps must be a number or a fraction such as 8/255, got 'much'"),
        (("--budget", "soon"), "budget must be minutes such as 10m or queries"),
        (("--defense", "no_such_module.Layer"), "cannot import the defense's module"),
    ],
)
def test_what_is_wrong_is_named(files, arguments, message):
    done = evaluate(files, *arguments)
    assert done.exit_code == 2
    assert message in said(done)


def two_inputs():
    images, other = keras.Input((8, 6, 1)), keras.Input((8, 6, 1))
    flat = keras.layers.Flatten()(keras.layers.Add()([images, other]))
    return keras.Model([images, other], keras.layers.Dense(10)(flat))


def with_code():
    images = keras.Input((8, 6, 1))
    flat = keras.layers.Lambda(lambda x: 2 * x)(keras.layers.Flatten()(images))
    return keras.Model(images, keras.layers.Dense(10)(flat))


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        (two_inputs, None, "a classifier has one input and one output"),
        (with_code, None, "holds Lambda and __lambda__, which would run code from the file"),
        ("half", None, "is damaged or no Keras model"),
        (None, lambda x, y: (np.repeat(x, 3, axis=3), y), "images 8 x 6 x 3, but the model take"),
        (None, lambda x, y: (x, y % 3), "labels 0..2 only, in 40 examples, but the model has 10"),
        (None, lambda x, y: (x * np.nan, y), "x holds NaN or infinite values"),
        (None, lambda x, y: (255 * x, y), "divide it by 255, or store it as uint8"),
        (None, lambda x, y: (x[:0], y[:0]), "x is empty"),
    ],
)
def test_what_does_not_fit_is_one_sentence(files, tmp_path, model, change, message):
    x, y = (np.load(files / "examples.npz")[key] for key in "xy")
    x, y = (x, y) if change is None else change(x, y)
    np.savez(tmp_path / "bad.npz", x=x, y=y)
    path = tmp_path / "bad.keras"
    whole = (files / "model.keras").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if model == "half" else whole)
    if callable(model):
        model().save(path)
    done = evaluate(files, "--data", str(tmp_path / "bad.npz"), model=path)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    assert done.output.count("error: ") == 1
    assert message in said(done)


def test_a_missing_file(files):
    done = evaluate(files, model="nothing.keras")
    assert done.exit_code == 2
    assert "there is no file" in said(done)


def test_the_first_line_comes_before_keras(files):
    code = "from robustnets.cli import main; main()"
    command = ["evaluate", str(files / "model.keras"), "--data", "digits", "--eps", "8/255"]
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", code, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:  # fmt: skip
        first = process.stdout.readline()
        taken = time.monotonic() - started
        process.kill()
    assert first.startswith("evaluating ")
    assert taken < 5


def test_a_model_of_another_range(files):
    model = keras.models.load_model(files / "model.keras")
    images = keras.Input(model.input_shape[1:])
    unit = keras.layers.Rescaling(1 / 255)(images)
    keras.Model(images, model(unit)).save(files / "bytes.keras")
    done = evaluate(files, model="bytes.keras")
    assert done.exit_code == 2
    assert "give --input-range 0,255 and --eps in these units, or put keras.layers" in said(done)
    done = evaluate(files, eps="8")
    assert done.exit_code == 2
    assert "did you mean 8/255? If 8 is meant, give --any-eps" in said(done)
    where = ("--input-range", "0,255", "--out", str(files / "bytes"))
    done = evaluate(files, *where, model="bytes.keras", eps="25.5")
    assert done.exit_code == 0, done.output
    assert "scaled to [0, 255]: linf, eps 25.5" in said(done)
    assert "at eps 25.5 (inputs in [0, 255]):" in said(done)
    page = (files / "bytes" / "README.md").read_text()
    assert "the whole range is 255 wide: eps 25.5 is 0.1 of it" in page
    threat = json.loads((files / "bytes" / "model_info.json").read_text())["robustnets"]["threat"]
    assert (threat["low"], threat["high"], threat["eps"]) == (0, 255, 25.5)
