"""The attacks of an evaluation, spread over processes of this machine or over a cluster.

What is spread are pieces of one attack after the other, some tens of examples each, rather than
whole attacks, of which a few take most of the time, or whole evaluations of a share of the
examples, whose budgets would be cut differently and whose kept parts would fit one number of
processes only. So every number of processes finds the same, shares one store, and shows one live
view. The sanity block, which runs attacks on a hundred examples, stays in this process.

Models do not travel: some hold functions that cannot be pickled, and none should be unpickled that
safe mode would refuse. Each process loads them again by the names that the command was given.
"""

import contextlib
import functools
import hashlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robustnets.experiments.workers import check_workers, connected, spread, width

if TYPE_CHECKING:
    from robustnets.evaluation.pieces import Carry, Found, Piece, Show
    from robustnets.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where the models of an evaluation come from, in words that mean the same everywhere.

    Args:
        model: as for `models.load.load_classifier`.
        custom, trust, logits: as there.
        defense: the name of a layer, or None.
        data: what a surrogate is trained on.
        data_dir: folder of the data sets, or None.
        store: folder in which a surrogate is kept.
        seed: of the surrogate.
        box: the smallest and the largest value that the model takes.
    """

    model: str
    custom: tuple[str, ...] = ()
    trust: bool = False
    logits: str | None = None
    defense: str | None = None
    data: str = ""
    data_dir: str | None = None
    store: str = ""
    seed: int = 0
    box: tuple[float, float] = (0.0, 1.0)

    def everywhere(self) -> "Recipe":
        """The same with whole paths: a worker's working directory is its own."""
        from dataclasses import replace

        def whole(text: str) -> str:
            return str(Path(text).expanduser().absolute()) if Path(text).exists() else text

        return replace(
            self, model=whole(self.model), data=whole(self.data),
            data_dir=self.data_dir and str(Path(self.data_dir).expanduser().absolute()),
            store=str(Path(self.store).expanduser().absolute()),
            defense=self.defense and whole(self.defense),
        )  # fmt: skip


@functools.lru_cache(maxsize=8)
def source_of(recipe: Recipe, role: str) -> "Classifier":
    """One of the models, made once in a process.

    Args:
        recipe: where it comes from.
        role: one of `evaluation.pieces.ROLES`.
    """
    from robustnets.core.store import Store
    from robustnets.evaluation.subject import defended, substitute_of
    from robustnets.evaluation.surrogate import trained_surrogate
    from robustnets.experiments.evaluate_model import layer_of, training_split
    from robustnets.models.load import load_classifier

    if role == "surrogate":
        split = training_split(recipe.data, recipe.data_dir, recipe.box)
        if split is None:
            raise ValueError(f"{recipe.data} has nothing to train a surrogate on")
        classes = source_of(recipe, "without").classes
        return trained_surrogate(split, classes, recipe.seed, Store(recipe.store), recipe.box)
    if role == "without":
        return load_classifier(recipe.model, recipe.custom, recipe.trust, recipe.logits)
    bare = source_of(recipe, "without")
    if recipe.defense is None:
        return bare
    layer = layer_of(recipe.defense)
    return {"victim": defended, "substitute": substitute_of}[role](bare, layer)


def weights_of(classifier: "Classifier") -> str:
    """A digest of all weights, in which Keras' running numbers of layers have no part."""
    import keras

    sha = hashlib.sha256()
    for variable in classifier.model.variables:
        sha.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).data)
    return sha.hexdigest()[:16]


class Spreader:
    """Carries attacks out in other processes; see `evaluation.pieces.Carrier`.

    Args:
        recipe: where these find the models.
        jobs, workers: as for `workers.spread`.
    """

    def __init__(self, recipe: Recipe, jobs: int, workers: str | None):
        check_workers(jobs, workers)
        self.recipe, self.jobs, self.workers = recipe.everywhere(), jobs, workers
        self.processes = jobs

    @contextlib.contextmanager
    def ready(self) -> Iterator["Spreader"]:
        """Be connected to the cluster, if there is one."""
        with connected(self.workers, self.jobs):
            self.processes = width(self.workers, self.jobs)
            yield self

    def __call__(self, role: str, source: "Classifier") -> "Carry":
        from robustnets.evaluation.pieces import one_by_one

        same = weights_of(source)

        def carry(pieces: "Sequence[Piece]", show: "Show") -> "Iterator[tuple[int, Found | None]]":
            if len(pieces) < 2 and self.workers is None:
                return one_by_one(source)(pieces, show)
            # a loss of one's own can be unpickled where the model's modules are imported
            items = [(self.recipe, role, same, pickle.dumps(one)) for one in enumerate(pieces)]
            return spread(
                _carried_out, items, jobs=self.jobs, workers=self.workers,
                progress=lambda event: show(*event),
            )  # fmt: skip

        return carry


def _carried_out(item: tuple[Recipe, str, str, bytes], show: Callable[[Any], None]) -> Any:
    """Carry one piece out in this process; `spread` calls it."""
    from robustnets.evaluation.pieces import carry_out

    recipe, role, weights, pickled = item
    source = source_of(recipe, role)
    if weights_of(source) != weights:
        raise RuntimeError(
            f"a worker finds another {role} model at {recipe.model} than this process has: load "
            "it from a file that all see, or fix the seeds of the function that makes it"
        )
    place, piece = pickle.loads(pickled)
    return place, carry_out(piece, source, lambda done: show((place, done)))
