"""The plan of the house: who may import whom, and what may not stand where."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import keras
import pytest

import robustnets
import robustnets.callbacks

LEVELS = (
    ("backend", "core"),
    ("stats", "data", "callbacks"),
    ("layers", "attacks", "report"),
    ("models", "poisoning"),
    ("training", "engines"),
    ("defenses", "evaluation"),
    ("experiments",),
    ("chapters",),
    ("cli",),
)
LEVEL = {package: i for i, level in enumerate(LEVELS) for package in level}
HOME = Path(robustnets.__file__).parent
CALLBACKS = Path(robustnets.callbacks.__file__).parent
LONGER = {  # files over 500 lines, and why
    "chapters/filters/page.py": "a page: its text, tables and figures in reading order",
    "cli.py": "the options of every command, parsed and handed on",
    "backend.py": "all that differs between TensorFlow and JAX",
}


def sources() -> dict[str, Path]:
    """Path of every module by its dotted name."""
    found = {}
    for base, package in ((HOME, "robustnets"), (CALLBACKS, "robustnets.callbacks")):
        for path in sorted(base.rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((package, *parts))] = path
    return found


SOURCES = sources()


def relative(path: Path) -> str:
    if path.is_relative_to(HOME):
        return path.relative_to(HOME).as_posix()
    return f"callbacks/{path.relative_to(CALLBACKS).as_posix()}"


class _Imports(ast.NodeVisitor):
    """Names of all modules that a file imports, anywhere in it, except for type checking."""

    def __init__(self, module: str, is_package: bool):
        self.package = module if is_package else module.rpartition(".")[0]
        self.names: list[str] = []

    def visit_If(self, node):
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)
        else:
            for other in node.orelse:
                self.visit(other)

    def visit_Import(self, node):
        self.names += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node):
        base = node.module or ""
        if node.level:
            parts = self.package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
        self.names += [f"{base}.{alias.name}" for alias in node.names]


def imports(source: str, module: str, is_package: bool = False) -> list[str]:
    visitor = _Imports(module, is_package)
    visitor.visit(ast.parse(source))
    return visitor.names


def imports_of(module: str) -> list[str]:
    path = SOURCES[module]
    return imports(path.read_text(encoding="utf-8"), module, path.stem == "__init__")


def wrong_direction(module: str, names: list[str]) -> list[str]:
    """Those of the imported names that do not lie to the left of the module."""
    own = module.split(".")[1] if "." in module else None
    wrong = []
    for name in names:
        parts = name.split(".")
        if parts[0] != "robustnets" or len(parts) == 1 or parts[1] == "__version__":
            continue
        there = parts[1]
        if there == own:
            continue
        if own is None or there not in LEVEL or LEVEL[there] >= LEVEL[own]:
            wrong.append(name)
    return wrong


def test_every_package_has_a_level():
    packages = {module.split(".")[1] for module in SOURCES if "." in module}
    assert packages <= set(LEVEL)
    assert {"backend", "core", "callbacks", "chapters", "cli"} <= packages


@pytest.mark.parametrize("module", SOURCES)
def test_imports_go_to_the_left(module):
    assert wrong_direction(module, imports_of(module)) == []


def test_the_reader_of_imports_sees_them():
    """The test above is worth what this reader sees."""
    text = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from robustnets.cli import app
else:
    import robustnets.models
def later():
    from robustnets import backend, experiments
    from . import sibling
    from ..report.page import Page
"""
    names = imports(text, "robustnets.attacks.balls")
    assert "robustnets.cli.app" not in names
    assert set(names) > {
        "robustnets.models",
        "robustnets.backend",
        "robustnets.experiments",
        "robustnets.attacks.sibling",
        "robustnets.report.page.Page",
    }
    assert wrong_direction("robustnets.attacks.balls", names) == [
        "robustnets.models",
        "robustnets.experiments",
        "robustnets.report.page.Page",
    ]
    assert imports("from .balls import move", "robustnets.attacks", is_package=True) == [
        "robustnets.attacks.balls.move"
    ]


def test_callbacks_import_nothing_from_the_package():
    names = [n for m in SOURCES if m.startswith("robustnets.callbacks") for n in imports_of(m)]
    assert "numpy" in names
    assert [n for n in names if n.startswith("robustnets") and ".callbacks" not in n] == []


@pytest.mark.parametrize(
    ("libraries", "allowed"),
    [
        (("tensorflow", "jax", "torch"), ("backend", "engines")),
        (("art", "cleverhans"), ("engines",)),
        (("keras",), tuple(p for p in LEVEL if p not in ("core", "stats", "report", "cli"))),
    ],
)
def test_heavy_libraries_stay_where_they_belong(libraries, allowed):
    users = {
        module
        for module in SOURCES
        if any(name.split(".")[0] in libraries for name in imports_of(module))
    }
    assert users, f"nothing imports {libraries}"
    assert {m for m in users if m.split(".")[1] not in allowed} == set()


@pytest.mark.parametrize("module", SOURCES)
def test_no_assert_in_library_code(module):
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)] == []


@pytest.mark.parametrize("module", SOURCES)
def test_every_module_says_what_it_is(module):
    assert ast.get_docstring(ast.parse(SOURCES[module].read_text(encoding="utf-8")))


def test_one_concept_per_file():
    lengths = {
        relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES.values()
    }
    assert {name: n for name, n in lengths.items() if n > 500 and name not in LONGER} == {}
    assert [name for name in LONGER if lengths.get(name, 0) <= 500] == [], "no longer so long"


def classes_of(package: str):
    """Every class defined in the modules of a package."""
    home = importlib.import_module(f"robustnets.{package}")
    for info in pkgutil.iter_modules(home.__path__):
        module = importlib.import_module(f"{home.__name__}.{info.name}")
        for item in vars(module).values():
            if inspect.isclass(item) and item.__module__ == module.__name__:
                yield item


def _is_protocol(item: type) -> bool:
    return getattr(item, "_is_protocol", False)


@pytest.mark.parametrize(
    ("package", "registry", "belongs"),
    [
        ("attacks", "ATTACKS", lambda c: hasattr(c, "perturb") and not _is_protocol(c)),
        ("defenses", "DEFENSES", lambda c: hasattr(c, "recipe") and not _is_protocol(c)),
        ("layers", "LAYERS", lambda c: issubclass(c, keras.layers.Layer)),
    ],
)
def test_every_file_has_its_entry(package, registry, belongs):
    listed = getattr(importlib.import_module(f"robustnets.{package}"), registry)
    assert isinstance(listed, tuple)
    assert len(listed) == len(set(listed)) > 0
    assert {c for c in classes_of(package) if belongs(c)} == set(listed)


def test_every_model_is_listed():
    from robustnets.models import MODELS

    home = importlib.import_module("robustnets.models")
    files = {info.name for info in pkgutil.iter_modules(home.__path__)}
    files -= {"accept", "classifier", "formats", "functional", "keras_file", "keras_versions"}
    files -= {"load", "logits", "mixture", "precision", "probabilities", "randomness", "size"}
    files -= {"saved_model", "stored", "view"}
    files -= {"imagenet_resnet50"}  # comes trained, by weights and not by shape and seed
    assert all(build.__name__ == name for name, build in MODELS.items())
    assert files == {build.__module__.rpartition(".")[2] for build in MODELS.values()}


def test_every_package_is_in_the_wheel():
    """A package that setup.cfg forgets is missing from the wheel, and from nothing else."""
    import configparser

    from setuptools import find_packages

    setup = configparser.ConfigParser()
    setup.read(HOME.parent / "setup.cfg")
    listed = setup["options"]["packages"].split()
    assert sorted(listed) == sorted(
        [*find_packages(str(HOME.parent), include=["robustnets", "robustnets.*"]),
         "robustnets.callbacks"]
    )  # fmt: skip
    assert setup["metadata"]["version"] == "attr: robustnets.__version__"
