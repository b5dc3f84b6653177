"""What goes wrong is said in one sentence, before the work where it can be, with exit code 2."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

from robustnets import backend
from robustnets.cli import app
from robustnets.experiments import arguments, quiet, runner
from robustnets.report.page import Page


def invoke(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def said(done):
    return " ".join(done.output.split())


def refused(done):
    """What a command said that ended as it should: one sentence, no traceback."""
    assert done.exit_code == 2, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.output.count("error: ") == 1
    assert "Traceback" not in done.output
    return said(done).partition("error: ")[2]


@pytest.fixture(scope="module")
def files(tmp_path_factory, trained_classifier, digits):
    folder = tmp_path_factory.mktemp("failures")
    trained_classifier.model.save(folder / "model.keras")
    x, y = digits[0][1500:1530], digits[1][1500:1530]
    np.savez(folder / "examples.npz", x=x, y=y)
    (folder / "file").write_text("a file")
    return folder


COMMANDS = {
    "attack": ("attack", "{}/model.keras", "--data", "{}/examples.npz", "--eps", "0.1",
               "--attack", "fgsm"),
    "evaluate": ("evaluate", "{}/model.keras", "--data", "{}/examples.npz", "--eps", "0.1",
                 "--suite", "quick", "-n", "20"),
    "run": ("run", "stopping", "--scale", "demo"),
    "compare-engines": ("compare-engines", "fgsm", "-n", "5"),
}  # fmt: skip


def command(files, name, *more):
    words = [word.format(files) for word in COMMANDS[name]]
    if "--store" not in more:
        more = (*more, "--store", str(files / "store"))
    return invoke(*words, *more)


@pytest.mark.parametrize("option", ["--out", "--store"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_where_a_folder_is_wanted(files, name, option, monkeypatch):
    """It is refused before Keras is even loaded."""

    def loaded(*_):
        raise AssertionError("work was begun")

    monkeypatch.setattr(quiet, "quiet_backend", loaded)
    for place in ("file", "file/below"):
        message = refused(command(files, name, option, str(files / place)))
        assert message.endswith("file is no folder; name another one, or move that file away")


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder that takes no files")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_takes_no_files(files, name):
    assert "/proc/out: " in refused(command(files, name, "--out", "/proc/out"))


def test_a_report_into_a_file(files):
    assert "is no folder" in refused(invoke("report", "--out", str(files / "file")))


def test_the_number_is_printed_before_anything_is_written(files, monkeypatch):
    class Found:
        def summary(self):
            return Page("x", "x", "Robust accuracy in linf: 12 %", (), {})

        def save(self, folder):
            raise OSError(28, "No space left on device", f"{folder}/outcomes.npz")

    work = "robustnets.experiments.evaluate_model.evaluate_model"
    monkeypatch.setattr(work, lambda *arguments, **settings: Found())
    done = command(files, "evaluate", "--out", str(files / "full"))
    assert refused(done) == f"{files}/full/outcomes.npz: No space left on device"
    assert said(done).index("obust accuracy in linf") < said(done).index("error: ")


def test_an_attack_prints_its_number_before_it_writes(files, monkeypatch):
    def full(page, folder):
        raise OSError(28, "No space left on device", f"{folder}/index.html")

    monkeypatch.setattr("robustnets.report.page.write_page", full)
    done = command(files, "attack", "--out", str(files / "full"))
    assert refused(done).endswith("full/index.html: No space left on device")
    assert "obust accuracy in linf" in said(done)


EPS = ("1e400", "inf", "-inf", "nan", "1/0", "8/255/2", "1e999999999", "")


@pytest.mark.parametrize("eps", EPS)
def test_radii_that_are_none(files, eps):
    with pytest.raises(ValueError, match="eps must be a number or a fraction"):
        arguments.radius(eps)
    message = refused(command(files, "attack", "--eps", eps))
    assert "eps must be a number or a fraction such as 8/255" in message


@pytest.mark.parametrize(("text", "value"), [("8/255", 8 / 255), ("0.3", 0.3), (" 1 / 4 ", 0.25)])
def test_radii(text, value):
    assert arguments.radius(text) == value


@pytest.mark.parametrize(
    "budget", ["0", "-5", "1", "0m", "-3m", "nanm", "infm", "1e400m", "nan", "inf", "2.5", "m", ""]
)
@pytest.mark.parametrize("name", ["attack", "evaluate"])
def test_budgets_of_nothing(files, name, budget):
    assert "budget" in refused(command(files, name, "--budget", budget))


def test_budgets():
    assert arguments.limits("10m") == {"time_budget": 600.0}
    assert arguments.limits("2000") == {"query_budget": 2000}
    assert arguments.limits(None) == {}


def test_a_bar_that_is_no_number(files):
    done = command(files, "evaluate", "--fail-under", "nan")
    assert done.exit_code == 2
    assert "Invalid value for '--fail-under'" in said(done)


LEAVING = {
    "at import": "import sys\nsys.exit(0)\n",
    "in the function": "import sys\ndef model():\n    sys.exit(0)\ndef layer():\n    sys.exit()\n",
    "by quit": "quit()\n",
}


@pytest.mark.parametrize("place", LEAVING)
@pytest.mark.parametrize("role", ["model", "defense", "custom"])
@pytest.mark.parametrize("name", ["attack", "evaluate"])
def test_code_that_leaves(files, monkeypatch, tmp_path, name, role, place):
    """Exit code 0 without a number would make a check that looks at the code pass."""
    module = f"leaving_{place.replace(' ', '_')}_{role}_{name}"
    (tmp_path / f"{module}.py").write_text(LEAVING[place])
    monkeypatch.chdir(tmp_path)
    data = ("--data", files / "examples.npz", "--eps", "0.1", "--store", files / "store")
    if role == "model":
        done = invoke(name, f"{module}:model", *data)
    elif role == "custom":
        if place == "in the function":
            return  # nothing of it is called
        done = invoke(name, files / "model.keras", "--custom", module, *data)
    else:
        if name == "attack":
            return  # takes no defense
        done = invoke(name, files / "model.keras", "--defense", f"{module}.layer", *data)
    assert "it called sys.exit(" in refused(done)


def test_code_that_leaves_while_it_is_attacked(files, monkeypatch):
    def leave(*arguments, **settings):
        raise SystemExit(0)

    monkeypatch.setattr("robustnets.experiments.attack_model.attack_model", leave)
    assert "sys.exit(0) was called by code that was loaded" in refused(command(files, "attack"))


@pytest.mark.parametrize(
    ("name", "work"),
    [
        ("attack", "robustnets.experiments.attack_model.attack_model"),
        ("evaluate", "robustnets.experiments.evaluate_model.evaluate_model"),
        ("run", "robustnets.experiments.runner.run"),
        ("compare-engines", "robustnets.experiments.compare_engines.compare"),
    ],
)
def test_interrupted(files, monkeypatch, name, work):
    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, interrupt)
    done = command(files, name)
    assert done.exit_code == 130
    assert "interrupted; what was finished is kept, the same command goes on" in said(done)


def test_a_model_that_is_interrupted(files, monkeypatch, tmp_path):
    """Ctrl-C while a module is imported is no fault of the module."""
    (tmp_path / "interrupting.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.chdir(tmp_path)
    done = invoke("attack", "interrupting:model", "--data", files / "examples.npz", "--eps", "0.1")
    assert done.exit_code == 130


def test_a_header_that_claims_terabytes(files, tmp_path):
    header = io.BytesIO()
    shape = (10**6, 1000, 1000, 3)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    labels = io.BytesIO()
    np.save(labels, np.zeros(3, np.int64))
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
        archive.writestr("y.npy", labels.getvalue())
    for words in (
        ("attack", files / "model.keras", "--data", tmp_path / "huge.npz", "--eps", "0.1"),
        ("data", tmp_path / "huge.npz"),
    ):
        message = refused(invoke(*words))
        assert "huge.npz" in message
    assert "x claims to be float32 (1000000, 1000, 1000, 3) in 0 bytes" in refused(
        invoke("attack", files / "model.keras", "--data", tmp_path / "huge.npz", "--eps", "0.1")
    )


# In a process of its own, which has not loaded Keras: all commands, several times
BACKENDS = """
import json, os, sys
from typer.testing import CliRunner
from robustnets.cli import app
folder, commands, cases = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
os.environ["KERAS_HOME"] = folder
for name, text in cases:
    os.environ.pop("KERAS_BACKEND", None)
    if name is not None:
        os.environ["KERAS_BACKEND"] = name
    open(folder + "/keras.json", "w").write(text)
    for words in commands:
        done = CliRunner().invoke(app, words)
        fine = done.exit_code == 2 and isinstance(done.exception, (SystemExit, type(None)))
        print(json.dumps([fine, done.output]))
        assert "keras" not in sys.modules
"""


def test_backends_that_are_none(files, tmp_path):
    cases = [
        ("numpy", "{}", "tensorflow and jax backends of Keras, got 'numpy' from KERAS_BACKEND"),
        ("torch", "{}", "got 'torch' from KERAS_BACKEND; set KERAS_BACKEND=tensorflow"),
        ("no_such", "{}", "got 'no_such' from KERAS_BACKEND"),
        (None, '{"backend": "openvino"}', "got 'openvino' from"),
        (None, '{"backend": ', "is no JSON"),
        (None, "[]", "does not configure Keras: []"),
        (None, '{"backend": 3}', "does not configure Keras: {'backend': 3}"),
    ]
    commands = [[word.format(files) for word in words] for words in COMMANDS.values()]
    commands.append(["report", "--out", str(files)])
    done = subprocess.run(
        [sys.executable, "-c", BACKENDS, str(tmp_path), json.dumps(commands),
         json.dumps([case[:2] for case in cases])],
        capture_output=True, text=True, check=False,
        env={**os.environ, "ROBUSTNETS_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(cases) * len(commands)
    for number, (fine, output) in enumerate(lines):
        assert fine, output
        words = " ".join(output.split())
        assert words.count("error: ") == 1
        assert cases[number // len(commands)][2] in words, words


def test_the_backends_are_those_of_the_package():
    assert quiet.BACKENDS == backend.SUPPORTED


@pytest.mark.parametrize("words", [("-j", "1"), ("-j", "2"), ("-j", "7")])
def test_every_number_of_processes_has_the_same_threads(tmp_path, monkeypatch, words):
    """The number of threads decides the order of sums, and so the last bits of weights."""
    seen = []

    def run(cells, settings, jobs, show, workers):
        seen.append(settings.threads)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(quiet, "quiet_backend", seen.append)
    invoke("run", "stopping", "--scale", "demo", "--store", tmp_path, *words)
    assert seen == [quiet.THREADS] * 2
