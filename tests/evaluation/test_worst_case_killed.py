"""An ensemble killed outright at ten random moments gives the bytes of an undisturbed run."""

import os
import subprocess
import sys

import numpy as np
import pytest

KILLS = 10

# Imports once and forks a child for each attempt, before TensorFlow has a thread. An attempt that
# is through before its kill leaves a result, and the next one begins with an empty folder.
SCRIPT = """
import os, signal, sys, time
from pathlib import Path

sys.path.insert(0, "tests")
import numpy as np
from tiny_models import dense_classifier
from robustnets.attacks import FGSM, Noise
from robustnets.core.threat import ThreatModel
from robustnets.engines import native
from robustnets.evaluation.worst_case import worst_case

native.uses_xla = lambda attack, classifier: False  # compiling would take longer than the rest
root, kills = Path(sys.argv[1]), int(sys.argv[2])
# attacks that are traced in no time, so that most of an attempt is what the ensemble does
near, far = ThreatModel("linf", 0.01), ThreatModel("linf", 0.03)
suite = (Noise(far, draws=3), FGSM(near), FGSM(far))


def work(folder):
    classifier = dense_classifier(11, 7)
    x = np.random.default_rng(0).uniform(0, 1, (400, 5, 4, 3)).astype(np.float32)
    y = classifier.predict(x).argmax(axis=1)
    found = worst_case(suite, classifier, x, y, batch_size=4, folder=folder)
    np.savez(f"{folder}.npz", x=found.x, by=found.broken_by, forward=found.forward)


def attempt(folder, seconds):
    began, child = time.monotonic(), os.fork()
    if child == 0:
        work(folder)
        os._exit(0)
    while time.monotonic() - began < seconds:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert status == 0
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


began = time.monotonic()
attempt(root / "alone", 1e9)
whole = time.monotonic() - began
rng, number = np.random.default_rng(0), 0
while kills:
    folder = root / f"killed-{number}"
    if attempt(folder, rng.uniform(0, whole)):
        kills -= 1
        print(len(list(folder.rglob("[!.]*.npz"))), flush=True)
    else:
        number += 1
attempt(root / f"killed-{number}", 1e9)
"""


@pytest.mark.slow
def test_killed_and_resumed_is_as_undisturbed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(KILLS)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = [int(line) for line in done.stdout.splitlines()]  # parts at hand at each kill
    assert len(kept) == KILLS
    assert max(kept) > 0
    results = sorted(tmp_path.glob("killed-*.npz"))
    assert results
    with np.load(tmp_path / "alone.npz") as alone:
        assert len(set(alone["by"].tolist())) > 2
        for path in results:
            with np.load(path) as found:
                for name in alone.files:
                    assert found[name].tobytes() == alone[name].tobytes()
