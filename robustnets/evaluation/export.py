"""An evaluation's files: page, Records, every example's outcome, and RobustBench's model_info.

Source of the schema: Croce et al. 2021, arXiv:2010.09670, and the files under `model_info` of
the authors' repository.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from robustnets import __version__, backend
from robustnets.attacks.balls import distances
from robustnets.core.record import Record
from robustnets.core.spec import to_dict
from robustnets.core.store import write_atomically
from robustnets.evaluation.evaluation import Attacker, Evaluation, radius_text
from robustnets.evaluation.outcome import combined
from robustnets.evaluation.page import page_of
from robustnets.report.page import write_page
from robustnets.stats.intervals import Interval, rate

PICTURED = 8


def save(found: Evaluation, folder: Path) -> Path:
    """Write everything; the page comes last. See `Evaluation.save`."""
    for name, record in records(found).items():
        record.save(folder / "records" / f"{name}.npz")
    case = found.found
    outcomes: dict[str, Any] = {
        "x": found.x, "y": found.y, "nearest": found.nearest.x,
        "distance": found.nearest.distance, "predicted": found.predicted, "robust": found.robust,
        "broken_by": case.broken_by, "forward": case.forward, "backward": case.backward,
    }  # fmt: skip
    if found.convergence is not None:
        outcomes["draws"] = np.array(found.convergence.draws)
        outcomes["robust_by_draws"] = found.convergence.robust
    write_atomically(folder / "outcomes.npz", lambda path: np.savez_compressed(path, **outcomes))
    text = json.dumps(model_info(found), indent=2) + "\n"
    write_atomically(folder / "model_info.json", lambda path: path.write_text(text))
    return write_page(page_of(found), folder)[0]


def records(found: Evaluation) -> dict[str, Record]:
    """A Record for each attacker by name, and "curve" for the worst of all at each radius.

    Its classes are those of the outcomes as they were judged. "source", int (N,), is what the
    model says that the examples are crafted on, of the examples as they stand, where that is not
    the victim.
    """
    made = {a.row.key: _of_attacker(found, a) for a in found.attackers if a.took_part}
    clean = np.where(found.right, found.y, found.predicted)
    curve = np.where(found.curve.robust, found.y, found.predicted)
    about = {"attack": "nearest adversarial example known", **_about(found)}
    made["curve"] = Record(
        _cell(found, "curve"), found.y, clean, found.curve.epsilons, curve, about=about
    )
    return made


def _of_attacker(found: Evaluation, attacker: Attacker) -> Record:
    case = attacker.case
    moved = distances(case.clean, case.x)
    arrays = {
        "linf": moved["linf"][None].astype(np.float32),
        "l2": moved["l2"][None].astype(np.float32),
        "forward": case.forward[None].astype(np.int32),
        "backward": case.backward[None].astype(np.int32),
    }
    if attacker.source_class is not None:
        arrays["source"] = attacker.source_class.astype(np.int16)
    clean = np.where(case.right, case.y, attacker.predicted)
    about = {
        "attacks": [to_dict(part.attack) for part in case.parts],
        "finished": case.finished,
        "attack_seconds": sum(part.seconds for part in case.parts),
        "evaluations": case.evaluations,
        "needed": case.needed,
        **_about(found),
    }
    return Record(
        _cell(found, attacker.row.key), case.y, clean, np.array([found.threat.eps]),
        attacker.predicted[None], arrays, about=about,
        pictures={"adversarial": np.stack([case.clean[:PICTURED], case.x[:PICTURED]])},
    )  # fmt: skip


def _cell(found: Evaluation, attacker: str) -> dict[str, Any]:
    return {
        "evaluation": {
            "model": found.subject.classifier.digest,
            "defense": found.subject.defense,
            "attacker": attacker,
            "threat": to_dict(found.threat),
            "suite": found.suite,
            "seed": found.seed,
        }
    }


def _about(found: Evaluation) -> dict[str, Any]:
    facts = {k: v if isinstance(v, (str, int, float, bool)) else str(v)
             for k, v in found.about.items()}  # fmt: skip
    return {**facts, "robustnets": __version__, **backend.describe()}


def model_info(found: Evaluation) -> dict[str, Any]:
    """RobustBench's fields, rates in percent as text as there, and more of ours.

    `autoattack_acc` is what AutoAttack's own list leaves, None where that was not run in full.
    `external` is there, as a robust accuracy by another evaluation than AutoAttack: the worst of
    all attackers, None where it is no lower. `reported`, `link`, `authors`, `venue` and
    `additional_data` are for the author to fill in.
    """
    robust, clean, listed = found.robust_accuracy, found.accuracy, _autoattack(found)
    lower = listed is None or robust.estimate < listed.estimate
    return {
        "link": None,
        "name": str(found.about.get("model", found.subject.classifier.model.name)),
        "authors": None,
        "additional_data": None,
        "number_forward_passes": 1,
        "dataset": found.about.get("data"),
        "venue": None,
        "architecture": found.subject.classifier.model.name,
        "eps": radius_text(found.threat.eps),
        "clean_acc": _percent(clean.estimate),
        "reported": None,
        "autoattack_acc": None if listed is None else _percent(listed.estimate),
        "external": _percent(robust.estimate) if lower else None,
        "footnote": " ".join(found.upper_bound) or None,
        "unreliable": bool(found.upper_bound),
        "robustnets": {
            "version": __version__,
            "backend": backend.describe(),
            "model_digest": found.subject.classifier.digest,
            "defense": found.subject.defense or None,
            "threat": to_dict(found.threat),
            "suite": found.suite,
            "seed": found.seed,
            "n": robust.n,
            "class_names": list(found.class_names),
            "clean_acc": _interval(clean),
            "robust_acc": _interval(robust),
            "upper_bound_only": list(found.upper_bound),
            "median_distance": _finite(float(np.median(found.nearest.distance))),
            "curve": [
                {"eps": float(eps), **_interval(r)}
                for eps, r in zip(found.curve.epsilons, found.curve.rates)
            ],
            "attackers": [
                {
                    "knowledge": a.row.knowledge,
                    "how": a.row.how,
                    "robust_acc": _interval(a.accuracy) if a.took_part else None,
                    "source_acc": (
                        None if a.source_accuracy is None else _interval(a.source_accuracy)
                    ),
                    "attacks": [
                        {
                            **to_dict(part.attack), "attacked": part.attacked,
                            "broke": part.broke, "forward": part.forward,
                            "backward": part.backward, "seconds": round(part.seconds, 3),
                            "finished": part.finished,
                        }
                        for part in a.case.parts
                    ],
                }
                for a in found.attackers
            ],
            "checks": [
                {"name": c.name, "level": c.level, "number": c.number, "remedy": c.remedy}
                for c in found.checks
            ],
            "left_out": list(found.left_out),
            "about": _about(found),
        },
    }  # fmt: skip


def _autoattack(found: Evaluation) -> Interval | None:
    """Robust accuracy against AutoAttack's list alone, without transfer and other radii.

    None unless that was the suite, without a budget, on a model that draws nothing.
    """
    own = [a.case for a in found.attackers if a.row.key in ("white", "queries")]
    whole = found.suite == "autoattack" and len(own) == 2 and not found.subject.stochastic
    if not whole or found.left_out or not all(case.finished for case in own):
        return None
    left = combined(own)
    return rate(int(left.robust.sum()), len(left.y))


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _interval(interval: Any) -> dict[str, float]:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}


def _finite(value: float) -> float | None:
    """JSON has no infinity: None."""
    return value if np.isfinite(value) else None
