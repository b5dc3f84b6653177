"""The examples that took the smallest change, drawn: original, adversarial, difference."""

import numpy as np

from robustnets.evaluation.evaluation import Evaluation
from robustnets.report.figure import Figure, image_grid

MOST = 8


def nearest(found: Evaluation) -> Figure | None:
    """The right examples with the nearest adversarial ones; None where there are none to draw."""
    far = np.where(
        found.right & np.isfinite(found.nearest.distance), found.nearest.distance, np.inf
    )
    order = np.argsort(far, kind="stable")[: min(MOST, int(np.isfinite(far).sum()))]
    if len(order) == 0 or found.x.shape[-1] not in (1, 3):
        return None
    low, high = found.threat.low, found.threat.high
    clean, moved = found.x[order].astype(float), found.nearest.x[order].astype(float)
    delta = moved - clean
    # each difference on its own scale, grey where nothing changes
    most = np.maximum(np.abs(delta).max(axis=(1, 2, 3), keepdims=True), 1e-12)
    rows = [(clean - low) / (high - low), (moved - low) / (high - low), 0.5 + 0.5 * delta / most]
    names = found.class_names
    notes = [
        [names[found.y[i]] for i in order],
        [names[found.predicted[i]] for i in order],
        # in linf that is the distance, which stands above
        ["" if found.threat.norm == "linf" else f"±{m:.2g}" for m in most.ravel()],
    ]
    drawing = image_grid(
        np.clip(np.stack(rows), 0, 1), ["original", "adversarial", "difference"],
        [f"{far[i]:.2g}" for i in order], notes,
    )  # fmt: skip
    below = "the true class and the class that the model gives"
    if found.threat.norm != "linf":
        below = "the true class, the class that the model gives and the largest change of a value"
    caption = (
        f"The {len(order)} right examples with the nearest adversarial ones known, in order. "
        f"Above: the distance in {found.threat.norm}. Below: {below}; differences are drawn on a "
        "scale of their own."
    )
    alt = "; ".join(
        f"{names[found.y[i]]} taken for {names[found.predicted[i]]} at {far[i]:.3g}" for i in order
    )
    return Figure("nearest", caption, alt, drawing, raster=True)
