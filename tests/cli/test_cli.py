"""The command line: quick, helpful about mistakes, and without side effects."""

import ast
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from robustnets import __version__, cli
from robustnets.chapters import CHAPTERS

HEAVY = ("keras", "tensorflow", "jax", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "art")


def invoke(*arguments, **options):
    return CliRunner().invoke(cli.app, list(map(str, arguments)), **options)


def text_of(result):
    """What was said, as one line: a narrow terminal breaks it anywhere between words."""
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["compare-engines", "--help"], ["--version"], ["list"]],
)
def test_quick_commands_load_nothing_heavy(arguments):
    script = (
        "import sys\n"
        "from robustnets.cli import main\n"
        f"sys.argv = ['robustnets', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        f"    print('\\n', [stop.code or 0, *sorted(set(sys.modules) & set({HEAVY!r}))], sep='')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stdout.splitlines()[-1]) == [0]


def test_help_names_everything():
    text = text_of(invoke("--help"))
    for command in ("run", "report", "list", "data", "compare-engines"):
        assert f" {command} " in text
    text = text_of(invoke("run", "--help", env={"COLUMNS": "200"}))
    for option in (
        "--scale",
        "--dataset",
        "--engine",
        "--seeds",
        "--store",
        "--jobs",
        "--workers",
        "--shard",
        "--dry-run",
    ):
        assert option in text


def test_version():
    result = invoke("--version")
    assert (result.exit_code, result.output.strip()) == (0, __version__)


def test_list():
    text = text_of(invoke("list", env={"COLUMNS": "200"}))
    for slug in CHAPTERS:
        assert slug in text
    assert "Can a heuristic decide when a network has learned" in text
    assert "scales: demo, quick, full; engines: native, art, cleverhans" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "stoping"], "no chapter 'stoping'; there are stopping, filters; did you mean 's"),
        (["run", "stopping", "filtres"], "no chapter 'filtres'; there are stopping, filters; did"),
        (["run", "xyz"], "no chapter 'xyz'; there are stopping, filters"),
        (["run", "stopping", "--scale", "ful"], "no scale 'ful'; there are demo, quick, full; did"),
        (["run", "filters", "--engine", "nativ"], "no engine 'nativ'; there are native, art, cle"),
        (["report", "filter"], "no chapter 'filter'; there are stopping, filters; did you mean 'f"),
        (["data", "mnits"], "no data set 'mnits'; there are mnist, cifar10, digits, tiny_imag"),
        (["data", "none.npz"], "there is no file none.npz"),
        (["run", "stopping", "--shard", "9/8"], "a shard is one of 1/8 to 8/8, got 9/8"),
        (["run", "stopping", "--shard", "1/2", "--out", "x"], "a shard writes no page; give --out"),
        (
            ["run", "stopping", "--workers", "slurm"],
            "workers must be one of dask, ray, got",
        ),
        (["run", "stopping", "--seeds", "0"], "Invalid value for '--seeds'"),
        (["run"], "Missing argument"),
        (["rum"], "No such command 'rum'"),
    ],
)
def test_mistakes(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUSTNETS_HOME", str(tmp_path / "home"))
    result = invoke(*arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in text_of(result)
    assert list(tmp_path.iterdir()) == []


def test_nothing_near_suggests_nothing():
    assert "did you mean" not in text_of(invoke("run", "xyz"))


def test_a_data_set_that_is_not_there(tmp_path):
    result = invoke(
        *("run", "stopping", "--scale", "demo", "--dataset", tmp_path / "none.npz"),
        *("--store", tmp_path / "store"),
        env={"COLUMNS": "200"},
    )
    assert result.exit_code == 2
    assert "there is no file" in text_of(result)
    assert not (tmp_path / "store").exists()


def test_peer_engines_need_tensorflow(monkeypatch, tmp_path):
    from robustnets.experiments import runner

    monkeypatch.setattr(runner, "backend_name", lambda: "jax")
    result = invoke("run", "filters", "--engine", "art", "--store", tmp_path)
    assert result.exit_code == 2
    assert "engine 'art' runs on TensorFlow; set KERAS_BACKEND=tensorflow" in text_of(result)
    assert list(tmp_path.iterdir()) == []


def test_data():
    text = text_of(invoke("data", env={"COLUMNS": "200"}))
    for name in ("mnist", "cifar10", "digits", "tiny_imagenet"):
        assert name in text
    assert "embedded" in text


def test_data_digits():
    from robustnets import data

    result = invoke("data", "digits", env={"COLUMNS": "200"})
    assert result.exit_code == 0
    text = text_of(result)
    assert data.load("digits").fingerprint in text
    assert "[28, 28, 1]" in text
    assert "1437" in text


def test_dry_run(tmp_path):
    store, out = tmp_path / "store", tmp_path / "out"
    result = invoke(
        *("run", "stopping", "--scale", "demo", "--seeds", 1, "--dry-run"),
        *("--store", store, "--out", out),
        env={"COLUMNS": "200"},
    )
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "stopping: 11 Cells, 0 stored"
    assert len([line for line in lines if line.startswith("  missing  ")]) == 11
    assert "StableWeights patience 24, max_std 0.02" in result.output
    assert list(tmp_path.iterdir()) == []


def test_shards_of_a_plan(tmp_path):
    command = ("run", "stopping", "--scale", "demo", "--seeds", 2, "--dry-run", "--store", tmp_path)
    wide = {"COLUMNS": "200"}
    whole, *parts = (
        invoke(*command, *options, env=wide).output.splitlines()
        for options in ((), ("--shard", "1/3"), ("--shard", "2/3"), ("--shard", "3/3"))
    )
    assert [part[0] for part in parts] == [f"stopping: {n} Cells, 0 stored" for n in (7, 7, 8)]
    assert sorted(line for part in parts for line in part[1:]) == sorted(whole[1:])


def test_interrupted(monkeypatch, tmp_path):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run_chapter", interrupt)
    result = invoke("run", "stopping", "--store", tmp_path)
    assert result.exit_code == 130
    assert text_of(result) == (
        "interrupted; what was finished is kept, the same command goes on from there"
    )


@pytest.mark.parametrize(
    ("dataset", "label"), [(None, "default"), ("mnist", "mnist"), ("a/b/mine.npz", "mine")]
)
def test_label_of_a_data_set(dataset, label):
    assert cli.dataset_label(dataset) == label
