"""Images in a scale that the model was not trained on are refused, with a remedy that works."""

import re
import warnings

import keras
import numpy as np
import pytest
from tiny_models import dense_classifier

from robustnets.core.dataset import Split
from robustnets.core.threat import ThreatModel
from robustnets.evaluation import evaluate, verdict
from robustnets.evaluation.input_scale import (
    COMMAND,
    COMMAND_WITHOUT_RANGE,
    check_scale,
)
from robustnets.evaluation.scales import IMAGENET_MEAN, IMAGENET_STD, usual
from robustnets.evaluation.surrogate import trained_surrogate
from robustnets.experiments.attack_model import attack_model, attacks_of
from robustnets.models.classifier import Classifier

MEAN, STD = 0.31, 0.37


@pytest.fixture(scope="module")
def examples(digits):
    return digits[0][1500:1700], digits[1][1500:1700]


def taking(classifier, scale, offset, shape=None):
    """The same network for images u * scale + offset, u in [0, 1]."""
    images = keras.Input(shape or classifier.image_shape)
    scale, offset = (np.broadcast_to(np.float32(v), images.shape[-1:]) for v in (scale, offset))
    back = keras.layers.Normalization(mean=offset, variance=scale**2)(images)
    if images.shape[-1] != classifier.image_shape[-1]:
        back = keras.ops.mean(back, axis=-1, keepdims=True)
    return Classifier(keras.Model(images, classifier.model(back)))


SCALES = {
    "bytes": (255, 0, "in 0..255", "0,255"),
    "-1 to 1": (2, -1, "in [-1, 1]", "-1,1"),
    "centred": (1, -0.5, "in [-0.5, 0.5]", "-0.5,0.5"),
    "standardised": (1 / STD, -MEAN / STD, "less their mean, divided by their standard", None),
}


@pytest.mark.parametrize("name", SCALES)
def test_another_scale_is_refused_and_both_remedies_work(trained_classifier, examples, name):
    x, y = examples
    scale, offset, words, box = SCALES[name]
    classifier = taking(trained_classifier, scale, offset)
    with pytest.raises(ValueError, match=re.escape(words)) as problem:
        check_scale(classifier, x, y)
    said = str(problem.value)
    # the model with a layer in front
    found = {"keras": keras, "model": classifier.model}
    exec(re.search(r"in front: (u = .*?)(\. If|$)", said).group(1), found)
    assert check_scale(Classifier(found["model"]), x, y) == ""
    # other images in another box
    code, low, high = re.search(r"give x = (.*) with low=(\S+), high=(\S+) and", said).groups()
    scaled = eval(code, {"u": x, "np": np})
    assert float(low) <= scaled.min() <= scaled.max() <= float(high)
    bounds = {"low": float(low), "high": float(high), "given": True}
    assert check_scale(classifier, scaled, y, **bounds) == ""
    # and on the command line
    with pytest.raises(ValueError, match=f"give --input-range {box or ''}.* and --eps in these"):
        check_scale(classifier, x, y, entry=COMMAND)
    with pytest.raises(ValueError, match=r"put keras\.layers\.Rescaling\(.* in front of it and"):
        check_scale(classifier, x, y, entry=COMMAND_WITHOUT_RANGE)


def test_channels_with_statistics_of_their_own(trained_classifier, examples):
    x, y = np.repeat(examples[0], 3, axis=-1), examples[1]
    std, mean = np.array(IMAGENET_STD), np.array(IMAGENET_MEAN)
    classifier = taking(trained_classifier, 1 / std, -mean / std, (*x.shape[1:3], 3))
    means = np.array([103.939, 116.779, 123.68])
    caffe = taking(trained_classifier, 255, -means, (*x.shape[1:3], 3))
    for model, words in ((classifier, "divided by"), (caffe, "blue first|in 0..255")):
        with pytest.raises(ValueError, match=words) as problem:
            check_scale(model, x, y)
        found = {"keras": keras, "model": model.model}
        exec(re.search(r"in front: (u = .*?)(\. If|$)", str(problem.value)).group(1), found)
        assert check_scale(Classifier(found["model"]), x, y) == ""


def test_the_scales_of_imagenet_are_those_of_keras(examples):
    x = np.random.default_rng(0).uniform(0, 1, (3, 5, 4, 3)).astype(np.float32)
    scales = [scale.x for scale in usual(x, 0, 1)]
    for mode in ("tf", "torch", "caffe"):
        theirs = keras.applications.imagenet_utils.preprocess_input(255 * x.copy(), mode=mode)
        assert min(np.abs(theirs - ours).max() for ours in scales) < 1e-4, mode


def test_a_good_model_is_left_alone(trained_classifier, small_classifier, examples):
    x, y = examples
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_scale(trained_classifier, x, y) == ""
        # few of them right, for no reason of scale
        noisy = np.where(np.random.default_rng(0).uniform(size=len(y)) < 0.4, (y + 1) % 10, y)
        assert check_scale(trained_classifier, x, noisy) == ""


def test_an_untrained_model_is_no_question_of_scale(digits):
    x, y = digits[0][:200], digits[1][:200]
    for seed in range(5):
        classifier = dense_classifier(20, 10, shape=x.shape[1:], seed=seed)
        with pytest.warns(UserWarning, match="no better than a guess among 10 classes"):
            assert "images as they are given" not in check_scale(classifier, x, y)


def test_who_names_the_box_is_warned_only(trained_classifier, examples):
    x, y = examples
    classifier = taking(trained_classifier, 255, 0)
    with pytest.warns(UserWarning, match="on .* of the same images in 0..255"):
        assert "0..255" in check_scale(classifier, x, y, given=True)
    # unless the images were not scaled to the box that was named
    with pytest.raises(ValueError, match=r"the same images scaled from \[0, 1\] to \[0, 255\]"):
        check_scale(classifier, x, y, low=0, high=255, given=True)


def constant(shape, kept):
    """A model that says one class for everything."""
    classifier = dense_classifier(10, shape=shape)
    kernel, bias = classifier.model.layers[-1].weights
    kernel.assign(np.zeros(kernel.shape))
    bias.assign(5.0 * (np.arange(10) == kept))
    return classifier


def test_one_class_for_everything_on_skewed_data(examples):
    x, y = examples
    rare = np.flatnonzero(y != 3)[:12]
    rows = np.sort(np.concatenate([np.resize(np.flatnonzero(y == 3), 52), rare]))
    x, y = x[rows], y[rows]
    model = constant(x.shape[1:], 3)
    with pytest.raises(ValueError, match="gives class 3 for all 64 images, of which 52 are"):
        check_scale(model, x, y)
    with pytest.warns(UserWarning, match="gives class 3 for all 64 images"):
        check_scale(model, x, y, given=True)
    # some of them may be missed by a good model
    with pytest.warns(UserWarning, match="gives class 3 for all 57 images"):
        check_scale(model, np.delete(x, np.flatnonzero(y != 3)[5:], axis=0),
                    np.delete(y, np.flatnonzero(y != 3)[5:]))  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_scale(model, x[y == 3], y[y == 3]) == ""


def test_no_better_than_the_most_frequent_class(trained_classifier, examples):
    x, y = examples
    wrong = np.where(np.arange(len(y)) % 5 > 0, 3, y)
    with pytest.warns(UserWarning, match="no better than .*: is it trained"):
        check_scale(trained_classifier, x, wrong)


def test_labels_of_other_classes_are_noted(trained_classifier, examples):
    x, y = examples
    with pytest.warns(UserWarning, match=r"of 200 examples, no better than a guess among 10"):
        check_scale(trained_classifier, x, (y + 1) % 10)


@pytest.fixture
def unchecked(monkeypatch):
    monkeypatch.setattr(verdict, "checks_of", lambda *args, **kwargs: ())


def test_every_entry_point_refuses(trained_classifier, examples):
    x, y = examples
    classifier = taking(trained_classifier, 255, 0)
    with pytest.raises(ValueError, match=r"give x = 255 \* u with low=0, high=255"):
        evaluate(classifier, x, y, eps=0.1, suite="quick")
    threat = ThreatModel("linf", 0.1)
    attacks, _ = attacks_of("pgd", threat, 10)
    with pytest.raises(ValueError, match="attacks whose ThreatModel has low=0, high=255"):
        attack_model(classifier, x, y, attacks, title="t")
    for refuse in (
        lambda: evaluate(trained_classifier, x, y, eps=8, suite="quick"),
        lambda: attack_model(
            trained_classifier, x, y, attacks_of("pgd", ThreatModel("linf", 8), 10)[0], title="t"
        ),
    ):
        with pytest.raises(ValueError, match="did you mean 8/255"):
            refuse()


def test_attacks_keep_the_box():
    threat = ThreatModel("linf", 16, 0, 255)
    for name in ("pgd", "autoattack"):
        attacks, _ = attacks_of(name, threat, 10)
        assert {attack.threat for attack in attacks} == {threat}


@pytest.mark.slow
def test_the_box_follows_the_model(trained_classifier, examples, unchecked):
    """The same attacks in another scale break the same examples at distances in that scale."""
    x, y = examples[0][:60], examples[1][:60]
    wide = taking(trained_classifier, 2, -1)
    here = evaluate(trained_classifier, x, y, eps=0.1, suite="quick")
    there = evaluate(wide, 2 * x - 1, y, eps=0.2, suite="quick", low=-1, high=1)
    assert there.accuracy == here.accuracy
    difference = there.robust_accuracy.estimate - here.robust_accuracy.estimate
    assert difference == pytest.approx(0, abs=2 / 60)
    both = np.isfinite(here.nearest.distance) & (here.nearest.distance > 0)
    both &= np.isfinite(there.nearest.distance)
    ratio = np.median(there.nearest.distance[both]) / np.median(here.nearest.distance[both])
    assert ratio == pytest.approx(2, abs=0.1)
    assert there.x.min() == -1
    assert -1 <= there.nearest.x.min() < -0.99
    assert "at eps 0.2 (inputs in [-1, 1])" in there.headline
    assert "inputs in" not in here.headline
    text = str(there.page())
    assert (
        "in the units of the model's inputs, in which the whole range is 2 wide: eps 0.2 is" in text
    )
    assert "0.1 of it" in text
    assert "units of the model" not in str(here.page())


def test_a_surrogate_learns_in_the_box_of_the_model(digits, examples):
    x, y = digits[0][:1000], digits[1][:1000]
    test_x, test_y = examples
    for low, high in ((0.0, 1.0), (0.0, 255.0)):
        apart = Split(low + (high - low) * x, y[:, None])
        found = trained_surrogate(apart, 10, 0, box=(low, high))
        scaled = (low + (high - low) * test_x).astype(np.float32)
        assert (found.predict(scaled).argmax(axis=1) == test_y).mean() > 0.8


def test_a_surrogate_in_another_box_is_refused(trained_classifier, digits, examples):
    x, y = examples
    with pytest.raises(ValueError, match=r"surrogate: x must lie in the box \[0, 1\] of evaluate"):
        evaluate(trained_classifier, x, y, eps=0.1, suite="quick",
                 surrogate=Split(255 * digits[0][:100], digits[1][:100]))  # fmt: skip


def test_a_note_stands_on_the_page(trained_classifier, examples, unchecked):
    x, y = examples[0][:30], (examples[1][:30] + 1) % 10
    with pytest.warns(UserWarning, match="no better than a guess"):
        found = evaluate(trained_classifier, x, y, eps=0.1, suite="quick")
    assert "no better than a guess" in str(found.page().facts["note"])


def test_a_store_by_its_folder_and_a_column_of_labels(trained_classifier, examples, unchecked,
                                                      tmp_path):  # fmt: skip
    x, y = examples[0][:30], examples[1][:30]
    settings = {"eps": "26/255", "suite": "quick"}
    column = evaluate(trained_classifier, x.astype(float), y[:, None].astype(np.uint8),
                      store=str(tmp_path / "kept"), **settings)  # fmt: skip
    flat = evaluate(trained_classifier, x, y, **settings)
    assert column.robust_accuracy == flat.robust_accuracy
    assert any((tmp_path / "kept").rglob("*.npz"))
    with pytest.raises(ValueError, match="store must be a Store, a folder or None, got 3"):
        evaluate(trained_classifier, x, y, store=3, **settings)
