"""`robustnets attack`: a model file, examples, a page; and what goes wrong, in words."""

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from robustnets.cli import app


def text_of(result):
    return " ".join(result.output.split())


def refused(done):
    """What a command said that ended as it should: one line, no traceback."""
    assert done.exit_code == 2, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.output.count("error: ") == 1
    assert "Traceback" not in done.output
    return text_of(done)


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
    assert "larger budget" in " ".join(done.output.split())


def test_a_softmax_head_is_no_obstacle(files):
    model = keras.models.load_model(files / "model.keras")
    keras.Sequential([model, keras.layers.Softmax()]).save(files / "softmax.keras")
    done = attack(files, "--attack", "fgsm", "--eps", "0.1", model="softmax.keras")
    assert done.exit_code == 0, done.output
    assert "ends in a softmax" in text_of(done)
    assert text_of(done).count("note: ") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--eps", "a lot"), "eps must be a number or a fraction such as 8/255, got 'a lot'"),
        (("--eps", "0.1", "--attack", "pdg"), "did you mean 'pgd'?"),
        (("--eps", "0.1", "--version", "plain"), "version must be one of standard, rand, plus"),
        (("--eps", "0.1", "--norm", "l7"), "norm"),
        (("--eps", "0.1", "--budget", "soon"), "budget must be minutes such as 10m or queries"),
        (("--eps", "0.1", "--custom", "no_such_module"), "cannot import 'no_such_module'"),
        (("--eps", "0.1", "--logits", "nothing"), "no layer 'nothing'; it has flatten, dense_0, d"),
        (("--eps", "0.1", "--logits", "dense_0"), "gives 20 values and the model 10; name the la"),
        (("--eps", "0.1", "-n", "31"), "holds 30 examples, got n = 31"),
    ],
)
def test_what_is_wrong_is_named(files, arguments, message):
    assert message in refused(attack(files, *arguments))


def models():
    """Models that are no classifiers of these digits, and what is said of each."""
    images, other = keras.Input((8, 6, 1)), keras.Input((8, 6, 1))
    flat, layers = keras.layers.Flatten()(images), keras.layers
    scores = layers.Dense(10)(flat)
    both = layers.Add()([scores, layers.Dense(10)(layers.Flatten()(other))])
    code = layers.Dense(10)(layers.Lambda(lambda x: x * 2)(flat))
    column, colour = keras.Input((48,)), keras.Input((8, 6, 3))
    return {
        "two inputs": (keras.Model([images, other], both), "one input and one output"),
        "two outputs": (keras.Model(images, [scores, flat]), "one input and one output"),
        "one output": (keras.Model(images, layers.Dense(1)(flat)), "y must lie in 0..1"),
        "a map": (keras.Model(images, images), "logits must be (N, K)"),
        "no images": (keras.Model(column, layers.Dense(10)(column)), "takes images (N, H, W, C)"),
        "colour": (
            keras.Model(colour, layers.Dense(10)(layers.Flatten()(colour))),
            "holds images 8 x 6 x 1, but the model takes 8 x 6 x 3",
        ),
        "12 classes": (keras.Model(images, layers.Dense(30)(flat)), "the model has 30 outputs"),
        "code": (keras.Model(images, code), "holds Lambda and __lambda__, which would run code"),
    }


MODELS = tuple(models())


@pytest.mark.parametrize("case", MODELS)
def test_models_that_do_not_fit(files, case):
    model, message = models()[case]
    model.save(files / "other.keras")
    assert message in refused(attack(files, "--eps", "0.1", model="other.keras"))


def test_a_trusted_model_may_hold_code(files):
    models()["code"][0].save(files / "code.keras")
    options = ("--eps", "0.1", "--attack", "fgsm", "-n", "5", "--trust")
    done = attack(files, *options, model="code.keras")
    assert done.exit_code == 0, done.output


def test_files_that_are_none(files):
    assert "there is no file" in refused(attack(files, "--eps", "0.1", model="nothing.keras"))
    (files / "broken.keras").write_text("no model")
    said = refused(attack(files, "--eps", "0.1", model="broken.keras"))
    assert "is damaged or no Keras model" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: {"x": np.repeat(x, 3, axis=3), "y": y}, "8 x 6 x 3, but the model takes 8 x"),
        (lambda x, y: {"x": x * np.nan, "y": y}, "x holds NaN or infinite values; remove those"),
        (lambda x, y: {"x": x * 255, "y": y}, "divide it by 255, or store it as uint8"),
        (lambda x, y: {"x": x[:0], "y": y[:0]}, "x is empty"),
        (lambda x, y: {"x": x, "y": y + 5}, "y must lie in 0..9, the classes of the model, got 5."),
        (lambda x, y: {"x": x, "y": y % 3}, "labels 0..2 only, in 30 examples, but the model has"),
        (lambda x, y: {"x": x, "y": np.eye(10)[y]}, "these are one-hot: store y.argmax(axis=1)"),
        (lambda x, y: {"images": x}, "lacks x, y, or x_train"),
    ],
)
def test_examples_that_do_not_fit(files, digits, change, message):
    x, y = digits[0][1500:1530], digits[1][1500:1530]
    np.savez(files / "bad.npz", **change(x, y))
    said = refused(attack(files, "--eps", "0.1", "--data", str(files / "bad.npz")))
    assert message in said


def test_an_attack_by_name_has_its_own_settings_not_those_of_a_comparison():
    from robustnets.attacks import HopSkipJump
    from robustnets.core.threat import ThreatModel
    from robustnets.experiments.attack_model import attacks_of

    threat = ThreatModel("l2", 0.5)
    assert attacks_of("hop-skip-jump", threat, 10) == ((HopSkipJump(threat),), ())


def test_a_radius_as_wide_as_the_box_is_asked_about(files):
    assert "did you mean 8/255?" in refused(attack(files, "--attack", "pgd", "--eps", "8"))
    done = attack(files, "--attack", "fgsm", "--eps", "8", "--any-eps", "-n", "12")
    assert done.exit_code == 0, done.output
    assert "in linf at eps 8:" in text_of(done)


def test_a_model_of_another_range(files):
    """Refused as it is; attacked in its range, in which the page gives eps."""
    model = keras.models.load_model(files / "model.keras")
    images = keras.Input(model.input_shape[1:])
    unit = keras.layers.Rescaling(0.5, offset=0.5)(images)
    keras.Model(images, model(unit)).save(files / "minus1_1.keras")
    arguments = ("--attack", "fgsm", "--eps", "0.2")
    said = refused(attack(files, *arguments, model="minus1_1.keras"))
    assert "of the same images in [-1, 1]" in said
    assert ": give --input-range -1,1 and --eps in these units, or put keras" in said
    assert "put keras.layers.Rescaling(2, offset=-1) in front of it and save it again" in said
    done = attack(
        files, *arguments, "--input-range", "-1,1", "--out", str(files / "wide"),
        model="minus1_1.keras",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "at eps 0.2 (inputs in [-1, 1]):" in text_of(done)
    usual = attack(files, "--attack", "fgsm", "--eps", "0.1", "--out", str(files / "unit"))
    assert usual.exit_code == 0, usual.output
    there, here = (dict(np.load(files / name / "outcomes.npz")) for name in ("wide", "unit"))
    np.testing.assert_array_equal(there["broken_by"], here["broken_by"])
    np.testing.assert_allclose(there["x"], 2 * here["x"] - 1, rtol=0, atol=1e-5)
    for text in ("1,-1", "wide", "0"):
        said = refused(attack(files, *arguments, "--input-range", text))
        assert f"such as -1,1 or 0,255, got '{text}'" in said


def test_labels_in_a_column(files):
    with np.load(files / "examples.npz") as given:
        np.savez(files / "column.npz", x=given["x"], y=given["y"][:, None].astype(np.uint8))
    outputs = []
    for name in ("examples", "column"):
        command = ["attack", str(files / "model.keras"), "--data", str(files / f"{name}.npz")]
        done = CliRunner().invoke(
            app, [*command, "--attack", "fgsm", "--eps", "0.1", "--store", str(files / name)]
        )
        assert done.exit_code == 0, done.output
        outputs.append(done.output.split(";")[0])
    assert outputs[0] == outputs[1]
