"""Whatever is damaged in a store is named, set aside and computed again, with the same result."""

import io
import os
import shutil
import struct
import warnings
import zipfile

import keras
import numpy as np
import pytest
from tiny_models import dense_classifier

from robustnets.attacks import FGSM, PGD
from robustnets.core.dataset import Split
from robustnets.core.npz import Pickled, check_archive, read_arrays
from robustnets.core.record import Record
from robustnets.core.store import Damaged, Store, read_or_set_aside, set_aside
from robustnets.core.threat import ThreatModel
from robustnets.defenses import InFront
from robustnets.evaluation.surrogate import trained_surrogate
from robustnets.evaluation.worst_case import worst_case
from robustnets.experiments import runner
from robustnets.experiments.cell import Cell, DatasetRef, Network
from robustnets.experiments.network_files import read_facts
from robustnets.experiments.publish import publish, published
from robustnets.layers import FilterSpec, FittedFilter
from robustnets.models.stored import read_stored
from robustnets.training import FixedEpochs, Training
from robustnets.training.fit import fit


def emptied(raw):
    return b""


def cut_short(raw):
    return raw[: len(raw) // 3]


def without_its_end(raw):
    return raw[:-10]


def flipped_early(raw):
    return _flipped(raw, 1)


def flipped_in_the_middle(raw):
    return _flipped(raw, 4)


def flipped_late(raw):
    return _flipped(raw, 7)


def another_file(raw):
    return b"not what it was" * 10


def _flipped(raw, eighth):
    """One bit of the largest member's data: some bits elsewhere, as of a date, mean nothing."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        largest = max(archive.infolist(), key=lambda info: info.compress_size)
    name, extra = struct.unpack("<HH", raw[largest.header_offset + 26 : largest.header_offset + 30])
    start = largest.header_offset + 30 + name + extra
    place = start + largest.compress_size * eighth // 8
    return raw[:place] + bytes([raw[place] ^ 0x10]) + raw[place + 1 :]


DAMAGES = (
    emptied,
    cut_short,
    without_its_end,
    flipped_early,
    flipped_in_the_middle,
    flipped_late,
    another_file,
)


def damage(path, how):
    path.write_bytes(how(path.read_bytes()))


def cells():
    rule = FixedEpochs(2)
    training = Training((rule,), batch_size=20, max_epochs=2)
    network = Network(DatasetRef("digits", 60, 20), "fc_100_100_10", training, rule, 0)
    defense = InFront(FilterSpec("pca", 5), training)
    attack = FGSM(ThreatModel("linf", 0.1))
    bare = Cell(network, attack, (0.1,), knowledge="white-box")
    behind = Network(network.dataset, network.model, training, rule, 0, defense)
    return [bare, Cell(behind, attack, (0.1,), knowledge="white-box")]


def carry_out(store):
    records = runner.run(cells(), runner.Settings(str(store)))
    return [record.fingerprint for record in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store of two networks, a filter and two Records, and the Records' fingerprints."""
    store = tmp_path_factory.mktemp("whole") / "store"
    return store, carry_out(store)


@pytest.fixture
def store(whole, tmp_path):
    """A copy of the store."""
    shutil.copytree(whole[0], tmp_path / "store")
    return tmp_path / "store"


@pytest.mark.parametrize("how", DAMAGES)
def test_a_record(store, whole, how):
    path = sorted((store / "records").rglob("*.npz"))[0]
    good = path.read_bytes()
    damage(path, how)
    bad = path.read_bytes()
    with pytest.warns(UserWarning, match="it is computed again, set aside as") as said:
        assert sum(p.stored for p in runner.plan(cells(), runner.Settings(str(store)))) == 1
    assert f"{path} is damaged: " in str(said[0].message)
    assert path.with_name(f"{path.name}.damaged").read_bytes() == bad
    assert carry_out(store) == whole[1]
    assert Record.load(path).label.tobytes() == _record(good, store).label.tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert carry_out(store) == whole[1]


def _record(raw, store):
    (store / "again.npz").write_bytes(raw)
    return Record.load(store / "again.npz")


@pytest.mark.parametrize("how", [emptied, flipped_in_the_middle])
@pytest.mark.parametrize("kind", ["networks/*.keras", "networks/*.npz", "filters/*.npz"])
def test_what_a_record_is_made_from(store, whole, kind, how):
    """All files of a kind at once, where no Record is there: everything is made again."""
    folder, pattern = kind.split("/")
    paths = sorted((store / folder).rglob(pattern))
    assert paths
    for path in paths:
        damage(path, how)
    shutil.rmtree(store / "records")
    with pytest.warns(UserWarning, match="it is computed again") as said:
        assert carry_out(store) == whole[1]
    for path in paths:
        assert any(str(path) in str(warning.message) for warning in said)
        assert path.with_name(f"{path.name}.damaged").is_file()


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("kind", ["networks/*.keras", "networks/*.npz", "filters/*.npz"])
def test_no_damage_is_read(store, kind, how):
    """The readers alone, which is quick: every kind of file with every kind of damage."""
    readers = {"networks/*.keras": read_stored, "networks/*.npz": read_facts}
    reader = readers.get(kind, FittedFilter.load)
    folder, pattern = kind.split("/")
    path = sorted((store / folder).rglob(pattern))[0]
    reader(path)
    damage(path, how)
    with pytest.raises(Damaged, match="is damaged: "):
        reader(path)


def test_every_flipped_bit_is_found_or_harmless(tmp_path):
    """Some bits of a zip file, such as those of a date, mean nothing."""
    path = tmp_path / "small.npz"
    arrays = {"a": np.arange(5.0), "b": np.array([[1, 2], [3, 4]], np.uint8)}
    np.savez_compressed(path, **arrays)
    raw = path.read_bytes()
    missed = 0
    for place in range(len(raw)):
        for bit in (0, 3, 7):
            path.write_bytes(raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :])
            try:
                found = read_arrays(path)
            except Damaged:
                continue
            missed += 1
            values = [found[name] for name in sorted(found)]
            assert len(values) == 2
            assert np.array_equal(values[0], arrays["a"])
            assert np.array_equal(values[1], arrays["b"])
    assert missed < 0.4 * 3 * len(raw)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_whole_archive_is_checked(tmp_path, how):
    path = tmp_path / "some.keras"
    np.savez(tmp_path / "some.npz", a=np.arange(100.0), b=np.zeros(3))
    os.replace(tmp_path / "some.npz", path)
    check_archive(path)
    damage(path, how)
    with pytest.raises(Damaged, match=r"some\.keras is damaged: "):
        check_archive(path)


@pytest.mark.parametrize("how", [emptied, cut_short, flipped_in_the_middle, another_file])
def test_a_checkpoint(tmp_path, how):
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(40, 5, 4, 3)).astype(np.float32), rng.integers(0, 2, 40)
    data = Split(x, y), Split(x[:10], y[:10])
    path = tmp_path / "checkpoint.npz"

    def weights(epochs, **settings):
        rule = FixedEpochs(epochs)
        model = dense_classifier(3).model
        training = Training((FixedEpochs(3),), batch_size=10, max_epochs=3)
        callbacks = []
        if epochs < 3:  # a run that is interrupted
            stop = keras.callbacks.LambdaCallback(on_epoch_end=interrupt(rule.epochs))
            callbacks = [stop]
        fit(model, *data, training, 0, callbacks=callbacks, **settings)
        return model.get_weights()

    def interrupt(epochs):
        def end(epoch, logs):
            if epoch + 1 == epochs:
                raise KeyboardInterrupt

        return end

    expected = weights(3)
    with pytest.raises(KeyboardInterrupt):
        weights(2, checkpoint_path=path, checkpoint_seconds=0.0)
    assert path.is_file()
    damage(path, how)
    with pytest.warns(UserWarning, match=r"checkpoint\.npz is damaged"):
        found = weights(3, checkpoint_path=path, checkpoint_seconds=0.0)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert path.with_name("checkpoint.npz.damaged").is_file()


@pytest.mark.parametrize("how", DAMAGES)
def test_parts_of_an_attack(how, attacked):
    run, folder = attacked
    expected, paths = run(), sorted(folder.rglob("*.npz"))
    assert paths
    for path in paths:
        damage(path, how)
    with pytest.warns(UserWarning, match="is damaged") as said:
        found = run()
    assert sum("is damaged" in str(warning.message) for warning in said) == len(paths)
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.broken_by, expected.broken_by)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # what a damaged file is told by
        run()


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    classifier = dense_classifier(1, 4)
    rng = np.random.default_rng(3)
    x = rng.uniform(size=(40, *classifier.image_shape)).astype(np.float32)
    y = classifier.predict(x).argmax(axis=1)
    threat = ThreatModel("linf", 0.05)

    def run():
        return worst_case((FGSM(threat), PGD(threat, steps=3)), classifier, x, y, folder=folder)

    return run, folder


def test_a_part_of_other_examples(attacked):
    """It reads well, but is not what its name promises."""
    run, folder = attacked
    expected = run()
    for path in sorted(folder.rglob("*.npz")):
        np.savez(path, **{k: v[:3] if v.ndim else v for k, v in read_arrays(path).items()})
    with pytest.warns(UserWarning, match="no part of an attack on"):
        found = run()
    np.testing.assert_array_equal(found.x, expected.x)


@pytest.mark.parametrize("how", [emptied, flipped_in_the_middle])
def test_a_surrogate(tmp_path, monkeypatch, how):
    monkeypatch.setattr("robustnets.evaluation.surrogate.STEPS", 2)
    rng = np.random.default_rng(0)
    examples = Split(rng.uniform(size=(20, 8, 6, 1)).astype(np.float32), rng.integers(0, 3, 20))
    first = trained_surrogate(examples, 3, 0, Store(tmp_path))
    (path,) = tmp_path.rglob("*.keras")
    damage(path, how)
    with pytest.warns(UserWarning, match="is damaged"):
        again = trained_surrogate(examples, 3, 0, Store(tmp_path))
    for one, other in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    check_archive(path)


@pytest.mark.parametrize("how", DAMAGES)
def test_published_records_are_named(whole, tmp_path, how):
    """They lie in git, or are a run's result: reading them cannot compute them again."""
    records = runner.run(cells(), runner.Settings(str(whole[0])))
    folder = tmp_path / "stopping"
    publish(records, {"scale": "demo"}, folder)
    path = sorted((folder / "records").glob("*.npz"))[1]
    damage(path, how)
    with pytest.raises(ValueError, match="or write it again with `robustnets run stopp") as named:
        published(folder)
    assert str(path) in str(named.value)
    assert path.is_file()  # it was left alone
    publish(records, {"scale": "demo"}, folder)
    assert len(published(folder)[0]) == 2
    (folder / "run.json").write_text("{half")
    with pytest.raises(ValueError, match=r"run\.json is damaged: it is no JSON"):
        published(folder)


def test_one_damaged_file_is_kept(tmp_path):
    path = tmp_path / "a.npz"
    for text in ("first", "second"):
        path.write_text(text)
        with pytest.warns(UserWarning, match="set aside as a.npz.damaged"):
            assert read_or_set_aside(path, read_arrays) is None
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz.damaged"]
    assert (tmp_path / "a.npz.damaged").read_text() == "second"
    assert read_or_set_aside(path, read_arrays) is None  # and nothing is said: it is not there
    assert read_or_set_aside(path / "below.npz", read_arrays) is None


def test_a_file_that_was_replaced_meanwhile_is_left_alone(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("bad")
    seen = path.stat()
    (tmp_path / "new").write_text("good")
    os.utime(tmp_path / "new", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    os.replace(tmp_path / "new", path)
    assert set_aside(path, seen) is None
    assert path.read_text() == "good"


def test_what_the_disk_says_is_not_damage(tmp_path):
    """A file that nobody may read, or a disk that fails, is left where it is."""
    path = tmp_path / "a.npz"
    np.savez(path, a=np.zeros(3))

    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    with pytest.raises(PermissionError):
        read_or_set_aside(path, forbidden)
    assert path.is_file()


def npz_with(tmp_path, header, data=b""):
    """An .npz file of one array with a header of one's own, checksums and all."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, header)
    path = tmp_path / "claims.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", member.getvalue() + data)
    return path


@pytest.mark.parametrize(
    ("shape", "descr"),
    [((10**7, 10**6), "<f8"), ((3, 5), "<f4"), ((2**40,), "|u1"), ((5,), "<U100000000")],
)
def test_a_header_that_claims_more_than_there_is(tmp_path, shape, descr):
    path = npz_with(tmp_path, {"descr": descr, "fortran_order": False, "shape": shape}, b"123")
    with pytest.raises(Damaged, match=r"x claims to be .* in 3 bytes of data"):
        read_arrays(path)


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "o.npz", x=np.array([{}, []], dtype=object))
    with pytest.raises(Pickled, match="x has dtype object, which only pickle reads"):
        read_arrays(tmp_path / "o.npz")


def test_what_was_written_comes_back(tmp_path):
    arrays = {
        "columns": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "empty": np.zeros((0, 5), np.float32),
        "big endian": np.arange(4, dtype=">i4"),
        "scalar": np.array(2.5),
        "text": np.array(["ant", "bee"]),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = read_arrays(tmp_path / "a.npz")
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        found["columns"][0, 0] = 7  # writable
