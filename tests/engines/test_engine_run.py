"""What `engines.run` checks, compiles and leaves alone."""

import os
import subprocess
import sys

import numpy as np
import pytest

from robustnets import backend
from robustnets.attacks import FGSM, Noise
from robustnets.core.threat import ThreatModel
from robustnets.engines import run

LINF = FGSM(ThreatModel("linf", 0.1))


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.uniform(0, 1, (9, 5, 4, 3)).astype(np.float32), rng.integers(0, 7, 9)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_batch_size_does_not_matter(norm, small_classifier, batch):
    attack = FGSM(ThreatModel(norm, 0.1))
    whole = run(attack, small_classifier, *batch, batch_size=500)
    assert whole.x.dtype == np.float32
    assert whole.forward.dtype == whole.backward.dtype == np.int32
    for size in (1, 2, 4, 9):
        part = run(attack, small_classifier, *batch, batch_size=size)
        np.testing.assert_allclose(part.x, whole.x, rtol=0, atol=1e-6)
    again = run(attack, small_classifier, *batch, batch_size=500)
    assert again.x.tobytes() == whole.x.tobytes()


def test_an_example_draws_by_its_number(small_classifier, batch):
    x, y = batch
    noise = Noise(ThreatModel("linf", 0.1), draws=1)
    whole = run(noise, small_classifier, x, y, attack_wrong=True)
    rows = np.array([7, 2, 4])
    some = run(noise, small_classifier, x[rows], y[rows], numbers=rows, attack_wrong=True)
    assert some.x.tobytes() == whole.x[rows].tobytes()
    others = run(noise, small_classifier, x[rows], y[rows], attack_wrong=True)
    assert (others.x != some.x).any(axis=(1, 2, 3)).all()


def test_one_trace_serves_all_radii_and_calls(batch):
    from tiny_models import dense_classifier

    class Counting(type(dense_classifier(7))):
        traces = 0

        def logits(self, x):
            self.traces += 1
            return super().logits(x)

    classifier = Counting(dense_classifier(7).model)
    for eps in (0.0, 0.1, 0.2, 0.1):
        run(FGSM(ThreatModel("linf", eps)), classifier, *batch, batch_size=4, attack_wrong=True)
    assert classifier.traces == 2, "the attack, and the prediction that verifies it"


def test_progress_counts_examples(small_classifier, batch):
    seen = []
    run(
        LINF,
        small_classifier,
        *batch,
        batch_size=4,
        attack_wrong=True,
        progress=lambda *a: seen.append(a),
    )
    assert seen == [(4, 9), (8, 9), (9, 9)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((2, 5, 4, 3), np.uint8)}, "uint8"),
        ({"x": [[0.0]]}, r"got \(1, 1\)"),
        ({"x": np.zeros((2, 4, 5, 3), np.float32)}, r"\(N, 5, 4, 3\)"),
        ({"x": np.zeros((0, 5, 4, 3), np.float32)}, "N > 0"),
        ({"x": np.full((2, 5, 4, 3), np.nan, np.float32)}, "NaN"),
        ({"x": np.full((2, 5, 4, 3), 255, np.float32)}, r"box \[0, 1\]"),
        ({"y": np.zeros(2)}, "integer dtype, got float64"),
        ({"y": np.zeros((2, 7), int)}, r"y must be \(2,\)"),
        ({"y": np.array([0, 7])}, r"0\.\.6"),
        ({"y": np.array([-1, 0])}, r"0\.\.6"),
        ({"seed": True}, "seed must be an int"),
        ({"seed": -1}, "seed must be an int >= 0, got -1"),
        ({"numbers": np.arange(3)}, "numbers must be 2 ints >= 0"),
        ({"numbers": np.array([0, -1])}, "numbers must be 2 ints >= 0"),
        ({"numbers": np.zeros(2)}, "numbers must be 2 ints >= 0"),
        ({"numbers": np.arange(2), "engine": "art"}, "numbers needs engine='native', got 'art'"),
        ({"batch_size": 0}, "batch_size must be an int >= 1, got 0"),
        ({"engine": "foolbox"}, "native, art, cleverhans, got 'foolbox'"),
    ],
)
def test_bad_arguments_are_named(change, message, small_classifier):
    arguments = {"x": np.zeros((2, 5, 4, 3), np.float32), "y": np.zeros(2, int), **change}
    with pytest.raises(ValueError, match=message):
        run(LINF, small_classifier, **arguments)


def test_an_attack_that_a_peer_lacks_names_the_engine_that_has_it(small_classifier, batch):
    class Homemade:
        threat, targeted, minimal = LINF.threat, False, False
        passes, perturb = (1, 1), LINF.perturb

    with pytest.raises(
        ValueError, match="cannot carry out Homemade with these settings; use one of: native"
    ):
        run(Homemade(), small_classifier, *batch, engine="art")


@pytest.mark.skipif(backend.name() != "tensorflow", reason="the peers run on TensorFlow only")
@pytest.mark.parametrize("engine", ["native", "art", "cleverhans"])
def test_arguments_and_global_random_state_are_left_alone(engine, small_classifier, batch):
    x, y = batch
    copies, state = (x.copy(), y.copy()), np.random.get_state()  # noqa: NPY002
    run(LINF, small_classifier, x, y, engine=engine, batch_size=4)
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(y, copies[1])
    assert all(np.array_equal(a, b) for a, b in zip(state, np.random.get_state()))  # noqa: NPY002


@pytest.mark.skipif(backend.name() != "tensorflow", reason="ART runs on TensorFlow only")
def test_importing_art_writes_nothing_into_the_home_directory(tmp_path):
    code = (
        "import os; from robustnets.engines.art import import_art; import_art(); import art.config;"
        "from art.config import ART_DATA_PATH as p; print(art.config.ART_DATA_PATH == p, p);"
        "print(os.environ['HOME'])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "mpl")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert out[-2:] == [f"True {tmp_path / '.art' / 'data'}", str(tmp_path)]
    assert not (tmp_path / ".art").exists()
