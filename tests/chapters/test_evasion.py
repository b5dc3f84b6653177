"""The evasion chapter: its Cells, its comparisons by hand, and its page from made-up Records."""

import re
from collections import Counter

import numpy as np
import pytest

from robustnets.chapters.evasion import cells as evasion_cells
from robustnets.chapters.evasion import comparisons as comparisons
from robustnets.chapters.evasion import figures as evasion_figures
from robustnets.chapters.evasion import page as evasion_page
from robustnets.chapters.evasion import results as evasion_results
from robustnets.chapters.evasion import results as results
from robustnets.chapters.evasion import sections as sections
from robustnets.chapters.evasion import tables as tables
from robustnets.chapters.shared.common import Contrast
from robustnets.core.record import Record
from robustnets.core.spec import to_dict
from robustnets.report.page import write_page
from robustnets.stats.intervals import Interval
from robustnets.stats.paired import mcnemar, paired_rates

RUN = {"command": "robustnets run evasion", "scale": "quick", "jobs": 1}
K = 10


def measured(cell, survive, n=40, classes=K):
    """A Record as a Cell would give it, the attack survived by a share of the images."""
    n = min(n, cell.examples or n)
    rng = np.random.default_rng([n, cell.network.seed])
    label = np.arange(n) % classes
    clean = np.where(np.arange(n) % 20 == 3, (label + 1) % classes, label)
    e = len(cell.epsilons)
    shares = np.full(e, survive)
    lost = rng.uniform(size=(e, n)) >= shares[:, None]
    arrays = {"clean_confidence": np.full(n, 0.9, np.float32)}
    wrong = (label + 1) % classes
    if cell.target is not None:
        arrays["target"] = np.full(n, 7) if cell.target == 7 else (label + 3) % classes
        wrong = arrays["target"]
    adversarial = np.where(lost, wrong, clean)
    if cell.attack is not None:
        norms = ["linf", "l2"]
        if cell.network.dataset.name == "cifar10":
            norms += ["linf_channels", "l2_channels"]
        for i, name in enumerate(norms):
            size = rng.uniform(0.1 * (i + 1), 0.2 * (i + 1), (e, n))
            arrays[name] = size.astype(np.float32)
        for name in ("forward", "backward"):
            arrays[name] = rng.integers(1, 50, (e, n)).astype(np.int32)
        arrays["adversarial_confidence"] = np.full((e, n), 0.8, np.float32)
    means = {k: v.mean(axis=1).tolist() for k, v in arrays.items() if v.ndim == 2}
    if cell.probabilities:
        for name, predicted in (("clean", clean), ("adversarial", adversarial)):
            if len(predicted):
                p = np.full((*predicted.shape, classes), 0.02)
                np.put_along_axis(p, predicted[..., None], 0.82, axis=-1)
                arrays[f"{name}_log_probabilities"] = np.log(p).astype(np.float16)
    pictured = {"adversarial": rng.uniform(size=(e + 1, cell.pictured, 6, 5, 1))}
    about = {
        "device": "cpu", "data": "f00", "robustnets": "0", "python": "3", "keras": "3",
        "attack_seconds": 2.0, "train_seconds": 1.0, "means": means,
    }  # fmt: skip
    return Record(
        cell=to_dict(cell),
        label=label,
        clean=clean,
        epsilons=np.array(cell.epsilons),
        adversarial=adversarial.reshape(e, n),
        arrays=arrays,
        pictures=pictured if cell.pictured else {},
        about=about,
    )


def made_up(scale, survive=0.3, **more):
    cells = evasion_cells.cells(scale, **more)
    return [measured(cell, survive) for cell in cells]


def test_counts_of_evasion():
    cells = evasion_cells.cells("full")
    assert {c.network.dataset.name for c in cells} == {"mnist", "cifar10"}
    bare = [c for c in cells if c.attack is None]
    assert [c.examples for c in bare] == [None, None]
    jumps = [c for c in cells if type(c.attack).__name__ == "HopSkipJump" and c.engine == "native"]
    settings = {(c.attack.max_iter, c.attack.max_eval, c.attack.init_eval) for c in jumps}
    assert settings == set(evasion_results.HSJ)
    pixels = [c for c in cells if type(c.attack).__name__ == "OnePixel"]
    assert {c.attack.population for c in pixels if c.examples == 500} == {400}
    targets = Counter(c.target for c in cells if c.engine == "native" and not c.probabilities)
    # T-FGSM once and IT-FGSM at five radii, towards each
    assert targets == {evasion_results.TARGET: 6, "random": 6}
    assert {c.knowledge for c in jumps} == {"black-box"}


def test_steps_add_up_to_the_radius():
    """The report's bound: no more steps than the radius has room for."""
    for cell in evasion_cells.cells("full"):
        if type(cell.attack).__name__ == "BIM":
            assert cell.attack.steps * cell.attack.step == pytest.approx(cell.epsilons[0])


def test_another_engine_carries_out_what_it_has():
    found = {type(c.attack).__name__: c.engine for c in evasion_cells.cells("demo", engine="art")}
    assert (found["FGSM"], found["DeepFool"], found["HopSkipJump"]) == ("art", "art", "art")
    assert found["DynamicDeepFool"] == "native"


@pytest.mark.parametrize("scale", ["demo", "quick"])
def test_records_find_their_places(scale):
    records = made_up(scale)
    rng = np.random.default_rng(0)
    for _ in range(3):  # published Records come in the order of their names
        rng.shuffle(records)
        found = results.arenas(records)
        assert [a.dataset for a in found] == {
            "demo": ["digits"],
            "quick": ["mnist", "cifar10"],
        }[scale]
        first = found[0]
        assert tuple(first.main) == results.ATTACKS
        assert {g[0].cell["engine"] for g in first.main.values()} == {"native"}
        assert first.main["I-FGSM"][0].epsilons.tolist() == [results.EPS]
        assert first.low[0].epsilons.tolist() == [results.LOW]
        assert list(first.jumps) == ["8/100/10", "32/100/10", "64/1000/100"]
        assert len(first.main["HSJ"][0].label) == max(len(g[0].label) for g in first.jumps.values())
        assert list(first.targeted) == [
            (a, t) for a in ("T-FGSM", "IT-FGSM") for t in ("7", "random")
        ]
        for (attack, early, _), group in first.peers.items():
            assert group[0].cell["engine"] == "native"
            assert len({len(r.label) for r in group}) == 1
            assert early != (attack in ("I-FGSM", "IT-FGSM"))


def test_rates():
    (record,) = [r for r in made_up("demo") if results.attack_of(r) == "D-DeepFool"]
    assert results.accuracy_after([record]).estimate == np.mean(record.adversarial == record.label)
    success = results.success([record])
    assert success.n == record.correct.sum()
    assert success.estimate == record.fooled.sum() / record.correct.sum()
    two = results.accuracy_after([record, record])
    assert two.n == 2  # seeds
    assert two.low == two.high == two.estimate


def pair(first, second, reported=None, n=200):
    """A difference of two attacks that leave the first so many images right."""
    from robustnets.stats.unpaired_normal import unpaired_normal

    a, b = (np.arange(n) < k for k in (first, second))
    paired = paired_rates(a, b)
    none = Contrast(Interval(0.0, 0.0, 0.0, n, ""), 1.0, 1.0)
    return comparisons.Difference(
        "MNIST", "A", "B", unpaired_normal(first, n, second, n), paired, paired.p, reported,
        none, none,
    )  # fmt: skip


def test_the_sentence_that_changes():
    # 12 images that only A leaves right: the unpaired interval has zero, McNemar does not
    d = pair(100, 88)
    assert d.unpaired.low < 0 < d.unpaired.high
    assert d.apart
    assert d.changes
    assert not d.rejected
    text = comparisons.sentences([d])
    assert "The pairing changes 1 of the 1 conclusions" in text
    assert "the sentence is “A and B are not different in accuracy”" in text
    assert "12 are right after A alone and 0 after B alone" in text
    assert "“B leaves fewer images right than A, by 6.00" in text
    unpaired, paired = d.needed
    # the width of either interval shrinks with the root of n: 1.96^2 V / d^2
    assert unpaired == pytest.approx(1.96**2 * (0.5 * 0.5 + 0.44 * 0.56) / 0.06**2)
    assert paired == pytest.approx(1.96**2 * (0.06 - 0.06**2) / 0.06**2)
    same = pair(100, 40)
    assert not same.changes
    assert "No conclusion changes" in comparisons.sentences([same])
    assert pair(50, 50).needed is None


def test_a_sign_against_the_report():
    text = comparisons.sentences([pair(40, 100, (0.07, 0.08))])
    assert "has the other sign than in the report" in text
    assert "other sign" not in comparisons.sentences([pair(100, 40, (0.07, 0.08))])


def test_the_reports_own_difference():
    net, n, limit = comparisons.own_limit(results.reported_rows())
    assert (net, n) == (109, 10_000)
    # the largest that rejects, and the next does not
    for total, rejects in ((limit, True), (limit + 2, False)):
        c = (total - net) // 2
        assert (mcnemar(net + c, c)[0] < 0.05) == rejects
    assert comparisons.most_discordant(1, 50) is None
    assert comparisons.most_discordant(6, 6) == 6


def test_the_reports_own_pairs():
    table = comparisons.own_table(results.reported_rows(), [])
    apart = {row[0]: row[3] for row in table.rows}
    # whole numbers recovered from the bounds, as tests/stats has them: 1230 - 829 and so on
    assert apart == {
        "MNIST, FGSM − I-FGSM": 109,
        "CIFAR-10, FGSM − I-FGSM": 401,
        "CIFAR-10, DeepFool − D-DeepFool": 20,
        "CIFAR-10, I-FGSM − HSJ": 788,
    }
    assert [row[2] for row in table.rows].count("cannot reject") == 2


def test_reported_intervals():
    rows = results.reported_rows()
    low, high = comparisons.printed(rows, "MNIST", "FGSM", "I-FGSM")
    assert (low, high) == (-0.001721812443, 0.02352181244)
    assert comparisons.printed(rows, "MNIST", "I-FGSM", "HSJ") is None
    assert "at most 27,188 images" in comparisons.sizes(rows)


def test_every_reported_number_has_its_row():
    found = results.arenas(made_up("quick"))
    rows = results.reported_rows()
    table, compared = tables.reported_table(found, rows, evasion_figures.like_names(found))
    assert len(compared) == sum(not row.metric.startswith("ci95") for row in rows)
    assert len(table.rows) == len(compared)
    assert {c.verdict for c in compared if c.metric == "auc"} == {"no interval"}


def test_figures_3_and_4_are_whole():
    """Section 2.5 prints five numbers of four networks, and six of nine attacks."""
    rows = [row for row in results.reported_rows() if row.table.startswith("2.5")]
    assert Counter(row.table for row in rows) == {"2.5 fig 3": 4 * 5, "2.5 fig 4": 9 * 6}
    found = {(row.condition, row.metric): row.value for row in rows}
    assert found["CIFAR-10 / One Pixel / before", "recall"] == 0.478
    assert found["MNIST / DeepFool", "loss"] == 0.9035
    assert found["CIFAR-10 / DeepFool / run 1", "precision"] == 0.0563
    assert found["CIFAR-10 / DeepFool / run 3", "auc"] == 0.688
    assert found["CIFAR-10 / Dynamic DeepFool / run 2", "loss"] == 5.571
    assert found["CIFAR-10 / One Pixel / run 2", "precision"] == 0.358
    # of one example, accuracy, precision and recall agree: that table was typed consistently
    assert {r.unit for r in rows if r.metric in ("precision", "recall", "auc")} == {"fraction"}
    assert {r.unit for r in rows if r.metric == "loss"} == {"nats"}


def boundary():
    """DeepFool at the boundary: label and prediction tie in float16, and label is the lower."""
    (cell,) = (
        c
        for c in evasion_cells.cells("quick")
        if type(c.attack).__name__ == "DeepFool"
        and c.network.dataset.name == "mnist"
        and c.examples == 500
    )
    n = 40
    record = measured(cell, 0.0, n)
    label = np.arange(n) % (K - 1)
    p = np.full((1, n, K), 0.1 / (K - 2))
    rows = np.arange(n)
    p[0, rows, label] = p[0, rows, label + 1] = 0.45
    logarithms = {"adversarial_log_probabilities": np.log(p).astype(np.float16)}
    return Record(
        record.cell, label, label, record.epsilons, (label + 1)[None],
        {**record.arrays, **logarithms}, about=record.about,
    )  # fmt: skip


def test_precision_and_recall_are_those_of_the_prediction():
    record = boundary()
    assert (record.probabilities(-1).argmax(axis=1) == record.label).all()  # what a tie would say
    macro, pooled = tables.measures(record, -1)
    assert (macro.accuracy.estimate, macro.precision, macro.recall) == (0.0, 0.0, 0.0)
    assert pooled.recall == 0
    for metric in ("precision", "recall", "success_rate", "adversarial_accuracy"):
        expected = 1.0 if metric == "success_rate" else 0.0
        assert tables._measured(metric, [record], -1).estimate == expected
    # nobody is above one half: 0 as Keras has it, which no interval can be put on
    assert np.isinf(tables._measured("precision", [record], -1).low)
    with pytest.raises(ValueError, match="no reproduction of the reported metric 'f1'"):
        tables._measured("f1", [record], -1)


def contrast(estimate, adjusted):
    return Contrast(
        Interval(estimate, estimate - 0.1, estimate + 0.1, 50, ""), adjusted / 2, adjusted
    )


def test_what_queries_buy_follows_the_adjusted_test():
    def said(estimate, p):
        return sections.queries_buy("8/100/10", "32/100/10", 5.2, contrast(estimate, p))

    assert said(0.02, 0.01).startswith("What queries buy is distance: 32/100/10 asks 5 times")
    assert said(0.02, 0.06).startswith("That more queries bring the image nearer is not shown")
    assert said(-0.02, 0.01).startswith("More queries do not bring the image nearer here")


def test_the_two_deepfools():
    assert "moves them less far, by 0.40 in l2 (paired, p 0.010)" in sections.deepfools(
        33, 11, contrast(0.4, 0.01)
    )
    text = sections.deepfools(33, 11, contrast(-0.4, 0.01))
    assert "takes 11.0 gradients per image and DeepFool 33.0" in text
    assert "moves them farther, by 0.40" in text
    assert "no differently as far as is shown, +0.40 in l2" in sections.deepfools(
        33, 11, contrast(-0.4, 0.2)
    )


def test_overshoot_is_shown_or_not():
    once = [(eps, Interval(share, share - 0.02, share + 0.02, 90, "")) for eps, share in
            ((0.1, 0.3), (0.3, 0.6), (0.5, 0.5))]  # fmt: skip
    for p, shown in ((0.01, True), (0.2, False)):
        text = sections.overshoot(once, {0.1: contrast(-0.3, 0.001), 0.5: contrast(-0.1, p)})
        assert ("This is the report's overshoot" in text) == shown
        assert ("no overshoot is shown" in text) != shown
    assert "no overshoot is seen here" in sections.overshoot(once[:2], {})


@pytest.mark.parametrize("seeds", [1, 2])
def test_overshoot_is_tested_against_the_peak(seeds):
    found = results.arenas(made_up("demo", 0.4, seeds=seeds))[0]
    by_radius = list(tables.by_radius(found.targeted["T-FGSM", "7"]))
    once = [(eps, tables.reached(records, radius)) for radius, eps, records in by_radius]
    rates = {
        eps: np.mean([r.reached[radius].sum() / r.aimed.sum() for r in records])
        for radius, eps, records in by_radius
    }
    differences = sections._beyond(found, once)
    assert len(differences) == len(rates) - 1
    for eps, t in differences.items():
        assert t.difference.estimate == pytest.approx(rates[eps] - max(rates.values()))
    assert "One step reaches class 7 most often" in sections.overshoot(once, differences)


def test_the_setup_says_what_deepfools_overshoot_is():
    found = results.arenas(made_up("quick"))
    assert "DeepFool's overshoot is 0.02" in sections.setup(found, True)


def test_no_verdict_below_the_reports_scale():
    found = results.arenas(made_up("quick"))
    rows, like = results.reported_rows(), evasion_figures.like_names(found)
    for judged in (False, True):
        text, block = sections.reproduced(found, rows, like, judged)
        assert ("verdict" in block.table.columns) == judged
        assert ("The verdict says" in block.table.caption) == judged
        assert ("lie inside it" in text.markdown) == judged
        assert ("Not at the report's scale" in sections.setup(found, judged)) == (not judged)
    against = [pair(40, 100, (0.07, 0.08))]
    assert "other sign" in comparisons.sentences(against, True)
    assert "other sign" not in comparisons.sentences(against, False)


@pytest.mark.parametrize(
    ("scale", "survive", "seeds"), [("quick", 0.3, 1), ("demo", 0.0, 1), ("demo", 0.4, 2)]
)
def test_page(scale, survive, seeds, tmp_path):
    records = made_up(scale, survive, seeds=seeds)
    page = evasion_page.page(records, {**RUN, "scale": scale})
    write_page(page, tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert not re.search(r"\bnan\b|\binf\b", text, re.IGNORECASE)
    for title in ("real?", "overshooting", "settings are worth", "other engines"):
        assert title in text
    after = results.accuracy_after(results.arenas(records)[0].main["FGSM"])
    assert f"**{100 * after.estimate:.1f} %" in page.lead
    assert "Not at the report's scale" in text
    assert "{" not in text
    stems = {block.stem for block in page.tables}
    assert {"reported", "differences", "distances", "targeted", "engines"} <= stems
    entry = evasion_page.entry(records, {**RUN, "scale": scale})
    assert entry.headline in page.lead
    assert (tmp_path.parent / entry.picture.replace("evasion", tmp_path.name, 1)).is_file()
