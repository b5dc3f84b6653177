"""Sentences that are chosen by an adjusted test: both sides of each, and what a page cites."""

from dataclasses import replace

import numpy as np
import pytest

from robustnets.chapters import CHAPTERS, write
from robustnets.chapters.distillation import attacks as distilled
from robustnets.chapters.distillation import sections as distillation
from robustnets.chapters.distillation import verdict as verdicts
from robustnets.chapters.filters import cells as filters_cells
from robustnets.chapters.filters import page as filters_page
from robustnets.chapters.regularization import boundary as boundary
from robustnets.chapters.regularization import paired as penalties
from robustnets.chapters.shared import common, sources
from robustnets.chapters.shared.common import Contrast
from robustnets.chapters.smoothing import attacked as smoothing
from robustnets.chapters.stopping import page as stopping_page
from robustnets.core.record import Record
from robustnets.report import reported
from robustnets.stats.intervals import Interval, next_value
from robustnets.stats.paired import paired_rates

NOT_SHOWN = "no difference shown"


def contrast(estimate, adjusted):
    """A difference with this adjusted p-value; its own p-value alone would always do."""
    interval = Interval(estimate, estimate - 0.01, estimate + 0.01, 9, "")
    return Contrast(interval, 0.01, adjusted)


UP, DOWN = contrast(0.2, 0.04), contrast(-0.2, 0.04)
MAYBE_UP, MAYBE_DOWN = contrast(0.2, 0.06), contrast(-0.2, 0.06)


def test_a_difference_is_shown_by_its_adjusted_p_value():
    assert (UP.shown, UP.more, UP.less) == (True, True, False)
    assert (DOWN.shown, DOWN.more, DOWN.less) == (True, False, True)
    assert (MAYBE_UP.shown, MAYBE_UP.more, MAYBE_DOWN.less) == (False, False, False)
    assert not contrast(0.0, 0.0).shown
    assert UP.said() == "+20.0 (+19.0 to +21.0) points"
    assert MAYBE_UP.said() == "+20.0 (+19.0 to +21.0) points (no difference shown)"
    words = [t.word("worse", "better", better=-1) for t in (UP, DOWN, MAYBE_UP)]
    assert [(w.text, w.kind) for w in words] == [
        ("worse", "bad"), ("better", "good"), (NOT_SHOWN, "plain"),
    ]  # fmt: skip


def test_a_family_is_adjusted_as_a_whole():
    rates = [paired_rates(np.arange(40) < k, np.zeros(40, bool)) for k in (6, 7, 12)]
    found = common.family(dict(zip("abc", rates)))
    assert rates[0].p == pytest.approx(2 * 0.5**6)  # below 0.05 by itself
    # Holm: the smallest three times, the next twice, the last once, none below the one before
    assert found["c"].adjusted == pytest.approx(3 * rates[2].p)
    assert found["b"].adjusted == pytest.approx(2 * rates[1].p)
    assert found["a"].adjusted == pytest.approx(max(rates[0].p, 2 * rates[1].p))
    assert found["a"].difference == rates[0].difference


# filters


def test_what_remains_of_a_filter():
    assert filters_page.remains(DOWN, contrast(-0.1, 0.01)) == (
        "of the 20.0 points that the filter takes off a gray-box attack, 10.0 remain against an "
        "attacker who knows the filter."
    )
    text = filters_page.remains(DOWN, MAYBE_DOWN)
    assert "gray-box, the filter lowers success by 20.0 (19.0 to 21.0) points" in text
    assert "through it, it changes success by −20.0 (−21.0 to −19.0) points (no difference" in text
    assert "raises success by 20.0 (19.0 to 21.0) points" in filters_page.remains(DOWN, UP)


def filtered(seed, mode, count, knowledge, fooled, wrong=0, n=100):
    """So many of n fooled at one radius behind a filter."""
    defense = None
    if mode != "none":
        spec = {"method": "pca", "n_components": count}
        defense = {"type": "InFront", "layer": spec, **TRAINED[mode]}
    clean = (np.arange(n) >= n - wrong).astype(int)
    adversarial = np.where(np.arange(n) < fooled, 1, clean)
    network = {"seed": seed, "defense": defense, "dataset": {"name": "digits"}}
    return Record(
        {"network": network, "knowledge": knowledge}, np.zeros(n, int), clean,
        np.array([filters_cells.ETA]), adversarial[None],
    )  # fmt: skip


# what the spec of each way to train has beside its layer
TRAINED = {"Reconstruction": {}, "Retraining": {"training": {}}, "FromScratch": {"start": "fresh"}}


def less(mode, count, seed):
    """By how many of 100 images training behind the filter lowers success; it varies by seed."""
    if mode == "FromScratch":
        return 15 + (seed + count) % 3
    return -9 + seed % 2 if count == 40 else 10 + (seed * count) % 3


def modes_of(seeds=6):
    """Retraining on pairs of 40, 20 and 5 for all seeds, from scratch on 20 and 5 for three."""
    made = []
    for seed in range(seeds):
        made.append(filtered(seed, "none", 0, "white-box", 80))
        for knowledge in ("gray-box", "white-box"):
            for mode, counts in (
                ("Reconstruction", (40, 20, 5)),
                ("Retraining", (40, 20, 5)),
                ("FromScratch", (20, 5) if seed < 3 else ()),
            ):
                for count in counts:
                    gain = 0 if mode == "Reconstruction" else less(mode, count, seed)
                    made.append(filtered(seed, mode, count, knowledge, 60 + seed - gain))
    return filters_page._Results(made)


def test_ways_to_train_are_compared_on_the_same_pairs_and_seeds():
    r = modes_of()
    found = filters_page.modes(r)
    assert found.shared == "mean over 20, 5"
    plain, again, fresh = filters_page.MODES
    each = {
        n: np.array([np.mean([less(again, c, s) for c in counts]) / 100 for s in range(n)])
        for n, counts in ((6, (40, 20, 5)), (3, (20, 5)))
    }
    scratch = np.array([np.mean([less(fresh, c, s) for c in (20, 5)]) / 100 for s in range(3)])
    over_all = found.success["gray-box", plain, again, filters_page.ALL_PAIRS].difference
    assert (over_all.n, over_all.estimate) == (6, pytest.approx(each[6].mean()))
    for other, expected in ((again, each[3]), (fresh, scratch)):
        key = "gray-box", plain, other, found.shared
        assert found.seeds[key] == 3
        difference = found.success[key].difference
        assert (difference.n, difference.estimate) == (3, pytest.approx(expected.mean()))
    own = found.success["white-box", again, fresh, found.shared].difference
    assert own.estimate == pytest.approx((scratch - each[3]).mean())
    assert len({t.adjusted for t in found.success.values()}) > 1

    def compared(judged):
        blocks = filters_page._training_modes(r, reported.load("thesis", "filters"), judged)
        table = next(b.table for b in blocks if getattr(b, "stem", "") == "retraining-reported")
        return dict(zip(table.columns, table.rows[0]))

    # what one new run would give, not the interval of the mean
    row = compared(True)
    assert row["one run"].value == pytest.approx(next_value(each[6]))
    low, high = row["one run"].value
    assert row["verdict"].text == ("inside" if low <= 0.01 <= high else "below")
    assert "verdict" not in compared(False)


def test_modes_are_said_as_tested():
    thesis = reported.load("thesis", "filters")
    statistic = next(row for row in thesis if row.metric == "mean_success_difference")
    found = filters_page.modes(modes_of())
    weak = replace(found, success={k: replace(t, adjusted=0.3) for k, t in found.success.items()})
    assert filters_page.modes_text(weak, statistic).count(NOT_SHOWN) >= 8
    strong = replace(
        found,
        success={k: replace(t, adjusted=0.001) for k, t in found.success.items()},
        accuracy={k: replace(t, adjusted=0.001) for k, t in found.accuracy.items()},
    )
    assert "20, 5 components) and the same 3 seeds" in filters_page.modes_text(strong, statistic)
    # nothing changes clean accuracy here, so that is never shown
    assert filters_page.modes_text(strong, statistic).count(NOT_SHOWN) == 3


# stopping


def test_stopping_is_like_for_like_on_the_thesis_own_data_alone():
    thesis = reported.load("thesis", "stopping")
    seven = list(dict.fromkeys(row.condition for row in thesis))

    def of(name="mnist", n_train=None, n_test=None):
        data = {"name": name, "n_train": n_train, "n_test": n_test}
        record = filtered(0, "none", 0, "white-box", 1)
        return replace(record, cell={"network": {"dataset": data}})

    assert stopping_page._like_for_like(of(), seven, thesis)
    assert not stopping_page._like_for_like(of("digits"), seven, thesis)
    assert not stopping_page._like_for_like(of(n_train=100), seven, thesis)
    assert not stopping_page._like_for_like(of(n_test=100), seven, thesis)
    assert not stopping_page._like_for_like(of(), seven[1:], thesis)


# regularization


def test_the_boundary_is_moved_only_where_that_is_shown():
    assert penalties.verdict(3, 0, 3, DOWN) == "shown"
    assert penalties.verdict(0, 3, 3, UP) == "more"
    assert penalties.verdict(3, 0, 3, MAYBE_DOWN) == "these"
    assert penalties.verdict(2, 0, 3, MAYBE_DOWN) == "no"
    assert penalties.verdict(2, 1, 3, MAYBE_DOWN) == "no"
    # one training has no seeds to be sure over: its images were tested already
    assert penalties.verdict(1, 0, 1, MAYBE_DOWN) == "no"

    def said(moved, one=DOWN, many=DOWN):
        return boundary.meaning(moved, one, many, 3)

    assert "the boundary lies farther away in this norm" in said("shown")
    assert "these 3 networks" not in said("shown")
    assert "for each of these 3 networks, though that is not shown over trainings" in said("these")
    assert "less than one step shows in these trainings" in said("shown", many=contrast(-0.1, 0.01))
    for moved in ("no", "more"):
        assert "farther away" not in said(moved)
    assert "no difference under the better attack" in said("no")


def test_what_every_training_says_by_itself_is_said_too():
    assert penalties.alone_too(DOWN, 3, 0, 3) == DOWN.said()
    assert "in each of them by itself lower" in penalties.alone_too(MAYBE_DOWN, 3, 0, 3)
    assert "in each of them by itself higher" in penalties.alone_too(MAYBE_UP, 0, 3, 3)
    assert penalties.alone_too(MAYBE_DOWN, 2, 0, 3) == MAYBE_DOWN.said()
    assert penalties.alone_too(MAYBE_DOWN, 1, 0, 1) == MAYBE_DOWN.said()


# distillation


def test_what_distillation_is_worth():
    assert distillation.gain(UP) == "20.0 points more"
    assert distillation.gain(DOWN) == "20.0 points less"
    assert distillation.gain(MAYBE_DOWN).startswith("no difference that these examples show (−20.0")
    assert "something is left, +20.0" in verdicts.left_over(UP)
    assert "is an upper bound" in verdicts.left_over(UP)
    assert "less robust than the undefended one, by −20.0" in verdicts.left_over(DOWN)
    for found in (MAYBE_UP, MAYBE_DOWN):
        assert "no difference to the undefended network is shown" in verdicts.left_over(found)


def test_whether_the_teacher_hides_as_well():
    def said(found):
        return distilled.of_teacher(found, 100.0, "99 %", "96 %", "74 %")

    assert "looks as robust as it does only until it is divided by 100" in said(DOWN)
    for found in (MAYBE_DOWN, UP):
        assert "is not shown to leave fewer right" in said(found)


def test_no_gradients_of_zero():
    assert "None of the images" in distillation._begun(Interval(0.0, 0.0, 0.1, 9, ""))
    assert "But 30.0 % (20.0 to 40.0)" in distillation._begun(Interval(0.3, 0.2, 0.4, 9, ""))


# smoothing


def test_a_masked_gradient_is_claimed_only_where_it_is_shown():
    assert smoothing.masked(MAYBE_UP, MAYBE_UP) == ""
    assert smoothing.masked(DOWN, DOWN) == ""
    assert "single-step white-box row alone would flatter it" in smoothing.masked(UP, DOWN)
    assert "no measure of its worth" in smoothing.masked(DOWN, UP)


# sources


def test_every_chapter_names_its_source():
    rows = reported.load()
    for slug in CHAPTERS:
        line = sources.source(slug)
        (report,) = {row.source for row in rows if row.chapter == slug}
        assert sources.REPORTS[report].authors in line
        assert sources.REPORTS[report].title in line
        assert sources.REPORTS[report].chapters[slug] in line
        assert str(sources.REPORTS[report].year or "states no year") in line
    with pytest.raises(ValueError, match="no report in REPORTS has the chapter 'sleeping'"):
        sources.source("sleeping")


def test_all_five_reports_are_listed():
    assert set(sources.REPORTS) == {row.source for row in reported.load()}
    text = sources.listed(CHAPTERS, "reports/")
    assert text.count("\n- ") == 4
    for slug in CHAPTERS:
        assert f"[{slug}](reports/{slug}/README.md)" in text
    for key in ("psl_iasd", "csce496"):
        assert f"{sources.REPORTS[key].cited}: not yet: {sources.REPORTS[key].rest}." in text
    assert "five reports" in write.REPORTS_LEAD
    # a page that was not written cannot be linked to
    few = sources.listed(["filters"])
    assert "sections 3.1 to 3.5 in `stopping`" in few
    assert "sections 3.6 to 3.10 in [filters](filters/README.md)" in few
