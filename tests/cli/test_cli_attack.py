"""`robustnets attack`: a model file, examples, a page; and what goes wrong, in words."""

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from robustnets.cli import app


@pytest.fixture(scope="module")
def files(tmp_path_factory, trained_classifier, digits):
    folder = tmp_path_factory.mktemp("attack")
    trained_classifier.model.save(folder / "model.keras")
    x, y = digits[0][1500:1530], digits[1][1500:1530]
    np.savez(folder / "examples.npz", x=x, y=y)
    return folder


def attack(files, *arguments, model="model.keras"):
    command = ["attack", str(files / model), "--data", str(files / "examples.npz")]
    return CliRunner().invoke(app, [*command, "--store", str(files / "store"), *arguments])


def test_a_page_and_every_outcome(files):
    done = attack(files, "--attack", "pgd", "--eps", "25/255", "--out", str(files / "out"))
    assert done.exit_code == 0, done.output
    assert "obust accuracy in linf at eps 0.098" in done.output.replace("\n", " ")
    with np.load(files / "out" / "outcomes.npz") as found:
        assert len(found["y"]) == 30
        assert np.abs(found["x"]).max() <= 1
        assert (found["broken_by"] == 0).any()
    assert (files / "out" / "index.html").is_file()


def test_the_suite_in_a_budget_says_what_it_left_out(files):
    done = attack(files, "--eps", "0.05", "-n", "6", "--budget", "50")
    assert done.exit_code == 0, done.output
    assert "Upper bound of the robust accuracy" in done.output
    assert "Not finished on all that stood" in " ".join(done.output.split())


def test_a_softmax_head_is_no_obstacle(files):
    model = keras.models.load_model(files / "model.keras")
    keras.Sequential([model, keras.layers.Softmax()]).save(files / "softmax.keras")
    with pytest.warns(UserWarning, match="ends in a softmax"):
        done = attack(files, "--attack", "fgsm", "--eps", "0.1", model="softmax.keras")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--eps", "a lot"), "eps must be a number or a fraction such as 8/255, got 'a lot'"),
        (("--eps", "0.1", "--attack", "pdg"), "did you mean 'pgd'?"),
        (("--eps", "0.1", "--version", "plain"), "version must be one of standard, rand, plus"),
        (("--eps", "0.1", "--norm", "l7"), "norm"),
        (("--eps", "0.1", "--budget", "soon"), "budget must be minutes such as 10m or queries"),
        (("--eps", "0.1", "--custom", "no_such_module"), "cannot import 'no_such_module'"),
    ],
)
def test_what_is_wrong_is_named(files, arguments, message):
    done = attack(files, *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_files_that_are_none(files):
    done = attack(files, "--eps", "0.1", model="nothing.keras")
    assert done.exit_code == 2
    assert "there is no file" in " ".join(done.output.split())
    (files / "broken.keras").write_text("no model")
    done = attack(files, "--eps", "0.1", model="broken.keras")
    assert done.exit_code == 2
    assert "cannot read" in " ".join(done.output.split())


def test_an_attack_by_name_has_its_own_settings_not_those_of_a_comparison():
    from robustnets.attacks import HopSkipJump
    from robustnets.core.threat import ThreatModel
    from robustnets.experiments.attack_model import attacks_of

    threat = ThreatModel("l2", 0.5)
    assert attacks_of("hop-skip-jump", threat, 10) == ((HopSkipJump(threat),), ())
