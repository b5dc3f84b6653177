"""The examples in docstrings run."""

import doctest
import importlib
from pathlib import Path

import pytest

import robustnets
import robustnets.callbacks


def with_examples() -> list[str]:
    names = []
    for package in (robustnets, robustnets.callbacks):
        home = Path(package.__file__).parent
        for path in sorted(home.rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                parts = path.relative_to(home).with_suffix("").parts
                names.append(".".join((package.__name__, *parts)).removesuffix(".__init__"))
    return names


MODULES = with_examples()


def test_there_are_examples():
    assert {"robustnets.core.seeds", "robustnets.stats.intervals"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert attempted > 0, "the examples are not found: are they in a docstring?"
    assert failed == 0
