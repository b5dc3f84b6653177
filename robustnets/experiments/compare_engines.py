"""`robustnets compare-engines`: from words to a network, an attack and a page."""

import ast
import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from robustnets import backend, data
from robustnets.attacks import ATTACKS, CarliniWagner, Evolutionary, HopSkipJump, OnePixel
from robustnets.core.dataset import Split
from robustnets.core.store import Store
from robustnets.core.threat import ThreatModel
from robustnets.evaluation import engines as evaluation
from robustnets.evaluation.input_scale import COMMAND_WITHOUT_RANGE, check_scale
from robustnets.experiments.cell import DatasetRef, Network
from robustnets.experiments.examples import examples_for
from robustnets.experiments.given import trajectory
from robustnets.experiments.network_cache import NetworkCache
from robustnets.models import MODELS, Classifier
from robustnets.models.load import is_source, load_classifier
from robustnets.report.page import Page, Section, TableBlock, Text
from robustnets.training import FixedEpochs, Training

BY_NAME = {kind.__module__.rsplit(".", 1)[1].replace("_", "-"): kind for kind in ATTACKS}
# radii where the networks here are neither safe nor lost
EPS = {"linf": 0.1, "l2": 1.5, "l1": 10.0, "l0": 5.0}
# settings that the peers, too, are through with in a minute or two
QUICK: Mapping[type, Mapping[str, Any]] = {
    CarliniWagner: {"steps": 30, "rounds": 3, "first": 1.0, "rate": 0.1},
    HopSkipJump: {"max_iter": 8, "max_eval": 100, "init_eval": 10},
    OnePixel: {"population": 100, "generations": 20},
    Evolutionary: {"budget": 2000},
}


def spec_of(
    name: str,
    norm: str | None,
    eps: float | None,
    settings: Sequence[str] = (),
    quick: bool = True,
) -> Any:
    """Build an attack from words.

    Args:
        name: one of `BY_NAME`, such as "carlini-wagner".
        norm: None takes the first of the attack's own, but l2 where the smallest is looked for.
        eps: in input units; None takes `EPS`, or a radius that cuts nothing for an attack that
            looks for the smallest perturbation.
        settings: "key=value" for fields of the spec.
        quick: what is not set has the value of `QUICK`, for comparisons only: an evaluation
            takes the spec's own, which are stronger.

    Raises:
        ValueError: for an unknown name, setting or value.
    """
    name = name.lower().replace("_", "-")
    if name not in BY_NAME:
        raise ValueError(f"no attack {name!r}; there are {_among(name, BY_NAME)}")
    kind: Any = BY_NAME[name]
    if norm is None:
        # the peers look for the smallest perturbation in l2
        norm = "l2" if kind.minimal and "l2" in kind.norms else kind.norms[0]
    if norm not in EPS:
        raise ValueError(f"norm must be one of {', '.join(EPS)}, got {norm!r}")
    if eps is None:
        eps = 1e6 if kind.minimal else EPS[norm]
    known = [f.name for f in dataclasses.fields(kind) if f.name not in ("threat", "starts")]
    values = dict(QUICK.get(kind, {})) if quick else {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"settings are written key=value, got {setting!r}")
        if key not in known:
            raise ValueError(f"{name} has no setting {key!r}; it has {_among(key, known)}")
        values[key] = _value(text.strip())
    try:
        return kind(ThreatModel(norm, eps), **values)
    except TypeError as problem:
        raise ValueError(f"{name}: {problem}") from None


def _value(text: str) -> Any:
    """A number, None, a truth value, or else the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _among(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.4)
    return ", ".join(known) + (f"; did you mean {near[0]!r}?" if near else "")


def network_of(dataset: str, model: str, seed: int, examples: int) -> Network:
    """A network that trains in seconds to a minute.

    Raises:
        ValueError: for an unknown model.
    """
    model = model.replace("-", "_")
    if model not in MODELS:
        raise ValueError(
            f"no model {model!r}; there are {_among(model, MODELS)}; or name a .keras or .h5 file, "
            "the folder of a SavedModel or module:function"
        )
    # about as many steps for few examples as for many
    epochs, batch_size = (60, 25) if examples < 10_000 else (5, 50)
    rule = FixedEpochs(epochs)
    training = Training((rule,), batch_size=batch_size, max_epochs=epochs)
    return Network(DatasetRef(dataset), model, training, rule, seed)


def compare(
    attack: Any,
    *,
    dataset: str = "digits",
    model: str = "fc_100_100_10",
    custom: Sequence[str] = (),
    trust: bool = False,
    logits: str | None = None,
    n: int = 50,
    seed: int = 0,
    store: Store | None = None,
    data_dir: str | None = None,
    train_progress: Callable[[str, int, int, dict[str, float]], None] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Page:
    """Attack a network through every engine.

    Args:
        attack: the spec.
        dataset: a data set's name or `.npz` file.
        model: a name in `robustnets.models.MODELS`, of a network that is trained or taken from
            the store, hyphens will do; or a model of your own, as for `load_model`.
        custom, trust, logits: as for `load_classifier`, for a model of your own.
        n: the first so many test examples.
        seed: of the network and of the attack's draws.
        store: where networks are kept; None is the default store.
        data_dir: folder of the data sets, or None for the default search.
        train_progress: as for `NetworkCache`.
        progress: as for `evaluation.engines.carry_out`.

    Returns:
        A page of one table, with what engines refused below it.

    Raises:
        ValueError, FileNotFoundError: for whatever of these cannot be, in one sentence.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be an int >= 1, got {n!r}")
    own = model.replace("-", "_") not in MODELS and is_source(model)
    if not own and (custom or trust or logits is not None):
        raise ValueError(
            f"custom, trust and logits are for a model of your own, got them for {model!r}"
        )
    if own:
        classifier = load_classifier(model, custom, trust, logits)
        test: Split = examples_for(classifier, dataset, data_dir, n)
        check_scale(classifier, test.x, test.y, entry=COMMAND_WITHOUT_RANGE)
        facts = {"network": f"{model}, digest {classifier.digest}", "data": dataset}
    else:
        classifier, test, facts = _trained(
            dataset, model, n, seed, store or Store(), data_dir, train_progress
        )
    x = test.x
    y = (test.y + 1) % classifier.classes if attack.targeted else test.y
    carried = evaluation.carry_out(attack, classifier, x, y, seed=seed, progress=progress)
    table = evaluation.compare(attack, classifier, x, y, carried)
    blocks: tuple = (TableBlock(table, "engines"),)
    refused = [f"- **{c.engine}**: {c.why}" for c in carried if c.made is None]
    if refused:
        blocks += (Text("Not carried out:\n\n" + "\n".join(refused)),)
    lead = f"The same {len(x)} test examples of {dataset} through every engine that has it."
    if attack.targeted:
        lead += " The class to reach is the one after the true one."
    right = (classifier.predict(x).argmax(axis=1) == test.y).mean()
    facts = {**facts, "accuracy on these examples": f"{right:.1%}", **backend.describe()}
    title = f"{type(attack).__name__} through each engine"
    return Page("engines", title, lead, (Section("Engines", blocks),), facts)


def _trained(
    dataset: str, model: str, n: int, seed: int, store: Store, data_dir: str | None, progress: Any
) -> tuple[Classifier, Split, dict[str, str]]:
    """A network that is trained or taken from the store, its test examples, facts of both."""
    examples = data.load(dataset, data_dir)
    network = network_of(dataset, model, seed, len(examples.train))
    trained = NetworkCache(examples, store, progress).network(network)
    facts = {
        "network": f"{network.model}, {trajectory(network).max_epochs} epochs, seed {seed}",
        "data": f"{examples.name}, fingerprint {examples.fingerprint}",
    }
    return trained.classifier, Split(examples.test.x[:n], examples.test.y[:n]), facts
