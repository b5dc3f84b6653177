"""A Record: what it says, what it refuses, and that its file holds all of it."""

from dataclasses import replace

import numpy as np
import pytest

from robustnets.core.record import Record

N, E, M = 6, 2, 3


def make(**changes):
    rng = np.random.default_rng(0)
    facts = {
        "cell": {"network": {"seed": 4}, "epsilons": [0.1, 0.3]},
        "label": np.array([0, 1, 2, 0, 1, 2]),
        "clean": np.array([0, 1, 2, 0, 2, 2]),
        "epsilons": np.array([0.1, 0.3]),
        "adversarial": np.array([[0, 2, 2, 0, 1, 2], [1, 2, 2, 0, 1, 0]]),
        "arrays": {
            "clean_confidence": rng.uniform(size=N).astype(np.float32),
            "linf": rng.uniform(size=(E, N)).astype(np.float32),
            "forward": rng.integers(1, 9, (E, N)).astype(np.int32),
        },
        "curves": {"loss": rng.uniform(size=5), "seconds": rng.uniform(size=5)},
        "pictures": {
            "adversarial": rng.uniform(0, 1, (E + 1, M, 5, 4, 1)).astype(np.float32),
            "filtered": rng.uniform(0, 1, (M, 5, 4, 1)).astype(np.float32),
        },
        "about": {"device": "cpu", "epoch": 5},
    }
    return Record(**{**facts, **changes})


def test_outcomes():
    record = make()
    t, f = True, False
    assert record.correct.tolist() == [t, t, t, t, f, t]
    assert record.right.tolist() == [[t, f, t, t, t, t], [f, f, t, t, t, f]]
    # example 4 was wrong before: the attack that makes it right changes nothing
    assert record.robust.tolist() == [[t, f, t, t, f, t], [f, f, t, t, f, f]]
    assert record.fooled.tolist() == [[f, t, f, f, f, f], [t, t, f, f, f, t]]


def test_at():
    record = make()
    assert [record.at(0.1), record.at(0.3), record.at(0.1 + 1e-12)] == [0, 1, 0]
    with pytest.raises(ValueError, match=r"no eps 0.2 in this Record; it has \[0.1, 0.3\]"):
        record.at(0.2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clean": np.zeros(5, int)}, r"clean must be \(6,\), got \(5,\)"),
        ({"adversarial": np.zeros((N, E), int)}, r"adversarial must be \(2, 6\), got \(6, 2\)"),
        ({"adversarial": np.zeros(N, int)}, r"adversarial must be \(2, 6\), got \(6,\)"),
        ({"arrays": {"l2": np.zeros((N, E))}}, r"l2 must be \(6,\) or \(2, 6\), got \(6, 2\)"),
        (
            {"arrays": {"clean_log_probabilities": np.zeros(N)}},
            r"clean_log_probabilities must be \(6, K\) or \(2, 6, K\), got \(6,\)",
        ),
        (
            {"arrays": {"adversarial_log_probabilities": np.zeros((N, E, 4))}},
            r"must be \(6, K\) or \(2, 6, K\), got \(6, 2, 4\)",
        ),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def assert_equal(one, other):
    for name in ("label", "clean", "epsilons", "adversarial"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("arrays", "curves"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])
            assert a[key].dtype == b[key].dtype
    assert dict(one.cell) == dict(other.cell)
    assert dict(one.about) == dict(other.about)


def test_round_trip(tmp_path):
    record = make()
    loaded = Record.load(record.save(tmp_path / "sub" / "a.npz"))
    assert_equal(record, loaded)
    assert loaded.label.dtype == loaded.adversarial.dtype == np.int64
    assert loaded.fingerprint == record.fingerprint
    assert loaded.pictures.keys() == record.pictures.keys()
    for name, pictures in record.pictures.items():
        assert loaded.pictures[name].dtype == np.float32
        np.testing.assert_allclose(loaded.pictures[name], pictures, rtol=0, atol=0.5 / 255 + 1e-6)


def test_round_trip_of_nothing_attacked(tmp_path):
    empty = np.zeros((0, N), np.int64)
    record = make(epsilons=np.zeros(0), adversarial=empty, arrays={}, pictures={})
    loaded = Record.load(record.save(tmp_path / "a.npz"))
    assert_equal(record, loaded)
    assert loaded.robust.shape == (0, N)


def test_round_trip_of_many_classes(tmp_path):
    """Classes beyond 255, also where only the attack reaches them."""
    for name in ("label", "clean", "adversarial"):
        changed = getattr(make(), name).copy()
        changed.flat[1] = 300
        record = make(**{name: changed})
        assert_equal(record, Record.load(record.save(tmp_path / f"{name}.npz")))


def test_files_of_one_record_are_equal(tmp_path):
    paths = [make().save(tmp_path / name) for name in ("a.npz", "b.npz")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_fingerprint():
    record = make()
    same = [
        make(about={"device": "gpu"}),
        make(curves={**record.curves, "seconds": np.zeros(5)}),
        replace(record, pictures={}),
    ]
    assert {r.fingerprint for r in same} == {record.fingerprint}
    other = [
        make(cell={"network": {"seed": 5}, "epsilons": [0.1, 0.3]}),
        make(label=np.array([0, 1, 2, 0, 1, 1])),
        make(clean=np.array([0, 1, 2, 0, 1, 2])),
        make(epsilons=np.array([0.1, 0.2])),
        make(adversarial=record.adversarial[:, ::-1]),
        make(arrays={**record.arrays, "linf": record.arrays["linf"] + 1}),
        make(curves={**record.curves, "loss": np.zeros(5)}),
        record.slim(),
    ]
    fingerprints = {record.fingerprint, *(r.fingerprint for r in other)}
    assert len(fingerprints) == len(other) + 1


def test_a_frame_has_a_row_for_each_radius_and_example():
    record = make(arrays={**make().arrays, "target": np.array([1, 2, 2, 1, 1, 0])})
    frame = record.to_frame()
    assert frame.columns.tolist() == [
        *("eps", "example", "label", "clean", "clean_correct", "aimed", "clean_confidence"),
        *("target", "adversarial", "robust", "fooled", "reached", "linf", "forward"),
    ]
    assert frame["eps"].tolist() == [0.1] * N + [0.3] * N
    assert frame["example"].tolist() == [*range(N), *range(N)]
    # the rates that pages print, each from its own definition
    by_eps = frame.groupby("eps")
    assert by_eps["robust"].mean().tolist() == record.robust.mean(axis=1).tolist() == [4 / 6, 2 / 6]
    right = frame[frame["clean"] == frame["label"]]
    fooled = (right["adversarial"] != right["label"]).groupby(right["eps"]).mean()
    assert fooled.tolist() == (record.fooled.sum(axis=1) / record.correct.sum()).tolist()
    assert by_eps["fooled"].sum().tolist() == record.fooled.sum(axis=1).tolist() == [1, 3]
    aimed = frame[frame["aimed"]]
    hit = (aimed["adversarial"] == aimed["target"]).groupby(aimed["eps"]).sum()
    assert hit.tolist() == aimed.groupby("eps")["reached"].sum().tolist() == [1, 3]
    for name in ("linf", "forward"):
        assert frame[name].dtype == record.arrays[name].dtype
        np.testing.assert_array_equal(frame[name].to_numpy().reshape(E, N), record.arrays[name])
    assert (frame["clean_confidence"][:N].to_numpy() == record.arrays["clean_confidence"]).all()


def test_a_frame_of_nothing_attacked_has_a_row_for_each_example():
    record = make(
        epsilons=np.zeros(0),
        adversarial=np.zeros((0, N), np.int64),
        arrays={
            "clean_confidence": make().arrays["clean_confidence"],
            "linf": np.zeros((0, N), np.float32),
        },
    )
    frame = record.to_frame()
    assert frame.columns.tolist() == [
        "example", "label", "clean", "clean_correct", "clean_confidence",
    ]  # fmt: skip
    assert frame["clean_correct"].mean() == record.correct.mean() == 5 / 6


def test_a_frame_leaves_the_probabilities_of_all_classes_out():
    assert "clean_log_probabilities" not in probable()[0].to_frame()
    # as many examples as classes or radii: shapes alone do not tell them apart
    square = np.zeros((E, E), np.int64)
    record = make(
        label=square[0], clean=square[0], adversarial=square,
        arrays={"clean_log_probabilities": np.zeros((E, E), np.float16)},
    )  # fmt: skip
    assert "clean_log_probabilities" not in record.to_frame()


def test_slim():
    record = make()
    slim = record.slim()
    assert dict(slim.arrays) == {}
    assert_equal(replace(record, arrays={}), slim)
    assert slim.pictures is record.pictures
    assert len(record.arrays) == 3


def test_another_file(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match=r"other.npz is damaged: it is not a Record, it lacks 'fa"):
        Record.load(tmp_path / "other.npz")


def probable(**changes):
    """A Record that kept the probabilities of three classes."""
    rng = np.random.default_rng(1)
    p = {
        "clean": rng.dirichlet(np.full(3, 0.1), N),
        "adversarial": rng.dirichlet([1, 2, 3], (E, N)),
    }
    logs = {f"{k}_log_probabilities": np.log(v).astype(np.float16) for k, v in p.items()}
    return make(arrays={**make().arrays, **logs, **changes}), p


def test_probabilities(tmp_path):
    record, p = probable()
    assert p["clean"].min() < 1e-7  # less than a float16 holds
    loaded = Record.load(record.save(tmp_path / "a.npz"))
    for found, expected in (
        (loaded.probabilities(), p["clean"]),
        (loaded.probabilities(1), p["adversarial"][1]),
    ):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3)
        # the logarithm is what a loss is made of
        np.testing.assert_allclose(np.log(found), np.log(expected), rtol=2e-3, atol=2e-3)
    with pytest.raises(ValueError, match=r"no clean_log_probabilities; ask for Cell"):
        make().probabilities()


def test_a_record_with_probabilities_stays_whole_and_a_target_stays():
    record, _ = probable()
    assert record.slim() is record
    aimed = make(arrays={**make().arrays, "target": np.array([1, 2, 0, 1, 2, 0])})
    assert set(aimed.slim().arrays) == {"target"}


def test_targets_reached():
    target = np.array([1, 2, 2, 1, 1, 0])
    record = make(arrays={"target": target})
    t, f = True, False
    # example 2 is of the target's class; example 4 is of it too
    assert record.aimed.tolist() == [t, t, f, t, f, t]
    assert record.reached.tolist() == [[f, t, f, f, f, f], [t, t, f, f, f, t]]
    # example 4 is taken for class 2 as it stands
    taken = make(arrays={"target": np.array([1, 2, 0, 1, 2, 0])})
    assert taken.aimed.tolist() == [t, t, t, t, f, t]
    with pytest.raises(ValueError, match="attack had no target"):
        assert make().aimed.any()
