"""Notebooks run from top to bottom, and what is committed is fit to be read."""

import ast
import os
import re

import execute
import nbformat
import pytest

ALL = execute.names()
# worked examples of layers are the only classes, and have the only functions
WORKED = {"00_quickstart": 1, "04_write_a_defense": 2}
# what a notebook can show besides the chapters
TOOLS = {"engines", "evaluate_your_model", "write_a_defense"}
SILENT = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.ClassDef)
LARGEST = 1_500_000


@pytest.fixture(params=ALL)
def name(request):
    return request.param


@pytest.fixture
def notebook(name):
    return nbformat.read(execute.FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_silent(statement):
    quiet = isinstance(statement, ast.Expr) and ast.unparse(statement) == "quiet_backend()"
    return quiet or isinstance(statement, SILENT)


def test_there_is_one_per_chapter():
    from robustnets.chapters import CHAPTERS

    topics = [name.partition("_")[2] for name in ALL]
    assert [topic for topic in topics if topic not in TOOLS] == ["quickstart", *CHAPTERS]
    assert set(topics) >= TOOLS


# each has a kernel of its own, so that any process may take it
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ALL]
)
def test_executes(name, tmp_path, tmp_path_factory, monkeypatch):
    # one store for all, as a reader has it: what two chapters train is trained once
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    monkeypatch.setenv("ROBUSTNETS_HOME", str(base / "home"))
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    notebook = nbformat.read(execute.FOLDER / f"{name}.ipynb", as_version=4)
    for cell in code_cells(notebook):  # a reader's first change, and the shorter run
        for setting in ("SEEDS = 1", "N = 40"):
            pattern = rf"^{setting.partition(' ')[0]} = \d+$"
            cell.source = re.sub(pattern, setting, cell.source, flags=re.MULTILINE)
    execute.execute(notebook, elsewhere)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert not [output.text for output in outputs if output.output_type == "stream"]
    assert not list(elsewhere.iterdir()), "a notebook writes into the store only"


def test_every_cell_shows_something_or_only_prepares(notebook):
    for cell in code_cells(notebook):
        silent = all(map(is_silent, ast.parse(cell.source).body))
        assert silent != bool(cell.outputs), cell.source


def test_no_cell_defines_a_function(name, notebook):
    classes = 0
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)
        kinds = [type(node) for node in ast.walk(tree)]
        if ast.ClassDef in kinds:
            classes += 1
        else:
            assert not {ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda} & set(kinds)
    assert classes == WORKED.get(name, 0)


def test_what_is_committed_is_clean(name, notebook):
    assert execute.machine_paths(notebook) == []
    assert dict(notebook.metadata) == execute.METADATA
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "executed once, from top to bottom"
    assert all(not cell.metadata for cell in notebook.cells)
    kinds = {output.output_type for cell in code_cells(notebook) for output in cell.outputs}
    assert kinds <= {"display_data", "execute_result"}
    assert (execute.FOLDER / f"{name}.ipynb").stat().st_size < LARGEST


def test_the_last_word_is_the_readers(notebook):
    titles = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("## ")
    ]
    assert "## Change this" in titles[-2:]


def test_a_path_of_this_machine_is_found(notebook):
    notebook.cells[0].source += f"\n{execute.FOLDER}"
    assert execute.machine_paths(notebook)


def test_an_unknown_notebook_says_which_there_are(capsys):
    with pytest.raises(SystemExit):
        execute.main(["03_nothing"])
    assert all(name in capsys.readouterr().err for name in ALL[:1])
