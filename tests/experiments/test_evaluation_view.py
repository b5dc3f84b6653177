"""The live view of an evaluation, on a terminal and in a log."""

import io

from rich.console import Console

from robustnets.evaluation.outcome import Standing
from robustnets.evaluation.stages import Moment
from robustnets.experiments.evaluation_view import EvaluationView


def moment(attack, number, done, robust, stage="white-box", left=75.0):
    return Moment(stage, 0, 4, Standing(attack, number, 2, done, 90, robust, 3.0, 1.0), left)


def test_a_log_has_a_line_for_each_attack():
    console = Console(file=io.StringIO(), width=120)
    with EvaluationView(console) as view:
        for done in range(0, 90, 10):
            view.show(moment("FGSM", 0, done, 90 - done))
        view.show(moment("PGD", 1, 0, 10))
        for check in ("zero gradients", "saturated logits"):
            view.show(moment(check, 0, 1, 10, stage="checks", left=None))
    lines = console.file.getvalue().splitlines()
    assert lines[0] == (
        "1 of 4 white-box: FGSM, 0 of 90 examples, 90 still robust, about 1 min 15 s left"
    )
    assert lines[1].startswith("1 of 4 white-box: PGD")
    assert lines[2] == "1 of 4 checks: zero gradients, 1 of 90, 10 still robust"
    assert len(lines) == 3


def test_a_terminal_has_bars():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with EvaluationView(console) as view:
        view.show(Moment("training a surrogate", 0, 1, None, None))
        view.show(moment("FGSM", 0, 45, 61))
    shown = console.file.getvalue()
    assert "45 of 90 examples, 61 still robust" in shown
    assert "1 of 4, about 1 min 15 s left" in shown
