"""The command line: parses and delegates, nothing else."""

import contextlib
import difflib
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from robustnets import __version__
from robustnets.chapters import CHAPTERS, SCALES

app = typer.Typer(
    help="Train networks, attack them, defend them, and say honestly what a defense is worth.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
)
out = Console()
err = Console(stderr=True)
ENGINES = ("native", "art", "cleverhans")

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with mnist.npz, cifar10.npz, …  [env: ROBUSTNETS_DATA]"),
]
StoreDir = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of everything computed.  [env: ROBUSTNETS_HOME]"),
]
ModelSource = Annotated[
    str,
    typer.Argument(help="A .keras or .h5 file, a SavedModel's folder, or module:function."),
]
Custom = Annotated[
    list[str] | None,
    typer.Option(help="A module that holds the model's own layers; repeatable."),
]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Let a model run code of its own: Lambda layers, a SavedModel."),
]
Logits = Annotated[
    str | None,
    typer.Option(metavar="LAYER", help="The layer whose output are the logits; default: found."),
]
InputRange = Annotated[
    str | None,
    typer.Option(
        metavar="LOW,HIGH",
        help="The values that the model takes, such as -1,1 or 0,255: examples are scaled to "
        "them, and eps is in these units. Default: 0,1.",
    ),
]
AnyEps = Annotated[
    bool,
    typer.Option("--any-eps", help="A linf eps as wide as the input range or wider is meant."),
]
Workers = Annotated[
    str | None,
    typer.Option(
        help="dask or ray: the cluster at DASK_SCHEDULER_ADDRESS or RAY_ADDRESS, or one of -j "
        "processes here."
    ),
]
Chapters = Annotated[list[str], typer.Argument(help=f"One or more of: {', '.join(CHAPTERS)}.")]


def main() -> None:
    """Run the command line; the entry point `robustnets`."""
    app()


def _fail(message: object) -> NoReturn:
    err.print(f"error: {message}", style="red", markup=False, highlight=False)
    raise typer.Exit(2)


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """Whatever goes wrong becomes one sentence and exit code 2, Ctrl-C one and 130.

    What Python would warn of becomes a note of one line.
    """
    try:
        with _noted():
            yield
    except (typer.Exit, typer.Abort):  # they are RuntimeErrors
        raise
    except KeyboardInterrupt:  # typer would end without a word
        err.print("interrupted; what was finished is kept, the same command goes on from there")
        raise typer.Exit(130) from None
    except SystemExit as stop:  # nobody must take this for success
        _fail(
            f"sys.exit({stop.code!r}) was called by code that was loaded; take that call out of "
            "the model, the layer or the module"
        )
    except OSError as problem:
        told = problem.filename is not None and problem.strerror is not None
        _fail(f"{problem.filename}: {problem.strerror}" if told else problem)
    except MemoryError as problem:
        _fail(f"memory ran out ({problem or 'MemoryError'}); take fewer examples or processes")
    except (ValueError, TypeError, FloatingPointError, RuntimeError, ImportError) as problem:
        _fail(problem)


def _check_folders(*folders: Path | None) -> None:
    """Refuse, before any work, what could not be written to after it."""
    from robustnets.core.store import check_folder

    for folder in folders:
        if folder is not None:
            check_folder(folder)


def _one_of(kind: str, value: str, known: tuple[str, ...]) -> str:
    if value in known:
        return value
    near = difflib.get_close_matches(value, known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    _fail(f"no {kind} {value!r}; there are {', '.join(known)}{hint}")


@app.callback(invoke_without_command=True)
def version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Options that come before a command."""
    if version:
        out.print(__version__)
        raise typer.Exit()


@app.command("list")
def list_() -> None:
    """List the chapters, their questions and the scales."""
    from robustnets.chapters import chapter

    table = Table("chapter", "question", box=None)
    for slug in CHAPTERS:
        table.add_row(slug, chapter(slug).question)
    out.print(table)
    out.print(f"scales: {', '.join(SCALES)}; engines: {', '.join(ENGINES)}")


@app.command()
def run(
    chapters: Chapters,
    scale: Annotated[str, typer.Option(help=f"One of: {', '.join(SCALES)}.")] = "quick",
    dataset: Annotated[
        str | None, typer.Option(help="Another data set by name, or an .npz file.")
    ] = None,
    data_dir: DataDir = None,
    engine: Annotated[str, typer.Option(help=f"One of: {', '.join(ENGINES)}.")] = "native",
    seeds: Annotated[int | None, typer.Option(min=1, help="Training seeds.")] = None,
    store: StoreDir = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Worker processes.")] = 1,
    workers: Workers = None,
    devices: Annotated[
        int,
        typer.Option(min=1, help="GPUs that each training is spread over; on JAX."),
    ] = 1,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="PART/PARTS",
            help="Only that part of the Cells, such as 2/8; a run without it writes the page.",
        ),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for pages; default: in the store.")
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Write TensorBoard logs of the training here.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the Cells and what is stored; compute nothing.")
    ] = False,
) -> None:
    """Carry a chapter's Cells out and write its page. A killed run goes on where it was."""
    for slug in chapters:
        _one_of("chapter", slug, CHAPTERS)
    _one_of("scale", scale, SCALES)
    _one_of("engine", engine, ENGINES)
    if devices > 1 and jobs > 1:
        _fail("--devices spreads one training over all of them; leave -j out")
    if shard is not None and out_dir is not None:
        _fail("a shard writes no page; give --out to the run without --shard")
    from robustnets.core.store import default_root
    from robustnets.experiments import runner
    from robustnets.experiments.quiet import THREADS, quiet_backend
    from robustnets.experiments.shard import Shard
    from robustnets.experiments.workers import check_workers

    with _sentences():
        check_workers(jobs, workers)
        part = Shard.of_text(shard) if shard is not None else None
        root = store or default_root()
        folder = out_dir or root / "reports" / f"{scale}-{dataset_label(dataset)}"
        _check_folders(root, folder, tensorboard)
        settings = runner.Settings(
            str(root),
            str(data_dir) if data_dir else None,
            str(tensorboard) if tensorboard else None,
            threads=THREADS,
            devices=devices,
        )
        if engine != "native" and runner.backend_name() != "tensorflow":
            _fail(f"engine {engine!r} runs on TensorFlow; set KERAS_BACKEND=tensorflow")
        with err.status("loading Keras"):
            quiet_backend(settings.threads)
        if devices > 1 and workers is None:
            from robustnets.backend import data_parallel

            data_parallel(devices)  # refuses before any work is done
        for slug in chapters:
            _run_chapter(
                slug, scale, dataset, seeds, engine, settings, jobs, workers, part, folder, dry_run
            )
        if part is not None and not dry_run:
            out.print(f"shard {shard} is done; a run without --shard writes the page")
        elif not dry_run:
            from robustnets.chapters.write import write_chapters

            with err.status("writing pages"):
                index = write_chapters(folder, chapters)
            out.print(f"page: {index.resolve()}", soft_wrap=True, highlight=False)


def dataset_label(dataset: str | None) -> str:
    """The data set's part of a report folder's name."""
    return Path(dataset).stem if dataset else "default"


def _run_chapter(
    slug, scale, dataset, seeds, engine, settings, jobs, workers, part, folder, dry_run
) -> None:
    from robustnets.chapters import chapter
    from robustnets.experiments import runner
    from robustnets.experiments.live import Live
    from robustnets.experiments.publish import publish

    asked = chapter(slug)
    cells = asked.cells(scale, dataset, seeds, engine)
    if part is not None:
        cells = part.take(cells)
    planned = runner.plan(cells, settings)
    stored = sum(p.stored for p in planned)
    out.print(f"{slug}: {len(planned)} Cells, {stored} stored", highlight=False)
    if dry_run:
        for p in planned:
            mark = "stored " if p.stored else "missing"
            out.print(
                f"  {mark}  {p.key}  {runner.describe_cell(p.cell)}",
                highlight=False,
                soft_wrap=True,
            )
        return
    with Live(err, slug) as live:
        records = runner.run(cells, settings, jobs, live.show, workers)
    if part is not None:
        return
    options = [f"--scale {scale}"]
    options += [f"--dataset {dataset}"] if dataset else []
    options += [f"--seeds {seeds}"] if seeds else []
    options += [f"--engine {engine}"] if engine != "native" else []
    facts: dict[str, Any] = {
        "command": " ".join(["robustnets run", slug, *options]),
        "scale": scale,
        "jobs": jobs,
    }
    publish(records, facts, folder / slug, asked.kept)


@app.command()
def report(
    chapters: Annotated[
        list[str] | None, typer.Argument(help="Chapters; default: all that have Records.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder that holds the chapters' Records.")
    ] = Path("reports"),
    readme: Annotated[
        Path | None, typer.Option(help="Also write the findings into this README.")
    ] = None,
) -> None:
    """Write pages, tables and figures again from stored Records; computes nothing."""
    for slug in chapters or ():
        _one_of("chapter", slug, CHAPTERS)
    from robustnets.experiments.quiet import check_backend

    with _sentences():
        check_backend()
        _check_folders(folder)
        from robustnets.chapters.write import write_chapters, write_results

        index = write_chapters(folder, chapters)
        if readme is not None:
            write_results(readme, folder)
        out.print(f"page: {index.resolve()}", soft_wrap=True, highlight=False)


@app.command()
def data(
    name: Annotated[str | None, typer.Argument(help="A data set's name or .npz file.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List the data sets and where each is found, or load one and describe it."""
    from robustnets import data as sets

    with _sentences():
        if name is None:
            table = Table("data set", "what", "where", box=None)
            for known, what in sets.DATASETS.items():
                table.add_row(known, what, sets.locate(known, data_dir))
            out.print(table)
            return
        if not sets.is_named(name) and not name.endswith(".npz"):
            _one_of("data set", name, tuple(sets.DATASETS))
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        facts = sets.describe(sets.load(name, data_dir), source=sets.locate(name, data_dir))
        table = Table(box=None, show_header=False)
        for fact, value in facts.items():
            table.add_row(fact, str(value))
        out.print(table)


@app.command()
def attack(
    model: ModelSource,
    examples: Annotated[
        str, typer.Option("--data", help="A data set's name, or an .npz file with x and y.")
    ],
    name: Annotated[
        str, typer.Option("--attack", help="autoattack, or an attack: pgd, square, apgd, fab, …")
    ] = "autoattack",
    version: Annotated[str, typer.Option(help="Of AutoAttack: standard, plus, rand.")] = "standard",
    norm: Annotated[str, typer.Option(help="linf, l2 or l1.")] = "linf",
    eps: Annotated[str, typer.Option(help="Radius in input units; fractions such as 8/255.")] = "",
    n: Annotated[int | None, typer.Option("-n", "--n", min=1, help="The first so many.")] = None,
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    budget: Annotated[
        str | None, typer.Option(help="Minutes such as 10m, or queries per example such as 2000.")
    ] = None,
    evaluations: Annotated[
        int, typer.Option(help="Fresh evaluations of a success, for a model that draws.")
    ] = 1,
    needed: Annotated[int, typer.Option(help="How many of them must be wrong.")] = 1,
    input_range: InputRange = None,
    any_eps: AnyEps = False,
    custom: Custom = None,
    trust: Trust = False,
    logits: Logits = None,
    data_dir: DataDir = None,
    store: StoreDir = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for a page and every example's outcome.")
    ] = None,
) -> None:
    """Attack a model of your own: the worst case per example. A killed run goes on."""
    from robustnets.core.store import Store
    from robustnets.core.threat import ThreatModel, refuse_whole_box
    from robustnets.experiments import arguments
    from robustnets.experiments.quiet import quiet_backend

    with _sentences():
        kept = Store(store)
        _check_folders(kept.root, out_dir)
        box, limits = arguments.input_range(input_range), arguments.limits(budget)
        threat = ThreatModel(norm, arguments.radius(eps), *box)
        refuse_whole_box(threat, any_eps, arguments.ANY_EPS)
        with err.status("loading Keras"):
            quiet_backend()
            from robustnets.evaluation.input_scale import COMMAND
            from robustnets.experiments import attack_model as work
            from robustnets.experiments.examples import examples_for
            from robustnets.models.load import load_classifier
            from robustnets.report.page import write_page

        with _noted():
            classifier = load_classifier(model, custom or (), trust, logits)
        found_examples = examples_for(classifier, examples, data_dir, n, box)
        attacks, notes = work.attacks_of(name, threat, classifier.classes, version)
        with err.status("attacking") as status, _noted():
            page, found = work.attack_model(
                classifier,
                found_examples.x,
                found_examples.y,
                attacks,
                title=f"{name} on {Path(model).name}",
                any_eps=any_eps,
                range_given=input_range is not None,
                entry=COMMAND,
                notes=notes,
                seed=seed,
                evaluations=evaluations,
                needed=needed,
                store=kept,
                progress=lambda moment: status.update(work.line(moment)),
                command=["robustnets", *sys.argv[1:]],
                **limits,
            )
        _print(page)
        if out_dir is not None:
            index, _ = write_page(page, out_dir)
            work.save(found, out_dir)
            out.print(f"page: {index.resolve()}", soft_wrap=True, highlight=False)


@app.command()
def evaluate(
    model: ModelSource,
    examples: Annotated[
        str, typer.Option("--data", help="A data set's name, or an .npz file with x and y.")
    ],
    norm: Annotated[str, typer.Option(help="linf, l2 or l1.")] = "linf",
    eps: Annotated[
        str, typer.Option(help="Radius in input units, such as 8/255; default: the data's usual.")
    ] = "",
    suite: Annotated[str, typer.Option(help="quick, standard or autoattack.")] = "standard",
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Examples, by class.")] = 1000,
    defense: Annotated[
        str | None, typer.Option(help="package.Layer: a Keras layer to put in front.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Minutes such as 10m, or queries per example such as 2000.")
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Exit with 1 below this robust accuracy, and where it is an upper bound only.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Worker processes.")] = 1,
    workers: Workers = None,
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
    input_range: InputRange = None,
    any_eps: AnyEps = False,
    custom: Custom = None,
    trust: Trust = False,
    logits: Logits = None,
    data_dir: DataDir = None,
    store: StoreDir = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page, Records and JSON.")
    ] = None,
) -> None:
    """Say how robust a model of your own is, and why to believe it. A killed run goes on."""
    started = time.perf_counter()
    from robustnets.core.store import Store
    from robustnets.experiments import evaluate_model as work
    from robustnets.experiments.evaluation_view import EvaluationView
    from robustnets.experiments.quiet import quiet_backend
    from robustnets.experiments.spread_evaluation import Recipe, Spreader

    with _sentences():
        folder = str(data_dir) if data_dir else None
        kept = Store(store)
        _check_folders(kept.root, out_dir)
        request = work.Request(
            model, examples, norm, eps, suite, n, seed, defense, budget, input_range, any_eps
        )
        out.print(request.plan, markup=False, highlight=False)
        with err.status("loading Keras"):
            quiet_backend()
            from robustnets.models.load import load_classifier
        recipe = Recipe(
            model, tuple(custom or ()), trust, logits, defense, examples, folder, str(kept.root),
            seed, request.box,
        )  # fmt: skip
        alone = jobs == 1 and workers is None
        spreader = None if alone else Spreader(recipe, jobs, workers)
        with contextlib.ExitStack() as stack:
            view = stack.enter_context(EvaluationView(err))
            carrier = stack.enter_context(spreader.ready()) if spreader else None
            found = work.evaluate_model(
                request,
                lambda: load_classifier(model, custom or (), trust, logits),
                data_dir=folder,
                store=kept,
                command=["robustnets", *sys.argv[1:]],
                progress=view.show,
                carrier=carrier,
                started=started,
            )
        _print(found.summary())
        if out_dir is not None:
            index = found.save(out_dir)
            out.print(f"page: {index.resolve()}", soft_wrap=True, highlight=False)
        if fail_under is not None:
            short = found.short_of(fail_under)
            if short:
                err.print(short, markup=False, highlight=False, soft_wrap=True)
                raise typer.Exit(1)


@contextlib.contextmanager
def _noted() -> Iterator[None]:
    """What Python would warn of becomes a note of one line, at once."""

    def note(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, UserWarning):
            err.print(f"note: {message}", markup=False, highlight=False, soft_wrap=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note
        yield


def _print(page: Any) -> None:
    from robustnets.report.terminal import drawn

    out.print(page.lead.replace("**", ""), markup=False, highlight=False)
    for section in page.sections:
        for block in section.blocks:
            if hasattr(block, "table"):
                out.print(drawn(block.table))
            elif hasattr(block, "markdown"):
                out.print(block.markdown.replace("**", ""), markup=False, highlight=False)


@app.command("compare-engines")
def compare_engines(
    attack: Annotated[
        str,
        typer.Argument(help="Its name: fgsm, pgd, deepfool, carlini-wagner, hop-skip-jump, …"),
    ],
    dataset: Annotated[str, typer.Option(help="A data set's name or .npz file.")] = "digits",
    model: Annotated[
        str,
        typer.Option(help="A network by name, trained if need be, or a model as for attack."),
    ] = "fc-100-100-10",
    norm: Annotated[
        str | None, typer.Option(help="linf, l2, l1 or l0; default: one that the attack has.")
    ] = None,
    eps: Annotated[
        float | None,
        typer.Option(help="Radius; default: by norm, none for attacks that look for the smallest."),
    ] = None,
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Test examples.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the network and of all draws.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the attack; repeatable."),
    ] = None,
    custom: Custom = None,
    trust: Trust = False,
    logits: Logits = None,
    data_dir: DataDir = None,
    store: StoreDir = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for a page and the table as CSV.")
    ] = None,
) -> None:
    """Attack the same examples through every engine: do they agree, and at what price?"""
    from robustnets.core.store import Store
    from robustnets.experiments.quiet import quiet_backend

    with _sentences():
        kept = Store(store)
        _check_folders(kept.root, out_dir)
        with err.status("loading Keras"):
            quiet_backend()
            from robustnets.experiments import compare_engines as comparison
            from robustnets.report.page import write_page

        spec = comparison.spec_of(attack, norm, eps, settings or ())
        with err.status("training") as status:
            page = comparison.compare(
                spec,
                dataset=dataset,
                model=model,
                custom=custom or (),
                trust=trust,
                logits=logits,
                n=n,
                seed=seed,
                store=kept,
                data_dir=str(data_dir) if data_dir else None,
                train_progress=lambda what, epoch, epochs, logs: status.update(
                    f"training: epoch {epoch} of {epochs}"
                ),
                progress=lambda engine, done, total: status.update(f"{engine}: {done} of {total}"),
            )
        _print(page)
        if out_dir is not None:
            index, _ = write_page(page, out_dir)
            out.print(f"page: {index.resolve()}", soft_wrap=True, highlight=False)
