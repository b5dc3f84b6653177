"""A training that several devices share ends where one device ends."""

import os
import subprocess
import sys

import numpy as np
import pytest
from tiny_models import dense_classifier

from robustnets import backend
from robustnets.core.dataset import Split
from robustnets.training import SGD, FixedEpochs, Training
from robustnets.training.fit import fit

TRAINING = Training(rules=(FixedEpochs(3),), optimizer=SGD(0.1, momentum=0.9), batch_size=6)
TWO_DEVICES = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
}


def splits():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 1, (30, 4, 3, 1)).astype(np.float32), np.arange(30) % 5
    return Split(x[:24], y[:24]), Split(x[24:], y[24:])


def trained(devices):
    model = dense_classifier(5, shape=(4, 3, 1)).model
    fitted = fit(model, *splits(), TRAINING, 7, devices=devices)
    return model, fitted


def compare():
    """Run where there are two devices, by `test_two_devices_learn_what_one_does`."""
    (one, alone), (two, shared) = trained(1), trained(2)
    assert backend.data_parallel(2).device_mesh.shape == (2,)
    assert len(backend.on_all(one.weights[0].value, 2).devices()) == 2
    assert {len(weight.value.devices()) for weight in two.weights} == {1}
    for a, b in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    for name in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(alone.curves[name], shared.curves[name], rtol=0, atol=1e-5)


@pytest.mark.skipif(backend.name() != "jax", reason="keras.distribution shares out on JAX")
def test_two_devices_learn_what_one_does():
    code = "import test_devices; test_devices.compare(); print('the same')"
    paths = [os.path.dirname(__file__), *sys.path]
    environment = {**os.environ, **TWO_DEVICES, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "the same\n", done.stderr


def test_what_cannot_be_shared_out_is_refused():
    with pytest.raises(ValueError, match="devices must divide the batch of 6, got 4"):
        trained(4)
    message = "devices must lie in" if backend.name() == "jax" else "set KERAS_BACKEND=jax"
    with pytest.raises(ValueError, match=message):
        backend.data_parallel(3000)
