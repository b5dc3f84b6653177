"""Each defense through the network cache, on a few digits: what it trains, changes and stores."""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from robustnets import data
from robustnets.core.dataset import held_out
from robustnets.core.store import Store
from robustnets.defenses import InFront
from robustnets.experiments.cell import DatasetRef, Network
from robustnets.experiments.network_cache import NetworkCache, apply_layer
from robustnets.layers import FilterSpec, LinearFilter
from robustnets.training import FixedEpochs, Training

PCA = FilterSpec("pca", 9)
RULES = (FixedEpochs(4), FixedEpochs(8))
BASE = Network(
    DatasetRef("digits", 200, 60), "fc_100_100_10", Training(RULES, batch_size=20), RULES[1], 3
)
FURTHER = Training((FixedEpochs(3),), batch_size=20)
RECONSTRUCTED = replace(BASE, defense=InFront(PCA))
RETRAINED = replace(BASE, defense=InFront(PCA, FURTHER))
SCRATCH = replace(BASE, defense=InFront(PCA, start="fresh"))
ALL = (BASE, replace(BASE, rule=RULES[0]), RECONSTRUCTED, RETRAINED, SCRATCH)


@pytest.fixture(scope="module")
def dataset():
    return data.load("digits").take(200, 60)


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    """All networks, the store they are in, and what was reported while they trained."""
    store = Store(tmp_path_factory.mktemp("store"))
    reports = []
    cache = NetworkCache(dataset, store, lambda *report: reports.append(report))
    networks = {}
    weights = None
    for network in ALL:
        networks[network] = cache.network(network)
        if network == BASE:
            weights = networks[BASE].model.get_weights()
    return networks, store, reports, weights


def filtered(dataset, store):
    layer = LinearFilter.of(NetworkCache(dataset, store).fitted_filter(PCA, BASE.seed))
    return np.asarray(apply_layer(layer, dataset.test.x))


def network_weights(model):
    """The dense layers' weights of a network, defended or not."""
    inner = next((x for x in model.layers if isinstance(x, keras.Model)), model)
    return inner.get_weights()


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(p, q) for p, q in zip(a, b))


def test_reconstruction_changes_nothing_but_the_input(trained, dataset):
    networks, store, _, weights = trained
    base, defended = networks[BASE], networks[RECONSTRUCTED]
    assert same(base.model.get_weights(), weights)
    assert same(network_weights(defended.model), weights)
    x = dataset.test.x
    through = defended.classifier.predict(x)
    np.testing.assert_allclose(
        through, base.classifier.predict(filtered(dataset, store)), rtol=0, atol=1e-5
    )
    assert np.abs(through - base.classifier.predict(x)).max() > 0.01


def test_retraining_changes_the_defended_network_only(trained, dataset):
    networks, _, _, weights = trained
    assert same(networks[BASE].model.get_weights(), weights)
    after = network_weights(networks[RETRAINED].model)
    assert all(not np.array_equal(a, b) for a, b in zip(after, weights))
    # three more epochs from trained weights: near them, far from a fresh start
    fresh = network_weights(NetworkCache(dataset, None)._fresh(BASE))
    step = sum(np.abs(a - b).sum() for a, b in zip(after, weights))
    assert step < sum(np.abs(a - b).sum() for a, b in zip(after, fresh))


def test_retraining_trains_on_filtered_examples(trained, dataset):
    networks, _, _, _ = trained
    curves = networks[RETRAINED].curves
    assert {len(curve) for curve in curves.values()} == {3}
    _, validation = held_out(dataset.train, FURTHER.validation)
    logits = networks[RETRAINED].classifier.predict(validation.x)
    accuracy = (logits.argmax(axis=1) == validation.y).mean()
    assert curves["val_accuracy"][-1] == pytest.approx(accuracy, abs=1e-6)


def test_from_scratch_starts_untrained(trained, dataset):
    """Its first epoch is that of a fresh network on filtered examples."""
    from robustnets.core.dataset import Split
    from robustnets.core.seeds import derive
    from robustnets.training.fit import fit

    networks, store, _, _ = trained
    assert {len(curve) for curve in networks[SCRATCH].curves.values()} == {8}
    cache = NetworkCache(dataset, store)
    layer = LinearFilter.of(cache.fitted_filter(PCA, BASE.seed))
    splits = [
        Split(np.asarray(apply_layer(layer, s.x)), s.y) for s in held_out(dataset.train, 1 / 6)
    ]
    training = replace(BASE.training, rules=(RULES[1],))
    alone = fit(cache._fresh(BASE), *splits, training, derive(BASE.seed, "training"))
    assert same(alone.stops[0].weights, network_weights(networks[SCRATCH].model))


def test_stops_of_one_trajectory(trained):
    networks, _, _, _ = trained
    early, late = networks[replace(BASE, rule=RULES[0])], networks[BASE]
    assert (early.about["epoch"], late.about["epoch"]) == (4, 8)
    assert not same(early.model.get_weights(), late.model.get_weights())
    for name in ("loss", "val_accuracy"):
        np.testing.assert_array_equal(early.curves[name], late.curves[name][:4])


def test_what_is_known_about_a_network(trained):
    networks, _, reports, _ = trained
    assert "filter" not in networks[BASE].about
    for network in (RECONSTRUCTED, RETRAINED, SCRATCH):
        assert 0.3 < networks[network].about["filter"]["explained_variance"] < 1
    assert [networks[n].about["epoch"] for n in (RECONSTRUCTED, RETRAINED, SCRATCH)] == [8, 3, 8]
    # one trajectory for both stops, and nothing for the reconstruction
    labels = [what for what, *_ in reports]
    assert len(labels) == 8 + 3 + 8
    assert len(dict.fromkeys(labels)) == 3


def test_a_second_cache_trains_nothing(trained, dataset):
    networks, store, _, _ = trained
    before = {p: p.stat().st_mtime_ns for p in store.root.rglob("*") if p.is_file()}

    def report(*what):
        raise AssertionError(f"trained again: {what}")

    second = NetworkCache(dataset, store, report)
    for network in ALL:
        again = second.network(network)
        np.testing.assert_array_equal(
            again.classifier.predict(dataset.test.x),
            networks[network].classifier.predict(dataset.test.x),
        )
        assert again.about == networks[network].about
        assert again.classifier.digest == networks[network].classifier.digest
    after = {p: p.stat().st_mtime_ns for p in store.root.rglob("*") if p.is_file()}
    assert after == before
    assert not list((store.root / "checkpoints").rglob("*.npz"))
    # reconstructions are put together again at each use
    assert sum(p.suffix == ".keras" for p in after) == 4


def test_stored_file_is_a_plain_keras_model(trained, dataset, tmp_path):
    networks, store, _, _ = trained
    key = NetworkCache(dataset, store).key(RETRAINED)
    path = store.path("networks", key, ".keras")
    np.save(tmp_path / "x.npy", dataset.test.x)
    script = (
        "import sys, keras, numpy as np\n"
        "import robustnets.layers\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "x = np.load(sys.argv[2])\n"
        "np.save(sys.argv[3], keras.ops.convert_to_numpy(model(x)))\n"
        "print(sorted(m for m in sys.modules if m.startswith('robustnets.')))\n"
    )
    arguments = [path, tmp_path / "x.npy", tmp_path / "logits.npy"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "robustnets.training" not in done.stdout
    np.testing.assert_allclose(
        np.load(tmp_path / "logits.npy"),
        networks[RETRAINED].classifier.predict(dataset.test.x),
        rtol=0,
        atol=1e-5,
    )


def test_only_random_filters_depend_on_the_seed(trained, dataset):
    _, store, _, _ = trained
    cache = NetworkCache(dataset, store)
    np.testing.assert_array_equal(
        cache.fitted_filter(PCA, 0).encode, cache.fitted_filter(PCA, 1).encode
    )
    random = FilterSpec("random", 9)
    one, other = (cache.fitted_filter(random, seed).encode for seed in (0, 1))
    assert np.abs(one - other).max() > 1e-3
    np.testing.assert_array_equal(cache.fitted_filter(random, 0).encode, one)


def test_another_data_set_another_network(trained, dataset):
    _, store, _, _ = trained
    key = NetworkCache(dataset, store).key(BASE)
    assert NetworkCache(dataset.take(199), store).key(BASE) != key
    assert NetworkCache(dataset, store).key(replace(BASE, seed=4)) != key


def test_retraining_ends_by_one_rule():
    with pytest.raises(ValueError, match="the training of a defense ends by one rule, got"):
        InFront(PCA, BASE.training)


def test_unknown_model(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"no model 'fc_9'; there are .*fc_100_100_10"):
        NetworkCache(dataset, Store(tmp_path)).network(replace(BASE, model="fc_9"))


def test_held_out(dataset):
    train, validation = held_out(dataset.train, 0.25)
    assert (len(train), len(validation)) == (150, 50)
    np.testing.assert_array_equal(validation.y, dataset.train.y[150:])
    np.testing.assert_array_equal(train.x, dataset.train.x[:150])
    assert len(held_out(dataset.train, 1e-6)[1]) == 1
    with pytest.raises(ValueError, match="cannot hold 200 of 200 training examples out"):
        held_out(dataset.train, 0.999)
